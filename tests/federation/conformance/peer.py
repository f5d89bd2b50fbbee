"""What the region that the suite plays says to the node: right, repeated, forged and broken. Pure but for ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiokafka.partitioner import murmur2
from joserfc import jwe
from joserfc.jwk import OKPKey

from conformance.protocol import ALGORITHMS
from conformance.records import Headers
from tibs_contracts.codes import ActorKind, ConsentMethod
from tibs_contracts.envelope import Envelope, source_of
from tibs_contracts.events import (
    AnonymousClient,
    Consent,
    ContactsDisclosed,
    DisclosedContact,
    Event,
    IntroductionConsented,
    IntroductionRequested,
    IntroductionWithdrawn,
    Need,
)
from tibs_contracts.ids import new_id
from tibs_contracts.signatures import HEADER, Signer
from tibs_contracts.topics import Channel, topic_name

HUGE = 3 * 1024 * 1024


@dataclass(frozen=True)
class Profile:
    """One of the node's published profiles."""

    id: UUID
    reference: str


@dataclass(frozen=True)
class Letter:
    """A record to be sent."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers
    event_id: UUID


@dataclass
class Peer:
    """The played region, opposite to `region`; all that it says of a trial lies in one partition, one after another."""

    code: str
    region: str
    signer: Signer = field(repr=False)
    node_key: Mapping[str, Any] | None = field(repr=False)
    """The node's public key for contacts."""
    profile: Profile
    partitions: int
    partition: int = 0
    _sequences: dict[UUID, int] = field(default_factory=dict, repr=False)
    _cases: dict[UUID, UUID] = field(default_factory=dict, repr=False)

    def introduction(self) -> UUID:
        """A new id, which its key puts where the others lie: what stands behind it there was read after it."""
        while True:
            found = new_id()
            if (murmur2(str(found).encode()) & 0x7FFFFFFF) % self.partitions == self.partition:
                self._cases[found] = new_id()
                return found

    def request(self, introduction: UUID) -> Letter:
        return self._letter(introduction, self._request(introduction))

    def withdrawal(self, introduction: UUID) -> Letter:
        return self._letter(
            introduction,
            IntroductionWithdrawn(introduction_id=introduction, note="A trial is over.", withdrawn_at=_now()),
        )

    def consent(self, introduction: UUID) -> Letter:
        yes = Consent(given_at=_now(), method=ConsentMethod.MEETING, text_version="trial-1")
        return self._letter(introduction, IntroductionConsented(introduction_id=introduction, consent=yes))

    def contact(self, introduction: UUID) -> Letter:
        """The contact of the played client, sealed for the node."""
        assert self.node_key is not None
        content = DisclosedContact(
            organisation="Trial Ltd",
            country="EU",
            name="Trial Person",
            email="trial@trial.example",
            language="en",
            broker="Trial Broker",
        )
        key = OKPKey.import_key(dict(self.node_key))
        header = {"alg": ALGORITHMS[0], "enc": ALGORITHMS[1], "kid": self.node_key.get("kid")}
        sealed = jwe.encrypt_compact(
            header, content.model_dump_json(exclude_none=True).encode(), key, algorithms=list(ALGORITHMS)
        )
        event = ContactsDisclosed(
            introduction_id=introduction, sealed=sealed, purpose="trial of a node", disclosed_at=_now()
        )
        return self._letter(introduction, event)

    # -- what nobody should believe ----------------------------------------------------------------------------------

    def unsigned(self, introduction: UUID) -> Letter:
        letter = self.request(introduction)
        return replace(letter, headers=[(name, held) for name, held in letter.headers if name != HEADER])

    def signed_with_another_key(self, introduction: UUID) -> Letter:
        """A key that only calls itself the region's."""
        own = OKPKey.generate_key("Ed25519", parameters={"kid": self.signer.kid})
        return self._letter(introduction, self._request(introduction), signer=Signer(own.as_dict(private=True)))

    def changed(self, introduction: UUID) -> Letter:
        letter = self.request(introduction)
        return replace(letter, value=letter.value.replace(b"A trial", b"No trial", 1))

    def in_another_name(self, introduction: UUID, *, name: str) -> Letter:
        return self._letter(introduction, self._request(introduction), source=source_of(name, "cases"))

    def moved(self, introduction: UUID) -> Letter:
        """Signed for the topic of contacts, and found on that of cases."""
        elsewhere = topic_name(Channel.CONTACTS, self.code, to=self.region)
        return self._letter(introduction, self._request(introduction), signed_for=elsewhere)

    # -- what nobody can read ----------------------------------------------------------------------------------------

    def broken(self) -> Sequence[tuple[str, Letter]]:
        """What is wrong, and the record; all but headers that are none are signed."""
        good = self.request(self.introduction())
        cut, huge = good.value[:40], b'{"introduction_id": "' + b"1" * HUGE + b'"}'
        return [
            ("a value that ends in the middle", self._signed(good, value=cut)),
            ("a value of three mebibytes that fits nothing", self._signed(good, value=huge)),
            ("a type that nobody knows", self._signed(good, ce_type=b"eu.tibs.introduction.dreamt.v9")),
            ("a type that is no text", self._signed(good, ce_type=b"\xff\xfe\x00")),
            ("an empty header", self._signed(good, ce_id=None)),
            ("no headers at all", replace(good, headers=[])),
        ]

    def _signed(self, letter: Letter, *, value: bytes | None = None, **other: bytes | None) -> Letter:
        value = letter.value if value is None else value
        headers = [(name, other.get(name, held)) for name, held in letter.headers if name != HEADER]
        signature = self.signer.sign(topic=letter.topic, headers=headers, value=value)
        return replace(letter, value=value, headers=[*headers, (HEADER, signature.encode())])

    def _request(self, introduction: UUID) -> IntroductionRequested:
        need = Need(
            title="A trial of the federation",
            summary="Sent by the conformance suite, and taken back at its end.",
            language="en",
            client=AnonymousClient(country="EU", kind=ActorKind.OTHER),
        )
        return IntroductionRequested(
            introduction_id=introduction,
            case_id=self._cases[introduction],
            profile_id=self.profile.id,
            profile_reference=self.profile.reference,
            need=need,
            message="A trial. Nothing is to be done, unless you were asked to.",
            desk="Conformance suite",
            requested_at=_now(),
        )

    def _letter(
        self,
        introduction: UUID,
        event: Event,
        *,
        signer: Signer | None = None,
        source: str | None = None,
        signed_for: str | None = None,
    ) -> Letter:
        self._sequences[introduction] = sequence = self._sequences.get(introduction, 0) + 1
        envelope = Envelope(
            id=new_id(),
            source=source or source_of(self.code, "cases"),
            type=event.type,
            subject=str(introduction),
            time=_now(),
            sequence=sequence,
            correlation_id=self._cases[introduction],
        )
        topic, value = topic_name(event.channel, self.code, to=self.region), event.write()
        headers: Headers = list((signer or self.signer).headers(envelope, topic=signed_for or topic, value=value))
        return Letter(topic, self.partition, str(introduction).encode(), value, headers, envelope.id)


def _now() -> datetime:
    return datetime.now(UTC)
