"""Signing in by OpenID Connect: authorization code with PKCE, state and nonce, then a session of our own."""

import base64
import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from tibs_cases.desk.service import remember_person
from tibs_cases.settings import Settings
from tibs_cases.web import session as sessions
from tibs_cases.web.guard import PageRoute, signed_in_by
from tibs_cases.web.i18n import LANGUAGES
from tibs_cases.web.shell import LANGUAGE_COOKIE, bench, go, inside, preferred_language
from tibs_chassis.auth import PEOPLE, Principal, principal_of
from tibs_chassis.log import logger

FLOW_SECONDS = 600
STARTS_PER_MINUTE = 30
_PATIENCE = httpx.Timeout(5.0, connect=2.0)
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
"""What an identity provider may sign with; a token that names no algorithm, or a shared secret, is refused."""


class SignInRefused(Exception):
    """The sign-in did not work out; the message is for the person."""


class Provider:
    """The region's identity provider, as its discovery document describes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._metadata: dict[str, Any] | None = None

    @property
    def redirect_uri(self) -> str:
        return f"{self._settings.public_url}/sign-in/callback"

    async def metadata(self) -> dict[str, Any]:
        if self._metadata is None:
            found = await self._json(f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                raise SignInRefused("The identity provider calls itself by another name than the one configured here.")
            self._metadata = found
        return self._metadata

    async def authorization_address(self, *, state: str, nonce: str, verifier: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = str((await self.metadata())["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    async def claims(self, *, code: str, verifier: str, nonce: str) -> dict[str, Any]:
        """What the provider says of the person, checked. Raises SignInRefused."""
        metadata = await self.metadata()
        tokens = await self._token(metadata, code=code, verifier=verifier)
        keys = KeySet.import_key_set(await self._json(metadata["jwks_uri"]))  # type: ignore[arg-type]
        try:
            decoded = jwt.decode(str(tokens["id_token"]), keys, algorithms=_ALGORITHMS)
            jwt.JWTClaimsRegistry(
                leeway=10,
                iss={"essential": True, "value": str(metadata["issuer"])},
                aud={"essential": True, "value": self._settings.oidc_client_id},
                exp={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(decoded.claims)
        except (JoseError, ValueError, KeyError) as error:
            logger.warning("sign_in.token_refused", reason=type(error).__name__)
            raise SignInRefused("The identity provider's answer did not hold what it should.") from error
        claims = dict(decoded.claims)
        if "userinfo_endpoint" in metadata and "access_token" in tokens:
            more = await self._json(
                metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"}
            )
            if more.get("sub") == claims["sub"]:
                claims = {**more, **claims}
        return claims

    async def _token(self, metadata: dict[str, Any], *, code: str, verifier: str) -> dict[str, Any]:
        secret = self._settings.oidc_client_secret.get_secret_value()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE) as client:
                answer = await client.post(
                    metadata["token_endpoint"],
                    data=form if secret else {**form, "client_id": self._settings.oidc_client_id},
                    auth=httpx.BasicAuth(self._settings.oidc_client_id, secret) if secret else httpx.Auth(),
                )
        except httpx.HTTPError as error:
            raise SignInRefused("The identity provider does not answer. Try again in a moment.") from error
        if answer.status_code >= 400:
            logger.warning("sign_in.code_refused", status=answer.status_code)
            raise SignInRefused("The identity provider did not accept the sign-in. Start again.")
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def _json(self, address: str, *, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE) as client:
                answer = (await client.get(address, headers=headers)).raise_for_status()
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInRefused("The identity provider does not answer. Try again in a moment.") from error
        return found


class FlowCookie:
    """What must be known again when the provider sends the browser back: encrypted, short-lived, one per flow."""

    def __init__(self, settings: Settings) -> None:
        digest = hashlib.sha256(b"sign-in flow\n" + settings.session_secret.get_secret_value().encode()).digest()
        self._key = OctKey.import_key(digest)
        self._secure = settings.public_url.startswith("https://")

    @staticmethod
    def _name(state: str) -> str:
        return f"tibs-flow-{hashlib.sha256(state.encode()).hexdigest()[:12]}"

    def write(self, response: Response, *, state: str, nonce: str, verifier: str, goal: str) -> None:
        claims = {"state": state, "nonce": nonce, "verifier": verifier, "goal": goal, "exp": time.time() + FLOW_SECONDS}
        sealed = jwt.encode({"alg": "dir", "enc": "A256GCM"}, claims, self._key, registry=jwe.JWERegistry())
        response.set_cookie(
            self._name(state),
            sealed,
            max_age=FLOW_SECONDS,
            path="/sign-in",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def read(self, request: Request, *, state: str) -> dict[str, str]:
        """Raises SignInRefused when the browser did not begin this sign-in, or too long ago."""
        sealed = request.cookies.get(self._name(state), "")
        try:
            claims = jwt.decode(sealed, self._key, registry=jwe.JWERegistry()).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except (JoseError, ValueError) as error:
            raise SignInRefused("This sign-in took too long or began in another window. Start again.") from error
        if not secrets.compare_digest(str(claims.get("state")), state):
            raise SignInRefused("This sign-in began in another window. Start again.")
        return {name: str(claims[name]) for name in ("nonce", "verifier", "goal")}

    def clear(self, response: Response, *, state: str) -> None:
        response.delete_cookie(self._name(state), path="/sign-in", secure=self._secure, httponly=True, samesite="lax")


class Limiter:
    """So many tries a minute from one address; more are told to wait."""

    def __init__(self, *, per_minute: int, remembered: int = 10_000) -> None:
        self._per_minute = per_minute
        self._remembered = remembered
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str, *, at: float) -> bool:
        left, before = self._left.pop(address, (float(self._per_minute), at))
        left = min(float(self._per_minute), left + (at - before) * self._per_minute / 60)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, at)
        if len(self._left) > self._remembered:
            self._left.popitem(last=False)
        return allowed


router = APIRouter(include_in_schema=False)
leaving = APIRouter(route_class=PageRoute, include_in_schema=False)


def _gate(request: Request, *, status: int = 200, refused: str | None = None, goal: str = "/today") -> Response:
    return bench(request).page(
        request,
        "pages/sign_in.html",
        status=status,
        refused=refused,
        goal=goal,
        left="left" in request.query_params,
        ended="next" in request.query_params and goal != "/today",
    )


@router.get("/sign-in", name="sign_in")
async def sign_in(request: Request, next: str = "/today") -> Response:
    return _gate(request, goal=inside(next, otherwise="/today"))


@router.get("/sign-in/start", name="start_sign_in")
async def start_sign_in(request: Request, next: str = "/today") -> Response:
    address = request.client.host if request.client else "unknown"
    if not request.app.state.limiter.allows(address, at=time.monotonic()):
        response = _gate(request, status=429, refused="Too many sign-ins from here. Wait a minute, then try again.")
        response.headers["Retry-After"] = "60"
        return response
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    provider: Provider = request.app.state.provider
    try:
        target = await provider.authorization_address(state=state, nonce=nonce, verifier=verifier)
    except SignInRefused as error:
        return _gate(request, status=503, refused=str(error))
    response = RedirectResponse(target, status_code=303)
    goal = inside(next, otherwise="/today")
    request.app.state.flow.write(response, state=state, nonce=nonce, verifier=verifier, goal=goal)
    return response


@router.get("/sign-in/callback", name="finish_sign_in")
async def finish_sign_in(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    workbench = bench(request)
    flow: FlowCookie = request.app.state.flow
    try:
        held = flow.read(request, state=state)
        if error or not code:
            raise SignInRefused("The identity provider did not let you in. Start again, or ask your lead.")
        claims = await request.app.state.provider.claims(code=code, verifier=held["verifier"], nonce=held["nonce"])
        principal = _known(principal_of(claims, region=workbench.node.region))
    except SignInRefused as refusal:
        return _gate(request, status=403, refused=str(refusal))
    cookie: sessions.Cookie = request.app.state.cookie
    async with workbench.database.transaction() as session:
        await remember_person(session, principal=principal)
        reader = replace(principal, language=preferred_language(request))
        token = await sessions.begin(session, principal=reader, replaces=cookie.read(request))
    response = go(held["goal"])
    cookie.write(response, token)
    flow.clear(response, state=state)
    return response


def _known(principal: Principal) -> Principal:
    if principal.roles.isdisjoint(PEOPLE):
        raise SignInRefused(
            "Your account has no role at this region's desk. Ask your lead for broker, reviewer or analyst."
        )
    return principal if principal.language in LANGUAGES else replace(principal, language="en")


@leaving.post("/sign-out", name="sign_out")
async def sign_out(request: Request) -> Response:
    cookie: sessions.Cookie = request.app.state.cookie
    token = cookie.read(request)
    if token is not None:
        async with bench(request).database.transaction() as session:
            await sessions.end(session, token=token)
    response = go("/sign-in?left=yes")
    cookie.clear(response)
    return response


@leaving.post("/me/language", name="choose_language")
async def choose_language(
    request: Request, language: Annotated[str, Form()] = "en", next: Annotated[str, Form()] = "/today"
) -> Response:
    if language in LANGUAGES:
        async with bench(request).database.transaction() as session:
            await sessions.speak(session, signed_in=await signed_in_by(request), language=language)
    response = go(inside(next, otherwise="/today"))
    if language in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, path="/", samesite="lax", httponly=True)
    return response
