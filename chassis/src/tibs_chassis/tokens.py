"""Short-lived tokens that the node signs for calls between its own services."""

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey

from tibs_chassis.auth import Principal, Role

LIFETIME_SECONDS = 60


class TokenMinter:
    """Signs, with the node's private key, who is asking whom."""

    def __init__(self, *, region: str, key_file: Path) -> None:
        self._region = region
        self._key = OKPKey.import_key(json.loads(key_file.read_text()))

    def mint(self, principal: Principal, audience: str, *, lifetime: int = LIFETIME_SECONDS) -> str:
        """A token that lets a service of the node act for `principal` towards the service `audience`."""
        now = int(time.time())
        claims = {
            "iss": f"/regions/{self._region}",
            "aud": audience,
            "sub": principal.person,
            "name": principal.name,
            "roles": sorted(principal.roles),
            "locale": principal.language,
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode({"alg": "Ed25519", "kid": self._key.kid}, claims, self._key, algorithms=["Ed25519"])

    def node(self, service: str) -> Principal:
        """The service itself, acting for nobody."""
        return Principal(person=f"service:{service}", name=service, roles=frozenset({Role.NODE}), region=self._region)
