"""What a topic holds beyond a database, and which numbers are free again: pure, without I/O."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from tibs_chassis.outbox import RETENTION_DAYS
from tibs_contracts.topics import Channel, Topic

GRACE = timedelta(hours=1)
"""Outbox rows are tidied away by the database's clock, events are dated by the service's."""


class Key(NamedTuple):
    """Whose versions are counted together: a row, or an aggregate that has none."""

    counted_by: str
    """The table with the version, or the aggregate's name."""
    subject: str


@dataclass(frozen=True)
class Told:
    """An event of ours, as a topic holds it."""

    topic: str
    id: UUID
    aggregate: str
    subject: str
    sequence: int
    type: str
    written: datetime
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = field(repr=False)
    value: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Memory:
    """What the database says about one event: is it known, and at which version is its aggregate?"""

    known: bool
    waits: bool = False
    """Known, but not as something that has left: the backup was taken before Kafka's answer."""
    version: int | None = None
    """None where there is no such row, or where nothing counts versions."""


def young(told: Told, *, now: datetime) -> bool:
    """Whether the outbox must still remember it."""
    return told.written > now - timedelta(days=RETENTION_DAYS) + GRACE


def shows_older(told: Told, memory: Memory, *, now: datetime) -> bool:
    """Whether this event proves that the database is older than what it has published.

    What is too old for the outbox to remember is judged by the version of its aggregate. A row that is not there proves
    nothing then: it may have been erased.
    """
    if memory.known:
        return False
    return young(told, now=now) or (memory.version is not None and memory.version < told.sequence)


def is_beyond(told: Told, memory: Memory, *, counted: bool, now: datetime) -> bool:
    """Whether it is to be reconciled; `counted` if its aggregate has a row in a healthy database."""
    return shows_older(told, memory, now=now) or (not memory.known and counted and memory.version is None)


def hold_sentence(told: Told, version: int | None, *, service: str) -> str:
    """Why nothing leaves, and what ends it."""
    if version is None:
        held = "which the database does not know"
    elif version < told.sequence:
        held = f"the database {version}"
    else:
        held = "in a form that the database does not know"
    return (
        f"the database is older than what it has published: {told.topic} holds version {told.sequence} of "
        f"{told.aggregate} {told.subject}, {held}; run `tibs-{service} reconcile`"
    )


@dataclass(frozen=True)
class Waiting:
    """A row that has not left yet."""

    seq: int
    id: UUID
    topic: str
    aggregate: str
    subject: str
    sequence: int


@dataclass
class Beyond:
    """What topics hold of one key beyond the database."""

    key: Key
    told: list[Told] = field(default_factory=list)
    """By number; of one number in the order in which it was read."""
    greatest: int = 0
    """The greatest number that any topic holds, known or not."""
    version: int | None = None
    """At which the row stood before."""
    arrived: set[UUID] = field(default_factory=set)
    """Events that a topic holds and that still wait in the outbox."""

    def latest(self, channel: Channel) -> Told | None:
        """The newest of what is beyond, among the events of a channel."""
        return next((one for one in reversed(self.told) if Topic.parse(one.topic).channel is channel), None)

    @property
    def subject(self) -> str:
        return self.key.subject

    @property
    def lines(self) -> Iterable[str]:
        """For a person: by topic."""
        by_topic: dict[tuple[str, str], list[int]] = defaultdict(list)
        for one in self.told:
            by_topic[one.topic, one.aggregate].append(one.sequence)
        held = "the database does not know it" if self.version is None else f"the database is at {self.version}"
        for (topic, aggregate), sequences in sorted(by_topic.items()):
            versions = ", ".join(str(one) for one in dict.fromkeys(sequences))
            yield f"{topic}  {aggregate} {self.subject}  version {versions}; {held}"


def key_of(aggregate: str, subject: str, versions: Mapping[str, str]) -> Key:
    return Key(versions.get(aggregate, aggregate), subject)


def shift_of(waiting: Sequence[int], *, greatest: int) -> int:
    """By how much the numbers of a key's waiting rows are to be raised, so that none is one that was told already.

    All by the same: events of one change on several topics keep one number, and the order stays.
    """
    if not waiting or min(waiting) > greatest:
        return 0
    return greatest + 1 - min(waiting)


def renumbered(headers: Iterable[Sequence[str]], sequence: int) -> list[tuple[str, str]]:
    """An event's headers with another number, without the signature that no longer fits."""
    return [
        (name, str(sequence) if name == "ce_sequence" else value) for name, value in headers if name != "tibs-signature"
    ]
