"""What was accepted, against what all regions hold: found by reading databases and topics, with none of our own code.

An intent is a write that a service has answered with success. At the end each intent has to be in the database of the
region that took it, its event on that region's topic, the same event on the mirror of every region that may read it,
and its effect there, once and in its latest state.
"""

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

SERVICES = ("registry", "matching", "cases", "notify")
_COMPACTED = (".registry.v1", ".catalogue.v1")
_SHOWN = 12


class Organisation(NamedTuple):
    """A listed organisation in one of its versions."""

    region: str
    id: str
    version: int
    name: str


class Message(NamedTuple):
    """Written by a broker of `region` to the one of `to`."""

    region: str
    to: str
    introduction: str
    text: str


class Put(NamedTuple):
    """A row of an outbox."""

    event: str
    topic: str
    aggregate: str
    subject: str
    sequence: int
    content: str


class Record(NamedTuple):
    """An event on a topic, as it lies there."""

    topic: str
    partition: int
    offset: int
    event: str
    aggregate: str
    subject: str
    sequence: int
    content: str


@dataclass
class Holdings:
    """What one region holds."""

    organisations: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Its own: version and name by id."""
    directory: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of all regions: how often each (id, name)."""
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each (introduction, text) is there."""
    notices: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How often each person was told each thing."""
    outbox: list[Put] = field(default_factory=list)
    waiting: int = 0
    letters: list[tuple[str, str]] = field(default_factory=list)
    """Open dead letters: key and reason."""
    records: dict[str, list[Record]] = field(default_factory=dict)
    """By topic, in the order of each partition."""
    _by_event: dict[str, dict[str, Record]] = field(default_factory=dict)

    def by_event(self, topic: str) -> Mapping[str, Record]:
        """The records of a topic by their events' ids."""
        if topic not in self._by_event:
            self._by_event[topic] = {record.event: record for record in self.records.get(topic, ())}
        return self._by_event[topic]


@dataclass
class Findings:
    """Sentences, by kind. `repeated` is allowed: a record may come twice, its effect may not."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    repeated: int = 0
    events: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)

    def figures(self) -> dict[str, int]:
        return {
            "events": self.events,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "disordered": len(self.disordered),
            "repeated_records": self.repeated,
        }

    def sentences(self) -> list[str]:
        """The first of each kind."""
        return [
            f"{kind}: {sentence}"
            for kind in ("lost", "doubled", "disordered")
            for sentence in getattr(self, kind)[:_SHOWN]
        ]


class Ledger:
    """Records intents and compares. `databases` are URLs by (region, service), `kafkas` addresses by region."""

    def __init__(self, *, databases: Mapping[tuple[str, str], str], kafkas: Mapping[str, str]) -> None:
        self._databases = databases
        self._kafkas = kafkas
        self.organisations: list[Organisation] = []
        self.messages: list[Message] = []
        self._since: dict[tuple[str, str], int] = {}

    @property
    def regions(self) -> list[str]:
        return list(self._kafkas)

    def begin(self) -> None:
        """Forgets earlier intents; what lies in the outboxes already is not looked at again."""
        self.organisations.clear()
        self.messages.clear()
        for key in self._databases:
            [(last,)] = self.rows(key, "SELECT coalesce(max(seq), 0) FROM outbox")
            self._since[key] = int(last)

    def rows(self, key: tuple[str, str], statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a statement finds in the database of a (region, service)."""
        with psycopg.connect(self._databases[key], connect_timeout=5) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    async def compare(self) -> Findings:
        """Reads everything anew."""
        held = {region: await asyncio.to_thread(self._held, region) for region in self.regions}
        for region in self.regions:
            held[region].records = await _topics(self._kafkas[region])
        return findings(held, organisations=self.organisations, messages=self.messages)

    def settled(self) -> list[str]:
        """What a look at the databases alone says is still on its way; cheap enough to ask again and again."""
        held = {region: self._held(region) for region in self.regions}
        left = [f"{region}: {one.waiting} events wait in outboxes" for region, one in held.items() if one.waiting]
        found = Findings()
        _effects(found, held, _latest(self.organisations), self.messages)
        return left + found.lost

    def _held(self, region: str) -> Holdings:
        held = Holdings()
        registry, cases = (region, "registry"), (region, "cases")
        held.organisations = {
            id: (version, name)
            for id, version, name in self.rows(registry, "SELECT id::text, version, name FROM actor")
        }
        held.directory = Counter(self.rows(registry, "SELECT actor_id::text, public->>'name' FROM directory_actor"))
        held.messages = Counter(self.rows(cases, "SELECT introduction_id::text, text FROM introduction_message"))
        held.notices = Counter(
            self.rows(
                (region, "notify"),
                "SELECT person, kind, link, parameters::text, raised_at::text FROM notice",
            )
        )
        for service in SERVICES:
            key = (region, service)
            if key not in self._databases:
                continue
            statement = (
                "SELECT event_id::text, topic, aggregate, subject, sequence, encode(sha256(payload), 'hex') FROM outbox"
                " WHERE seq > %s AND payload IS NOT NULL ORDER BY seq"
            )
            held.outbox += [Put(*row) for row in self.rows(key, statement, [self._since.get(key, 0)])]
            [(waiting,)] = self.rows(key, "SELECT count(*) FROM outbox_waiting")
            held.waiting += int(waiting)
            letters = (
                "SELECT convert_from(key, 'UTF8'), reason FROM dead_letter WHERE state = 'open' AND key IS NOT NULL"
            )
            held.letters += self.rows(key, letters)  # type: ignore[arg-type]
        return held


