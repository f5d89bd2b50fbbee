"""A second implementation of a node, as small as the rules allow, that can be told to break any one of them.

It keeps everything in memory and knows nothing of ours but the contracts.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from conformance.network import Network
from joserfc import jwe
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from tibs_contracts.codes import ConsentMethod, WithdrawalReason
from tibs_contracts.envelope import Envelope, EnvelopeError, source_of
from tibs_contracts.events import (
    CaseOpened,
    Consent,
    ContactsDisclosed,
    DisclosedContact,
    Event,
    IntroductionAccepted,
    IntroductionAcknowledged,
    IntroductionCompleted,
    IntroductionConsented,
    IntroductionReceived,
    IntroductionRequested,
    IntroductionWithdrawn,
    ProfilePublished,
    ProfileWithdrawn,
)
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.signatures import HEADER, SignatureError, Signer
from tibs_contracts.topics import Channel, Topic, topic_name

Headers = list[tuple[str, bytes | None]]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Keys:
    """The private keys of a region."""

    signer: Signer = field(repr=False)
    contacts: OKPKey = field(repr=False)

    @classmethod
    def make(cls, region: str) -> "Keys":
        signing = OKPKey.generate_key("Ed25519", parameters={"kid": f"{region}-1"})
        contacts = OKPKey.generate_key("X25519", parameters={"kid": f"contacts-{region}"})
        return cls(Signer(signing.as_dict(private=True)), contacts)

    def public(self) -> dict[str, Any]:
        """The `keys` of the region in regions.yaml."""
        return {"contacts": [dict(self.contacts.as_dict(private=False))], "signing": [self.signer.public]}


@dataclass(frozen=True)
class Sheet:
    """A record to be written; without a partition, its key chooses."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers
    partition: int | None = None


@dataclass(frozen=True)
class Pen:
    """Writes in a region's name."""

    region: str
    signer: Signer = field(repr=False)

    def sheet(
        self,
        event: Event,
        *,
        subject: UUID,
        sequence: int = 1,
        to: str | None = None,
        correlation: UUID | None = None,
        causation: UUID | None = None,
        channel: Channel | None = None,
        value: bytes | None = None,
        **other: str,
    ) -> Sheet:
        """As it should be, but for what is said otherwise; signed after that. `other` are headers, such as `ce_id`."""
        envelope = Envelope(
            id=new_id(),
            source=source_of(self.region, "small"),
            type=event.type,
            subject=str(subject),
            time=datetime.now(UTC),
            sequence=sequence,
            correlation_id=correlation or new_id(),
            causation_id=causation,
        )
        topic = topic_name(channel or event.channel, self.region, to=to)
        headers: Headers = [(name, other.get(name, held.decode()).encode()) for name, held in envelope.headers()]
        value = event.write() if value is None else value
        signature = self.signer.sign(topic=topic, headers=headers, value=value)
        return Sheet(topic, str(subject).encode(), value, [*headers, (HEADER, signature.encode())])


def profile(text: str = "A boatyard seeks a partner who makes hulls.") -> ProfilePublished:
    return published().model_copy(
        update={"valid_until": datetime.now(UTC).date() + timedelta(days=90), "description": text}
    )


def withdrawn(of: ProfilePublished) -> ProfileWithdrawn:
    return ProfileWithdrawn(
        profile_id=of.profile_id,
        reference=of.reference,
        reason=WithdrawalReason.WITHDRAWN,
        withdrawn_at=datetime.now(UTC),
    )


def good(pen: Pen) -> list[Sheet]:
    """What a node has written that nobody could complain of: published, changed, told again, withdrawn, forgotten."""
    one, two, case = profile(), profile("It has an island +48 sheets of 2.5 mm thick, EN 1090-2 2018 07 01."), new_id()
    first = pen.sheet(one, subject=one.profile_id)
    ended = pen.sheet(withdrawn(two), subject=two.profile_id, sequence=3)
    return [
        first,
        pen.sheet(two, subject=two.profile_id),
        pen.sheet(one, subject=one.profile_id, sequence=4),
        first,
        ended,
        Sheet(ended.topic, ended.key, None, []),
        pen.sheet(CaseOpened(case_id=case, opened_at=datetime.now(UTC)), subject=case),
    ]


