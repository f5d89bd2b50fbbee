"""Links that switch one kind of mail off without signing in: signed, for one person and one type, good for a year."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from tibs_notify.notices.rules import NoticeType

LIFETIME_SECONDS = 365 * 24 * 3600
AUDIENCE = "unsubscribe"


class BadLink(ValueError):
    """The link is not ours, was changed, or is too old."""


@dataclass(frozen=True)
class Unsubscription:
    """Whose mails of which type are to stop."""

    person: str
    notice_type: NoticeType


class UnsubscribeLinks:
    """Makes and reads the links. They are signed with the node's key, and good for this one purpose (audience)."""

    def __init__(self, *, public_url: str, region: str, key_file: Path, jwks_file: Path) -> None:
        self._public_url = public_url
        self._issuer = f"/regions/{region}"
        self._key = OKPKey.import_key(json.loads(key_file.read_text()))
        self._keys = KeySet.import_key_set(json.loads(jwks_file.read_text()))

    def make(self, *, person: str, notice_type: NoticeType, language: str) -> str:
        """The page's address. `language` is the mail's: who follows it is not signed in, and reads on in that one."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": person,
            "type": notice_type.value,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        header = {"alg": "Ed25519", "kid": self._key.kid}
        token = jwt.encode(header, claims, self._key, algorithms=["Ed25519"])
        return f"{self._public_url}/unsubscribe?language={language}&token={token}"

    def read(self, token: str) -> Unsubscription:
        """Raises BadLink."""
        try:
            decoded = jwt.decode(token, self._keys, algorithms=["Ed25519", "EdDSA"])
            jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": AUDIENCE},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(decoded.claims)
            return Unsubscription(
                person=str(decoded.claims["sub"]), notice_type=NoticeType(decoded.claims.get("type", ""))
            )
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise BadLink(type(error).__name__) from error
