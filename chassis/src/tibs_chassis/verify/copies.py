"""What one Kafka holds of one topic, as hashes: enough to compare with, little enough to keep for a whole topic."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import NamedTuple, Protocol

from tibs_contracts.envelope import Envelope, EnvelopeError
from tibs_contracts.topics import CONFIG, Channel, Topic


class Stored(Protocol):
    """A Kafka record with the place and the time that the broker gave it (milliseconds)."""

    @property
    def partition(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Subject(NamedTuple):
    """An aggregate of one writer. What is no event has neither writer nor kind; its id is then the record's key."""

    source: str
    aggregate: str
    id: str

    def __str__(self) -> str:
        return (
            f"{self.aggregate} {self.id}" if self.aggregate else f"a record that is no event, with the key '{self.id}',"
        )


@dataclass(slots=True)
class Told:
    """One event on a topic, however often it stands there."""

    sequence: int
    id: bytes
    digest: bytes
    type: str
    erased: bool
    """A tombstone: the key is to be forgotten."""
    partition: int
    at: int
    """When the broker got it first, in milliseconds: what the age of a record is counted from."""
    written: int
    """When its writer wrote it, in milliseconds."""
    late: bool = False
    """Read only after the other side was: that one may not have it yet."""
    count: int = 1


def tells_facts(topic: str) -> bool:
    """Whether what it carries is kept. A probe is about the line alone, and forgotten by both sides within a day."""
    return Topic.parse(topic).channel is not Channel.PROBES


def digest_of(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """SHA-256 over what makes an event: key, value, `ce_` headers in any order. Trace and signature are left out."""
    taken = hashlib.sha256()
    fields = sorted((name, held) for name, held in headers if name.startswith("ce_") and held is not None)
    for part in (key, value, *(part for name, held in fields for part in (name.encode(), held))):
        # With its length first, so that moving a byte from one field to the next is seen.
        taken.update(b"-" if part is None else b"%d:" % len(part))
        taken.update(part or b"")
    return taken.digest()


@dataclass
class Copy:
    """One Kafka's records of one topic, by subject, in the order in which they were read."""

    topic: str
    subjects: dict[Subject, list[Told]] = field(default_factory=dict)
    records: int = 0
    forgotten: dict[int, int] = field(default_factory=dict)
    """Partition → what is older than this time, in milliseconds, may have been deleted by its age."""

    @property
    def compacted(self) -> bool:
        """The latest event of a subject counts; the others may be gone."""
        return CONFIG[Topic.parse(self.topic).channel]["cleanup.policy"] == "compact"

    @property
    def retention(self) -> int | None:
        """After how many milliseconds records may be deleted; None if never."""
        kept = CONFIG[Topic.parse(self.topic).channel].get("retention.ms")
        return None if kept is None else int(kept)

    @property
    def events(self) -> int:
        """Different ones."""
        return sum(len(told) for told in self.subjects.values())

    def add(self, record: Stored, *, late: bool = False) -> None:
        self.records += 1
        digest = digest_of(record.key, record.value, record.headers)
        try:
            envelope = Envelope.from_headers(record.headers)
        except EnvelopeError:
            subject = Subject("", "", (record.key or b"").decode(errors="backslashreplace"))
            told = Told(0, b"", digest, "", False, record.partition, record.timestamp, record.timestamp, late)
        else:
            subject = Subject(intern(envelope.source), intern(envelope.aggregate), envelope.subject)
            told = Told(
                sequence=envelope.sequence,
                id=envelope.id.bytes,
                digest=digest,
                type=intern(envelope.type),
                erased=record.value is None,
                partition=record.partition,
                at=record.timestamp,
                written=int(envelope.time.timestamp() * 1000),
                late=late,
            )
        held = self.subjects.setdefault(subject, [])
        for same in held:
            if same.digest == digest:
                same.count += 1
                return
        held.append(told)

    def aged(self, told: Told) -> bool:
        """So old that this copy may have deleted it."""
        return told.at < self.forgotten.get(told.partition, 0)
