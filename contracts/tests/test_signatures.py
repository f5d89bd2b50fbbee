"""A record is believed if its region signed exactly this, for this topic, with a key that was valid then."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from tibs_contracts.envelope import Envelope, source_of
from tibs_contracts.ids import new_id
from tibs_contracts.signatures import HEADER, Keyring, SignatureError, Signer, SigningKey, signed_content
from tibs_contracts.topics import Channel, Topic

THEN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def private(kid: str = "pl84-1", *, curve: Any = "Ed25519") -> dict[str, Any]:
    return dict(OKPKey.generate_key(curve, parameters={"kid": kid}).as_dict(private=True))


def public(key: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {name: held for name, held in key.items() if name != "d"} | more


ONE, NEXT, OTHERS = private(), private("pl84-2"), private("fi1c-1")
RING = Keyring(
    {"pl84": [SigningKey.of(public(ONE)), SigningKey.of(public(NEXT))], "fi1c": [SigningKey.of(public(OTHERS))]}
)


@dataclass(frozen=True)
class Signed:
    """A record as it lies on a topic."""

    topic: Topic
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None

    def check(self, ring: Keyring = RING) -> str:
        return ring.verify(
            topic=self.topic,
            envelope=Envelope.from_headers(self.headers),
            key=self.key,
            headers=self.headers,
            value=self.value,
        ).kid

    def with_header(self, name: str, held: bytes | None) -> "Signed":
        return replace(self, headers=tuple((n, held if n == name else v) for n, v in self.headers))


def signed(
    value: bytes | None = b'{"title":"Hulls"}',
    *,
    by: Mapping[str, Any] = ONE,
    region: str = "pl84",
    at: datetime = THEN,
) -> Signed:
    envelope = Envelope(
        id=new_id(),
        source=source_of(region, "registry"),
        type="eu.tibs.profile.published.v1",
        subject=str(new_id()),
        time=at,
        sequence=3,
        correlation_id=new_id(),
        causation_id=new_id(),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    topic = Topic(Channel.REGISTRY, region)
    headers = Signer(by).headers(envelope, topic=topic.name, value=value)
    return Signed(topic, envelope.subject.encode(), tuple(headers), value)


def test_what_a_region_signed_is_believed_whichever_of_its_keys_it_took() -> None:
    assert signed().check() == "pl84-1"
    assert signed(by=NEXT).check() == "pl84-2"
    assert signed(by=OTHERS, region="fi1c").check() == "fi1c-1"


def test_a_tombstone_is_not_an_empty_value() -> None:
    assert signed(None).check() == signed(b"").check() == "pl84-1"
    for one, other in ((None, b""), (b"", None)):
        with pytest.raises(SignatureError, match="does not fit what it holds"):
            replace(signed(one), value=other).check()


def test_an_event_as_large_as_the_outbox_lets_through_is_signed() -> None:
    assert signed(b"x" * 900_000).check() == "pl84-1"


def test_the_trace_is_not_signed_for_a_mirror_may_begin_its_own() -> None:
    assert signed().with_header("traceparent", b"00-11111111111111111111111111111111-2222222222222222-01").check()


def test_the_order_of_headers_says_nothing() -> None:
    record = signed()
    assert replace(record, headers=record.headers[::-1]).check()


def test_the_signature_can_be_checked_by_what_the_documentation_says_alone() -> None:
    record = signed()
    held = dict(record.headers)
    header, _, signature = (held[HEADER] or b"").split(b".")
    content = b""
    for name in sorted(name for name in held if name.startswith("ce_")):
        for part in (name.encode(), held[name] or b""):
            content += str(len(part)).encode() + b":" + part + b","
    content += str(len(record.value or b"")).encode() + b":" + (record.value or b"") + b","

    def decoded(text: bytes) -> bytes:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))

    protected = json.loads(decoded(header))
    assert protected == {"alg": "Ed25519", "kid": "pl84-1", "topic": "tibs.pl84.registry.v1"}
    key = Ed25519PublicKey.from_public_bytes(decoded(ONE["x"].encode()))
    key.verify(decoded(signature), header + b"." + base64.urlsafe_b64encode(content).rstrip(b"="))


def test_the_example_of_the_documentation_is_right() -> None:
    content = signed_content([("ce_type", b"t"), ("traceparent", b"x"), ("ce_id", b"7")], b"{}").decode()
    readme = Path(__file__).parents[2] / "docs" / "integrate" / "README.md"
    assert f"gives `{content}`" in readme.read_text(encoding="utf-8")


SIGNED_HEADERS = [name for name, _ in signed().headers if name.startswith("ce_")]
LIKELY = {
    "ce_id": str(new_id()).encode(),
    "ce_source": b"/regions/pl84/cases",
    "ce_type": b"eu.tibs.profile.withdrawn.v1",
    "ce_time": b"2026-03-02T09:30:01Z",
    "ce_sequence": b"4",
    "ce_correlationid": str(new_id()).encode(),
    "ce_causationid": str(new_id()).encode(),
}


@pytest.mark.parametrize(("name", "held"), LIKELY.items())
def test_a_header_that_was_changed_is_noticed(name: str, held: bytes) -> None:
    with pytest.raises(SignatureError, match="does not fit what it holds"):
        signed().with_header(name, held).check()


def test_a_header_that_was_taken_away_or_added_is_noticed() -> None:
    record = signed()
    less = tuple(one for one in record.headers if one[0] != "ce_causationid")
    for headers in (less, (*record.headers, ("ce_extra", b"x"))):
        with pytest.raises(SignatureError, match="does not fit what it holds"):
            replace(record, headers=headers).check()


def test_a_header_that_stands_twice_is_refused() -> None:
    record = signed()
    with pytest.raises(SignatureError, match="header ce_sequence stands twice"):
        replace(record, headers=(*record.headers, ("ce_sequence", b"9"))).check()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_other_value_is_noticed(other: bytes) -> None:
    record = signed()
    if other != record.value:
        with pytest.raises(SignatureError, match="does not fit what it holds"):
            replace(record, value=other).check()


@settings(deadline=None)
@given(st.sampled_from(SIGNED_HEADERS), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_bit_that_is_flipped_in_a_header_is_noticed(name: str, place: int, flip: int) -> None:
    record = signed()
    held = bytearray(dict(record.headers)[name] or b"")
    held[place % len(held)] ^= flip
    envelope = Envelope.from_headers(record.headers)
    with pytest.raises(SignatureError):
        RING.verify(
            topic=record.topic,
            envelope=envelope,
            key=record.key,
            headers=record.with_header(name, bytes(held)).headers,
            value=record.value,
        )


_PAIRS = st.dictionaries(
    st.text(max_size=8).map(lambda text: f"ce_{text}"), st.none() | st.binary(max_size=12), max_size=4
)
_RECORDS = st.tuples(_PAIRS, st.none() | st.binary(max_size=12))


@settings(max_examples=300, deadline=None)
@given(_RECORDS, _RECORDS)
def test_two_records_are_signed_alike_only_if_they_are_alike(one: Any, other: Any) -> None:
    same = signed_content(one[0].items(), one[1]) == signed_content(other[0].items(), other[1])
    assert same == (one == other)


@pytest.mark.parametrize(
    "topic",
    [
        Topic(Channel.CATALOGUE, "pl84"),
        Topic(Channel.CASES, "pl84", to="fi1c"),
        Topic(Channel.CONTACTS, "pl84", to="dk03"),
    ],
)
def test_a_record_that_was_moved_to_another_topic_is_noticed(topic: Topic) -> None:
    with pytest.raises(SignatureError, match=r"signed for topic 'tibs\.pl84\.registry\.v1' and moved to"):
        replace(signed(), topic=topic).check()


def test_a_record_on_another_regions_topic_is_noticed() -> None:
    with pytest.raises(SignatureError, match="held '/regions/pl84/registry' on a topic of region 'fi1c'"):
        replace(signed(), topic=Topic(Channel.REGISTRY, "fi1c")).check()


@pytest.mark.parametrize("key", [None, b"", b"another"])
def test_a_record_under_another_key_is_noticed(key: bytes | None) -> None:
    with pytest.raises(SignatureError, match="key is not its ce_subject"):
        replace(signed(), key=key).check()


def test_a_key_of_another_region_does_not_help() -> None:
    with pytest.raises(SignatureError, match=r"with key 'fi1c-1', none of region 'pl84' \(pl84-1, pl84-2\)"):
        signed(by=OTHERS).check()


def test_another_key_under_the_same_name_does_not_help() -> None:
    with pytest.raises(SignatureError, match="region 'pl84' did not sign it"):
        signed(by=private("pl84-1")).check()


def _protected(**held: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(held).encode()).rstrip(b"=") + b"..c2ln"


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (None, "it is not signed"),
        (b"", "it is not signed"),
        (b"x", "no detached JWS"),
        (b"a.b.c", "no detached JWS"),
        (b"\xff..\xff", "no JWS"),
        (b"W10..x", "no JWS|protected header"),
        (b"x" * 5000 + b"..x", "no JWS"),
        (_protected(alg="none", kid="pl84-1", topic="tibs.pl84.registry.v1"), "with alg 'none', not with Ed25519"),
        (_protected(alg="HS256", kid="pl84-1", topic="tibs.pl84.registry.v1"), "with alg 'HS256'"),
        (_protected(alg="Ed25519", kid="pl84-1"), "is not alg, kid and topic"),
        (_protected(alg="Ed25519", kid="pl84-1", topic="t", jwk=public(OTHERS)), "is not alg, kid and topic"),
        (_protected(alg="Ed25519", kid=["pl84-1"], topic="tibs.pl84.registry.v1"), "none of region 'pl84'"),
        (_protected(alg="Ed25519", kid="pl84-1", topic="tibs.pl84.registry.v1"), "does not fit"),
    ],
)
def test_what_is_no_signature_is_refused_with_a_sentence(held: bytes | None, sentence: str) -> None:
    with pytest.raises(SignatureError, match=sentence):
        signed().with_header(HEADER, held).check()


def test_two_signatures_are_refused() -> None:
    record = signed()
    with pytest.raises(SignatureError, match="stands 2 times"):
        replace(record, headers=(*record.headers, (HEADER, dict(record.headers)[HEADER]))).check()


def test_what_a_retired_key_signed_in_its_time_stays_true_and_later_it_signs_nothing() -> None:
    ring = Keyring({"pl84": [SigningKey.of(public(ONE, until="2026-06-01T00:00:00Z")), SigningKey.of(public(NEXT))]})
    end = datetime(2026, 6, 1, tzinfo=UTC)
    assert signed(at=THEN).check(ring) == signed(at=end).check(ring) == "pl84-1"
    with pytest.raises(SignatureError, match="key 'pl84-1' of region 'pl84' was valid until 2026-06-01T00:00:00Z"):
        signed(at=end + timedelta(seconds=1)).check(ring)
    assert signed(by=NEXT, at=end + timedelta(days=1)).check(ring) == "pl84-2"


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("x", "should be a public JWK"),
        (ONE, "holds a private key"),
        (public(ONE, kid=""), "has no 'kid'"),
        (public(ONE, x="AAAA"), "is no Ed25519 key"),
        (public(ONE, kty="EC"), "is no Ed25519 key"),
        (public(private("k", curve="X25519")), "is a key for X25519"),
        (public(ONE, until="soon"), "until held 'soon', not a time"),
        (public(ONE, until="2026-06-01T00:00:00"), "not a time with its zone"),
    ],
)
def test_a_wrong_key_is_refused_with_a_sentence_that_keeps_its_secret(key: object, sentence: str) -> None:
    with pytest.raises(SignatureError, match=sentence) as refused:
        SigningKey.of(key)
    assert ONE["d"] not in str(refused.value)


def test_a_region_has_one_key_and_the_next_under_two_names() -> None:
    endless = [SigningKey.of(public(private(f"k{number}"))) for number in range(3)]
    with pytest.raises(SignatureError, match="3 signing keys have no 'until'"):
        Keyring({"pl84": endless})
    with pytest.raises(SignatureError, match="two signing keys are called 'k0'"):
        Keyring({"pl84": [endless[0], endless[0]]})
    Keyring({"pl84": [*endless[:2], replace(endless[2], until=THEN)]})


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ({}, "should be a private JWK"),
        (public(ONE), "it takes the private one to sign"),
        (private("k", curve="X25519"), "is a key for X25519"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(key: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SignatureError, match=sentence):
        Signer(key)


def test_a_keyring_is_read_from_the_networks_file(tmp_path: Path) -> None:
    file = tmp_path / "regions.yaml"
    file.write_text(yaml.safe_dump({"regions": [{"code": "pl84", "keys": {"signing": [public(ONE)]}}, {"code": "lt"}]}))
    assert signed().check(Keyring.load(file)) == "pl84-1"
    with pytest.raises(SignatureError, match="none of region 'lt' \\(there are none\\)"):
        signed(region="lt").check(Keyring.load(file))
    file.write_text("- x")
    with pytest.raises(SignatureError, match="no list of regions"):
        Keyring.load(file)