def findings(
    held: Mapping[str, Holdings], *, organisations: Iterable[Organisation], messages: Sequence[Message]
) -> Findings:
    """The comparison itself: no I/O."""
    found = Findings()
    latest = _latest(organisations)
    _accepted(found, held, latest, messages)
    _effects(found, held, latest, messages)
    for region, one in held.items():
        if one.waiting:
            found.lost.append(f"{one.waiting} events of {region} have not left its outboxes")
        _published(found, region, held)
        found.doubled += [
            f"{region} told {told[0]} of {told[1]} at {told[2]} {times} times"
            for told, times in one.notices.items()
            if times > 1
        ]
        for topic, records in one.records.items():
            _on_topic(found, region, topic, records)
    return found


def _latest(organisations: Iterable[Organisation]) -> dict[str, Organisation]:
    latest: dict[str, Organisation] = {}
    for one in organisations:
        if one.id not in latest or latest[one.id].version < one.version:
            latest[one.id] = one
    return latest


def _accepted(
    found: Findings, held: Mapping[str, Holdings], latest: Mapping[str, Organisation], messages: Iterable[Message]
) -> None:
    for one in latest.values():
        version, name = held[one.region].organisations.get(one.id, (0, ""))
        if (version, name) != (one.version, one.name):
            found.lost.append(
                f"{one.region} accepted version {one.version} of organisation {one.id}, '{one.name}', "
                f"and holds version {version}, '{name}'"
            )
    for message in messages:
        if not held[message.region].messages[message.introduction, message.text]:
            found.lost.append(f"{message.region} accepted the message '{message.text}' and does not hold it")


def _effects(
    found: Findings, held: Mapping[str, Holdings], latest: Mapping[str, Organisation], messages: Iterable[Message]
) -> None:
    for region, one in held.items():
        names = defaultdict(list)
        for (id, name), times in one.directory.items():
            names[id] += [name] * times
        for organisation in latest.values():
            shown = names[organisation.id]
            if organisation.name not in shown:
                found.lost.append(
                    f"the directory of {region} shows {shown or 'nothing'} for organisation {organisation.id} of "
                    f"{organisation.region}, not '{organisation.name}'"
                )
            if len(shown) > 1:
                found.doubled.append(
                    f"the directory of {region} shows organisation {organisation.id} {len(shown)} times"
                )
    for message in messages:
        times = held[message.to].messages[message.introduction, message.text]
        if not times:
            found.lost.append(f"the message '{message.text}' of {message.region} is not in {message.to}")
        for region in (message.region, message.to):
            if held[region].messages[message.introduction, message.text] > 1:
                found.doubled.append(f"{region} holds the message '{message.text}' more than once")


def _readers(topic: str, writer: str, regions: Iterable[str]) -> list[str]:
    """Who mirrors a topic: a public one all others, tibs.pl84.to.fi1c.cases.v1 fi1c alone, a local one nobody."""
    parts = topic.split(".")
    if parts[0] != "tibs":
        return []
    if parts[2] == "to":
        return [parts[3]] if parts[3] in regions else []
    return [region for region in regions if region != writer]