def wrong(defect: str, pen: Pen, *, other: Pen) -> list[Sheet]:
    """What a node writes besides that is wrong in one way; nothing if the defect is of another kind."""
    held = profile()
    subject = held.profile_id
    one, two = pen.sheet(held, subject=subject), pen.sheet(held, subject=subject, sequence=2)
    match defect:
        case "unsigned":
            return [replace(one, headers=[each for each in one.headers if each[0] != HEADER])]
        case "signed by another region":
            return [Pen(pen.region, other.signer).sheet(held, subject=subject)]
        case "signed for another topic":
            elsewhere = pen.sheet(held, subject=subject, channel=Channel.CATALOGUE)
            return [replace(elsewhere, topic=one.topic)]
        case "changed after it was signed":
            return [replace(one, value=(one.value or b"").replace(b"boatyard", b"shipyard"))]
        case "in another region's name":
            return [pen.sheet(held, subject=subject, ce_source=source_of(other.region, "small"))]
        case "disordered":
            return [two, one]
        case "a number used twice":
            return [one, pen.sheet(held, subject=subject)]
        case "a mail address":
            told = profile("Write to jan.kowalski@hulls.example, he knows.")
            return [pen.sheet(told, subject=told.profile_id)]
        case "a telephone number":
            told = profile("Call +48 (85) 746-90 00.")
            return [pen.sheet(told, subject=told.profile_id)]
        case "a topic of its own making":
            return [replace(one, topic=f"tibs.{pen.region}.gossip.v1")]
        case "the wrong channel":
            return [pen.sheet(held, subject=subject, channel=Channel.CATALOGUE)]
        case "too large":
            told = profile("hull " * (MIB // 5))
            return [pen.sheet(told, subject=told.profile_id)]
        case "an id that is no UUIDv7":
            return [pen.sheet(held, subject=subject, ce_id=str(uuid4()))]
        case "a local time":
            return [pen.sheet(held, subject=subject, ce_time="2026-03-02T09:30:00+02:00")]
        case "no sequence":
            return [pen.sheet(held, subject=subject, ce_sequence="0")]
        case "another key":
            return [replace(one, key=b"hulls")]
        case "data of something else":
            return [pen.sheet(held, subject=new_id())]
        case "data that do not fit":
            return [pen.sheet(held, subject=subject, value=b'{"profile_id": "%s"}' % str(subject).encode())]
        case "data that are none":
            return [pen.sheet(held, subject=subject, value=b"<profile/>")]
        case "an id used twice":
            id = dict(one.headers)["ce_id"] or b""
            return [one, pen.sheet(held, subject=subject, sequence=2, ce_id=id.decode())]
        case "a key in two partitions":
            return [replace(one, partition=1), replace(two, partition=2)]
        case "forgotten without being withdrawn":
            return [one, Sheet(one.topic, one.key, None, [])]
        case _:
            return []


@dataclass
class Half:
    """What the small node knows of an introduction that it was asked for."""

    correlation: UUID
    facts: set[str] = field(default_factory=set)
    version: int = 0


class SmallNode:
    """Publishes, answers requests of one peer, and has a client who accepts. `defect` says what it does wrong."""

    def __init__(self, kafka: str, *, region: str, peer: str, keys: Keys, other: Keys, network: Network, defect: str):
        self.region, self.peer, self.defect = region, peer, defect
        self._keys, self._network = keys, network
        self._pen, self._others = Pen(region, keys.signer), Pen(peer, other.signer)
        self._stranger = OKPKey.generate_key("X25519", parameters={"kid": f"contacts-{region}"})
        self._producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, max_request_size=4 * MIB)
        self._consumer = AIOKafkaConsumer(
            *(topic_name(channel, peer, to=region) for channel in (Channel.CASES, Channel.CONTACTS)),
            bootstrap_servers=kafka,
            auto_offset_reset="earliest",
        )
        self._halves: dict[UUID, Half] = {}
        self._early: set[UUID] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "SmallNode":
        await self._producer.start()
        await self._consumer.start()
        for sheet in [*good(self._pen), *wrong(self.defect, self._pen, other=self._others)]:
            await self._write(sheet)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        # One that was to stop at a broken record has ended by that already.
        await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()

    async def _write(self, sheet: Sheet) -> None:
        await self._producer.send_and_wait(
            sheet.topic, sheet.value, key=sheet.key, headers=sheet.headers, partition=sheet.partition
        )

    async def _run(self) -> None:
        async for record in self._consumer:
            try:
                envelope = Envelope.from_headers(record.headers)
                if not self._believes(record, envelope):
                    continue
                data = json.loads(record.value)
                await self._take(envelope, data)
            except (EnvelopeError, ValueError, KeyError, ValidationError):
                if self.defect == "stops at what is broken":
                    raise

    def _believes(self, record: Any, envelope: Envelope) -> bool:
        try:
            self._network.keyring.verify(
                topic=Topic.parse(record.topic),
                envelope=envelope,
                key=record.key,
                headers=record.headers,
                value=record.value,
            )
        except SignatureError as error:
            gullible = {
                "believes what is unsigned": "it is not signed",
                "believes what another key signed": "does not fit",
                "believes what was changed": "does not fit",
                "believes an impostor": "ce_source",
                "believes what was moved": "moved to",
            }
            wanted = gullible.get(self.defect)
            # To be fooled by one of the two that "do not fit", and not by both, it looks at what was said.
            changed = b"No trial" in (record.value or b"")
            fits = changed == (self.defect == "believes what was changed")
            return wanted is not None and wanted in str(error) and (wanted != "does not fit" or fits)
        return True

    async def _take(self, envelope: Envelope, data: Mapping[str, Any]) -> None:
        if self.defect == "says nothing":
            return
        introduction = UUID(data["introduction_id"])
        half = self._halves.get(introduction)
        match envelope.type:
            case IntroductionRequested.type:
                await self._requested(introduction, half, envelope)
            case IntroductionWithdrawn.type if half is not None:
                half.facts.add("withdrawn")
            case IntroductionWithdrawn.type:
                self._early.add(introduction)
            case IntroductionConsented.type if half is not None:
                half.facts.add("consented")
                await self._disclose(introduction, half)
            case ContactsDisclosed.type if half is not None and self.defect != "never completes":
                await self._tell(
                    introduction, IntroductionCompleted(introduction_id=introduction, completed_at=datetime.now(UTC))
                )
            case _:
                pass

    async def _requested(self, introduction: UUID, half: Half | None, envelope: Envelope) -> None:
        ended = half is not None and "withdrawn" in half.facts
        anew = {"answers each time": not ended, "comes back": ended}.get(self.defect, False)
        if half is not None and not anew:
            return
        half = self._halves.setdefault(introduction, Half(envelope.correlation_id))
        due = datetime.now(UTC).date() + timedelta(days=5)
        received = IntroductionReceived(
            introduction_id=introduction, received_at=datetime.now(UTC), acknowledge_due=due, answer_due=due
        )
        causation = None if self.defect == "names no cause" else envelope.id
        await self._tell(introduction, received, causation=causation)
        if introduction in self._early:
            half.facts.add("withdrawn")
            if self.defect == "forgets an early withdrawal":
                await self._tell(
                    introduction,
                    IntroductionAcknowledged(introduction_id=introduction, acknowledged_at=datetime.now(UTC)),
                )
        if self.defect == "speaks for the other half" and len(self._halves) == 1:
            await self._tell(introduction, IntroductionConsented(introduction_id=introduction, consent=_yes()))
        if self.defect == "speaks of what nobody asked for" and len(self._halves) == 1:
            stranger = new_id()
            self._halves[stranger] = Half(new_id())
            await self._tell(stranger, received.model_copy(update={"introduction_id": stranger}))

    async def accept(self, introduction: UUID) -> None:
        """The node's client says yes."""
        half = self._halves[introduction]
        half.facts.add("accepted")
        await self._tell(
            introduction,
            IntroductionAccepted(introduction_id=introduction, consent=_yes(), accepted_at=datetime.now(UTC)),
        )
        await self._disclose(introduction, half)

    async def _disclose(self, introduction: UUID, half: Half) -> None:
        wanted = {"accepted"} if self.defect == "discloses at once" else {"accepted", "consented"}
        if self.defect == "never discloses" or "disclosed" in half.facts or not wanted <= half.facts:
            return
        half.facts.add("disclosed")
        key = OKPKey.import_key(dict(self._network.contacts[self.peer][0]))
        if self.defect == "seals for another key":
            key = self._stranger
        contact = DisclosedContact(
            organisation="Hulls Oy", country="FI", name="A B", email="a@hulls.example", language="fi", broker="C D"
        )
        header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": self._network.contacts[self.peer][0]["kid"]}
        sealed = jwe.encrypt_compact(header, contact.model_dump_json(), key, algorithms=list(header.values())[:2])
        if self.defect == "does not seal":
            sealed = contact.model_dump_json()
        await self._tell(
            introduction,
            ContactsDisclosed(
                introduction_id=introduction, sealed=sealed, purpose="introduction", disclosed_at=datetime.now(UTC)
            ),
        )

    async def _tell(self, introduction: UUID, event: Event, *, causation: UUID | None = None) -> None:
        half = self._halves[introduction]
        half.version += 1
        correlation = new_id() if self.defect == "loses the thread" else half.correlation
        sheet = self._pen.sheet(
            event,
            subject=introduction,
            sequence=half.version,
            to=self.peer,
            correlation=correlation,
            causation=causation,
        )
        await self._write(sheet)


def _yes() -> Consent:
    return Consent(given_at=datetime.now(UTC), method=ConsentMethod.PHONE, text_version="1")


def numbered(sheets: Sequence[Sheet]) -> list[tuple[Sheet, int, int]]:
    """With partition and offset, as a cluster of one partition would number them."""
    ends: dict[tuple[str, int], int] = {}
    found = []
    for sheet in sheets:
        partition = sheet.partition or 0
        offset = ends.get((sheet.topic, partition), 0)
        ends[sheet.topic, partition] = offset + 1
        found.append((sheet, partition, offset))
    return found
