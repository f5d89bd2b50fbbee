"""Signatures: who wrote an event can be told from the event itself, wherever it was mirrored in between.

A record on a topic that other regions read carries, in the header `tibs-signature`, a detached JWS (RFC 7515, appendix
F) by one of the keys of the region that the topic is named by. docs/integrate tells how to check one without this code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from tibs_contracts.envelope import Envelope
from tibs_contracts.topics import Topic

HEADER = "tibs-signature"
ALGORITHM = "Ed25519"
WITHOUT_UNTIL = 2
"""How many keys of a region may be valid without an end: the one in use and the one that follows it."""

_REGISTRY = jws.JWSRegistry(
    header_registry={
        "alg": HeaderParameter("Algorithm", "str", required=True),
        "kid": HeaderParameter("Key ID", "str", required=True),
        "topic": HeaderParameter("Kafka topic that the record was written to", "str", required=True),
    },
    algorithms=[ALGORITHM],
)
# The library's limit is meant for tokens. A Kafka record has its own, of a mebibyte.
_REGISTRY.max_payload_length = 4 * 1024 * 1024

Headers = Iterable[tuple[str, bytes | None]]


class SignatureError(ValueError):
    """A key that is none, or a record that its region did not sign; the message is a sentence that says why."""


def signed_content(headers: Headers, value: bytes | None) -> bytes:
    """What is signed: each `ce_` header by name, its value, and at the end the record's value, as netstrings.

    Nothing at all (a tombstone's value) is `-,`, which no netstring is; an empty one is `0:,`. SignatureError for a
    header that stands twice: readers could disagree which one counts.
    """
    attributes: dict[str, bytes | None] = {}
    for name, held in headers:
        if not name.startswith("ce_"):
            continue
        if name in attributes:
            raise SignatureError(f"header {name} stands twice")
        attributes[name] = held
    parts = [part for name in sorted(attributes) for part in (name.encode(), attributes[name])]
    return b"".join(b"-," if part is None else b"%d:%s," % (len(part), part) for part in (*parts, value))


@dataclass(frozen=True)
class SigningKey:
    """The public half of a key that a region signs with. `until` is when it stops doing so; None while it goes on."""

    kid: str
    key: OKPKey = field(repr=False, compare=False)
    x: str
    until: datetime | None = None

    @classmethod
    def of(cls, jwk: object) -> "SigningKey":
        """From a public JWK, with `until` beside its members. SignatureError, which never shows a private key."""
        if not isinstance(jwk, Mapping):
            raise SignatureError("a signing key should be a public JWK with kty, crv, kid and x")
        if "d" in jwk:
            raise SignatureError("a signing key holds a private key ('d'): it has been shown to others, make a new one")
        return cls._of({name: held for name, held in jwk.items() if name != "until"}, jwk.get("until"))

    @classmethod
    def _of(cls, jwk: Mapping[str, Any], until: object) -> "SigningKey":
        kid = jwk.get("kid")
        if not isinstance(kid, str) or not kid:
            raise SignatureError("a signing key has no 'kid'")
        if isinstance(until, str):
            try:
                until = datetime.fromisoformat(until)
            except ValueError:
                raise SignatureError(f"signing key '{kid}': until held '{until}', not a time") from None
        if until is not None and (not isinstance(until, datetime) or until.tzinfo is None):
            raise SignatureError(
                f"signing key '{kid}': until held '{until}', not a time with its zone such as 2027-01-31T12:00:00Z"
            )
        key = _okp(jwk, name=f"signing key '{kid}'")
        return cls(kid=kid, key=key, x=str(key.as_dict(private=False)["x"]), until=until)


def _okp(jwk: Mapping[str, Any], *, name: str) -> OKPKey:
    try:
        if jwk.get("kty") != "OKP":
            raise ValueError("kty")
        key = OKPKey.import_key(dict(jwk))
        curve = key.curve_name
        _ = key.raw_value
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SignatureError(f"{name} is no Ed25519 key (JWK with kty 'OKP'): {type(error).__name__}") from None
    if curve != ALGORITHM:
        raise SignatureError(f"{name} is a key for {curve}, not for Ed25519")
    return key


def checked_keys(keys: Sequence[SigningKey]) -> list[SigningKey]:
    """The keys of one region. SignatureError if two share a name, or more than two have no end."""
    names = [key.kid for key in keys]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise SignatureError(f"two signing keys are called '{doubles[0]}'")
    endless = [key.kid for key in keys if key.until is None]
    if len(endless) > WITHOUT_UNTIL:
        raise SignatureError(
            f"{len(endless)} signing keys have no 'until' ({', '.join(endless)}): at most the one in use and the next"
        )
    return list(keys)


class Signer:
    """Signs what a region writes. `key` is its private Ed25519 key (JWK)."""

    def __init__(self, key: Mapping[str, Any]) -> None:
        if not isinstance(key, Mapping) or not key.get("kid"):
            raise SignatureError("a signing key should be a private JWK with kty, crv, kid, x and d")
        self.kid = str(key["kid"])
        self._key = _okp(key, name=f"signing key '{self.kid}'")
        if not self._key.is_private:
            raise SignatureError(f"signing key '{self.kid}' is a public key; it takes the private one to sign")

    @property
    def public(self) -> dict[str, Any]:
        """What stands in regions.yaml."""
        return dict(self._key.as_dict(private=False))

    def sign(self, *, topic: str, headers: Headers, value: bytes | None) -> str:
        """What the header `tibs-signature` is to hold."""
        protected = {"alg": ALGORITHM, "kid": self.kid, "topic": topic}
        whole = jws.serialize_compact(protected, signed_content(headers, value), self._key, registry=_REGISTRY)
        return jws.detach_content(whole)

    def headers(self, envelope: Envelope, *, topic: str, value: bytes | None) -> list[tuple[str, bytes]]:
        """The headers of a record, its signature among them."""
        headers = envelope.headers()
        return [*headers, (HEADER, self.sign(topic=topic, headers=headers, value=value).encode())]


class Keyring:
    """The public keys of all regions by region code: knows whether a record was signed by the region of its topic."""

    def __init__(self, keys: Mapping[str, Sequence[SigningKey]]) -> None:
        self._keys = {region: {key.kid: key for key in checked_keys(held)} for region, held in keys.items()}

    @classmethod
    def load(cls, path: Path) -> "Keyring":
        """From the network's `regions.yaml`. Raises SignatureError, and OSError where the file cannot be read."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            entries = {str(one["code"]): (one.get("keys") or {}).get("signing") or [] for one in content["regions"]}
        except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError) as error:
            raise SignatureError(f"{path} is no list of regions: {type(error).__name__}") from None
        return cls({code: [SigningKey.of(jwk) for jwk in keys] for code, keys in entries.items()})

    def verify(
        self, *, topic: Topic, envelope: Envelope, key: bytes | None, headers: Headers, value: bytes | None
    ) -> SigningKey:
        """The key that signed a record. Raises SignatureError.

        `envelope` is what was read from the same headers. The time that decides whether a key was valid is that of the
        event: what a retired key signed in its time stays true.
        """
        headers = list(headers)
        if envelope.region != topic.region:
            raise SignatureError(f"header ce_source held '{envelope.source}' on a topic of region '{topic.region}'")
        if key is None or key != envelope.subject.encode():
            raise SignatureError("the record's key is not its ce_subject")
        detached = self._signature(headers, region=topic.region)
        compact = self._extracted(detached, signed_content(headers, value))
        protected = compact.protected
        if protected["topic"] != topic.name:
            raise SignatureError(f"it was signed for topic {protected['topic']!r:.90} and moved to {topic.name}")
        signing = self._key(topic.region, protected["kid"], at=envelope.time)
        try:
            genuine = jws.validate_compact(compact, signing.key, registry=_REGISTRY)
        except (JoseError, ValueError):
            genuine = False
        if not genuine:
            raise SignatureError(
                f"its signature does not fit what it holds: it was changed, or region '{topic.region}' did not sign it"
            )
        return signing

    def _signature(self, headers: list[tuple[str, bytes | None]], *, region: str) -> bytes:
        found = [held for name, held in headers if name == HEADER]
        if not found or not found[0]:
            raise SignatureError(f"it is not signed, and region '{region}' signs all that others read")
        if len(found) > 1:
            raise SignatureError(f"header {HEADER} stands {len(found)} times")
        return found[0]

    def _extracted(self, detached: bytes, content: bytes) -> jws.CompactSignature:
        header, dot, signature = detached.partition(b"..")
        if not dot or b"." in header or b"." in signature:
            raise SignatureError(f"header {HEADER} holds no detached JWS (header..signature)")
        try:
            compact = jws.extract_compact(detached, content, _REGISTRY)
        except (JoseError, ValueError, TypeError) as error:
            raise SignatureError(f"header {HEADER} holds no JWS ({type(error).__name__})") from None
        protected = compact.protected
        if not isinstance(protected, dict) or set(protected) != {"alg", "kid", "topic"}:
            raise SignatureError(f"header {HEADER} holds a JWS whose protected header is not alg, kid and topic")
        if protected["alg"] != ALGORITHM:
            raise SignatureError(f"it is signed with alg {protected['alg']!r:.40}, not with {ALGORITHM}")
        return compact

    def _key(self, region: str, kid: object, *, at: datetime) -> SigningKey:
        held = self._keys.get(region, {})
        signing = held.get(kid) if isinstance(kid, str) else None
        if signing is None:
            known = ", ".join(sorted(held)) or "there are none"
            raise SignatureError(f"it is signed with key {kid!r:.80}, none of region '{region}' ({known})")
        if signing.until is not None and at > signing.until:
            raise SignatureError(
                f"it is of {_told(at)}, and key '{kid}' of region '{region}' was valid until {_told(signing.until)}"
            )
        return signing


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