def _published(found: Findings, region: str, held: Mapping[str, Holdings]) -> None:
    """Each outbox row on its topic, and on each mirror of it. Compaction may have taken an older state away."""
    for put in held[region].outbox:
        found.events += 1
        for place in (region, *_readers(put.topic, region, held)):
            record = held[place].by_event(put.topic).get(put.event)
            if record is None and not _superseded(held[place], put):
                found.lost.append(
                    f"event {put.event} ({put.aggregate} {put.subject}, {put.sequence}) of {region} is not on "
                    f"{put.topic} in {place}"
                )
            elif record is not None and record.content != put.content:
                found.doubled.append(
                    f"event {put.event} has another content on {put.topic} in {place} than {region} wrote"
                )


def _superseded(one: Holdings, put: Put) -> bool:
    if not put.topic.endswith(_COMPACTED):
        return False
    return any(
        record.subject == put.subject and record.sequence > put.sequence for record in one.records.get(put.topic, ())
    )


def _on_topic(found: Findings, region: str, topic: str, records: Sequence[Record]) -> None:
    seen: dict[str, Record] = {}
    versions: dict[tuple[str, str], Record] = {}
    newest: dict[tuple[str, str], Record] = {}
    for record in records:
        before = seen.get(record.event)
        if before is not None:
            found.repeated += 1
            if before.content != record.content:
                found.doubled.append(f"event {record.event} is on {topic} in {region} with two contents")
            continue
        seen[record.event] = record
        subject = (record.aggregate, record.subject)
        version = (f"{subject}", str(record.sequence))
        if (other := versions.setdefault(version, record)) is not record:
            found.doubled.append(
                f"{record.aggregate} {record.subject} has two events {record.sequence} on {topic} in {region}: "
                f"{other.event} and {record.event}"
            )
        last = newest.get(subject)
        if last is not None and last.sequence > record.sequence:
            found.disordered.append(
                f"{record.aggregate} {record.subject}: {record.sequence} stands after {last.sequence} "
                f"on {topic} in {region}"
            )
        else:
            newest[subject] = record
    if topic.endswith(_COMPACTED):
        _what_compaction_leaves(found, region, topic, records)


def _what_compaction_leaves(found: Findings, region: str, topic: str, records: Sequence[Record]) -> None:
    """Of each subject only its last record will stay, repeated or not: it has to be the newest state."""
    last: dict[str, Record] = {}
    newest: dict[str, int] = {}
    for record in records:
        last[record.subject] = record
        newest[record.subject] = max(record.sequence, newest.get(record.subject, 0))
    found.disordered += [
        f"{record.aggregate} {subject}: the last record on {topic} in {region} is {record.sequence}, the newest "
        f"{newest[subject]}"
        for subject, record in last.items()
        if record.sequence != newest[subject]
    ]


async def _topics(kafka: str) -> dict[str, list[Record]]:
    """Everything on all topics of a cluster that has the form of an event."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(("tibs.", "tibs-local."))]
        described = await admin.describe_topics(names)
    finally:
        await admin.close()
    partitions = [
        TopicPartition(one["topic"], number["partition"]) for one in described for number in one["partitions"]
    ]
    found: dict[str, list[Record]] = {name: [] for name in names}
    reader = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        starts = await reader.beginning_offsets(partitions)
        left = {one for one in partitions if starts[one] < ends[one]}
        while left:
            for batch in (await reader.getmany(*left, timeout_ms=500)).values():
                for record in batch:
                    if (read := _record(record)) is not None:
                        found[record.topic].append(read)
            left = {one for one in left if await reader.position(one) < ends[one]}
    finally:
        await reader.stop()
    return found


def _record(record: Any) -> Record | None:
    """None for what no region of ours can have written: a tombstone, or a record without an event's headers."""
    held = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        json.loads(record.value or b"")
        if not held["ce_id"]:
            return None
        sequence = int(held["ce_sequence"])
        type = held["ce_type"].split(".")
        return Record(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event=held["ce_id"],
            aggregate=type[2],
            subject=held["ce_subject"],
            sequence=sequence,
            content=hashlib.sha256(record.value).hexdigest(),
        )
    except (KeyError, IndexError, ValueError):
        return None
