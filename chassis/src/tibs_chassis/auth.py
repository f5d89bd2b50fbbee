"""Who asks: bearer tokens of the node itself and of the region's identity provider."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tibs_chassis.problems import Unauthenticated, Unavailable


class Role(StrEnum):
    BROKER = "broker"
    LEAD = "lead"
    REVIEWER = "reviewer"
    ANALYST = "analyst"
    INTEGRATION = "integration"
    NODE = "node"
    """Another service of the node, on nobody's behalf."""


PEOPLE = frozenset({Role.BROKER, Role.LEAD, Role.REVIEWER, Role.ANALYST})
EVERYBODY = frozenset(Role)


@dataclass(frozen=True)
class Principal:
    """A person, or a machine, that was proven to be who it says. `person` is the provider's stable id (`sub`)."""

    person: str
    name: str
    roles: frozenset[Role]
    region: str
    email: str | None = None
    language: str = "en"

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)


def roles_of(claims: Mapping[str, Any]) -> frozenset[Role]:
    """From `roles`, or `realm_access.roles` as Keycloak writes them. What is none of ours is passed over."""
    named = claims.get("roles")
    if not isinstance(named, list):
        realm = claims.get("realm_access")
        named = realm.get("roles") if isinstance(realm, dict) else None
    known = {role.value for role in Role}
    return frozenset(Role(role) for role in named or [] if role in known)


def principal_of(claims: Mapping[str, Any], *, region: str) -> Principal:
    """The person that verified claims speak of."""
    language = str(claims.get("locale") or "en")[:2].lower()
    return Principal(
        person=str(claims["sub"]),
        name=str(claims.get("name") or claims.get("preferred_username") or claims["sub"]),
        roles=roles_of(claims),
        region=region,
        email=claims.get("email"),
        language=language,
    )


@dataclass
class _ProviderKeys:
    issuer: str
    keys: KeySet | None = None
    fetched_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, *, anew: bool = False) -> KeySet:
        async with self.lock:
            age = time.monotonic() - self.fetched_at
            if self.keys is None or age > 3600 or (anew and age > 30):
                try:
                    async with httpx.AsyncClient(timeout=3.0) as client:
                        found = await client.get(f"{self.issuer}/.well-known/openid-configuration")
                        keys = await client.get(found.raise_for_status().json()["jwks_uri"])
                        self.keys = KeySet.import_key_set(keys.raise_for_status().json())
                        self.fetched_at = time.monotonic()
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    raise Unavailable("The identity provider does not answer, so tokens cannot be checked.") from error
            return self.keys


class TokenVerifier:
    """Checks bearer tokens: signature, issuer, audience, expiry.

    Tokens of the node (from its UI and between its services) are known by their issuer `/regions/<code>`, which a
    machine's token from the region's provider cannot claim.
    """

    def __init__(self, *, region: str, service: str, node_jwks: Path, oidc_issuer: str, oidc_audience: str) -> None:
        self._region = region
        self._service = service
        self._node_issuer = f"/regions/{region}"
        self._node_keys = KeySet.import_key_set(json.loads(node_jwks.read_text()))
        self._provider = _ProviderKeys(oidc_issuer.rstrip("/"))
        self._audience = oidc_audience

    async def principal(self, request: Request) -> Principal:
        """Raises Unauthenticated with what is wrong with the token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("The request needs an Authorization header with a bearer token.")
        try:
            return await self._verify(token.strip())
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated(f"The bearer token is not valid: {type(error).__name__}.") from error

    async def _verify(self, token: str) -> Principal:
        if _issuer(token) == self._node_issuer:
            decoded = jwt.decode(token, self._node_keys, algorithms=["Ed25519", "EdDSA"])
            issuer, audience = self._node_issuer, self._service
        else:
            decoded = await self._by_provider(token)
            issuer, audience = self._provider.issuer, self._audience
        jwt.JWTClaimsRegistry(
            leeway=5,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(decoded.claims)
        claims = dict(decoded.claims)
        principal = principal_of(claims, region=self._region)
        if issuer != self._node_issuer and Role.NODE in principal.roles:
            raise ValueError("only the node itself gives the role of the node")
        return principal

    async def _by_provider(self, token: str) -> jwt.Token:
        algorithms = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
        try:
            return jwt.decode(token, await self._provider.get(), algorithms=algorithms)
        except (JoseError, ValueError):
            # The provider may have changed its keys since; asked at most twice a minute.
            return jwt.decode(token, await self._provider.get(anew=True), algorithms=algorithms)


def _issuer(token: str) -> str | None:
    from joserfc.jws import extract_compact

    payload = json.loads(extract_compact(token.encode()).payload)
    return payload.get("iss") if isinstance(payload, dict) else None


async def _caller(request: Request) -> Principal:
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise Unauthenticated("Nobody is signed in.")
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""Who asks, as the edge has found out before the body was read."""
