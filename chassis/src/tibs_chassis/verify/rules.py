"""The comparison itself, without I/O: two copies of a topic, an outbox and a topic, a topic and its readers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tibs_chassis.verify.copies import Copy, Subject, Told


def _versions(sequences: Sequence[int]) -> str:
    """`version 7`, `versions 2, 3 and 9`; no more than ten of them."""
    if len(sequences) == 1:
        return f"version {sequences[0]}"
    shown = [str(one) for one in sequences[:10]]
    if len(sequences) > 10:
        return f"versions {', '.join(shown)} and {len(sequences) - 10} more"
    return f"versions {', '.join(shown[:-1])} and {shown[-1]}"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it should be. `where` is the region, or the service of a region, that it is about."""

    where: str
    topic: str
    subject: Subject
    sequences: tuple[int, ...]

    @property
    def kind(self) -> str:
        """For machines: `missing`, `older`, …"""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(self).__name__).lstrip(
            "_"
        )

    @property
    def sentence(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Missing(Difference):
    """The origin holds it, the mirror does not."""

    origin: str

    @property
    def sentence(self) -> str:
        which = f"{_versions(self.sequences)} of {self.subject}" if self.subject.aggregate else str(self.subject)
        return f"{self.where} does not hold {which} on {self.topic}, which {self.origin} wrote."


@dataclass(frozen=True, kw_only=True)
class Older(Difference):
    """The mirror's latest is not the origin's latest."""

    origin: str
    held: int

    @property
    def behind(self) -> int:
        return self.sequences[0] - self.held

    @property
    def sentence(self) -> str:
        return (
            f"{self.where} holds version {self.held} of {self.subject} on {self.topic}; {self.origin} is at version "
            f"{self.sequences[0]}: behind by {self.behind}."
        )


@dataclass(frozen=True, kw_only=True)
class Differing(Difference):
    """Both hold the version, with another content."""

    origin: str

    @property
    def sentence(self) -> str:
        return (
            f"{self.where} holds another content than {self.origin} in {_versions(self.sequences)} of {self.subject} "
            f"on {self.topic}."
        )


@dataclass(frozen=True, kw_only=True)
class Stranger(Difference):
    """The mirror holds what the origin does not."""

    origin: str

    @property
    def sentence(self) -> str:
        which = f"{_versions(self.sequences)} of {self.subject}" if self.subject.aggregate else str(self.subject)
        return f"{self.where} holds {which} on {self.topic}, which {self.origin} does not hold."


@dataclass(frozen=True, kw_only=True)
class Lost(Difference):
    """The outbox says that Kafka confirmed it, the topic does not hold it."""

    @property
    def sentence(self) -> str:
        return (
            f"Between the outbox of {self.where} and {self.topic}, {_versions(self.sequences)} of {self.subject} got "
            "lost: confirmed, but not there."
        )


@dataclass(frozen=True, kw_only=True)
class NotAsWritten(Difference):
    """The topic holds the version with another content than the outbox."""

    @property
    def sentence(self) -> str:
        return (
            f"{self.topic} holds another content in {_versions(self.sequences)} of {self.subject} than the outbox of "
            f"{self.where}."
        )


@dataclass(frozen=True, kw_only=True)
class UnknownToOutbox(Difference):
    """The topic holds an event in the service's name that its database knows nothing of."""

    @property
    def sentence(self) -> str:
        return (
            f"{self.topic} holds {_versions(self.sequences)} of {self.subject} in the name of {self.where}, whose "
            "outbox does not know it: its database is older than what it published, or somebody else wrote."
        )


@dataclass(frozen=True, kw_only=True)
class NotApplied(Difference):
    """The topic holds it, the reader did not take it in."""

    consumer: str
    held: int | None = None
    reason: str | None = None

    @property
    def sentence(self) -> str:
        at = f" (it is at version {self.held})" if self.held else ""
        why = f": among the dead letters, {self.reason}" if self.reason else "."
        return (
            f"{self.where} has not applied {_versions(self.sequences)} of {self.subject} from {self.topic} in its "
            f"consumer {self.consumer}{at}{why}"
        )


@dataclass(frozen=True, kw_only=True)
class AppliedButGone(Difference):
    """The reader took in a later version than the topic holds."""

    consumer: str
    latest: int

    @property
    def sentence(self) -> str:
        return (
            f"{self.where} has applied {_versions(self.sequences)} of {self.subject} in its consumer {self.consumer}; "
            f"{self.topic} holds no more than version {self.latest}: the topic has lost what came after."
        )


# -- a topic and its mirror --------------------------------------------------------------------------------------------


@dataclass
class Comparison:
    """What came of comparing. Figures count aggregates, except `events` and `repeated`, which count records."""

    differences: list[Difference] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    aged_there: int = 0
    """Events that the mirror holds and the origin has deleted by their age."""
    aged_here: int = 0
    """Events that the origin still holds and the mirror has deleted by their age."""

    @property
    def waits(self) -> bool:
        """Something is not there that may still come."""
        return any(isinstance(one, Missing | Older) for one in self.differences)


def compare(origin: Copy, mirror: Copy, *, there: str, here: str) -> Comparison:
    """What `here` holds of what the region `there` wrote. A record that is there more than once is no difference.

    What the origin got only after the mirror was read (`late`) is not missed, but counts as known.
    """
    result = Comparison()
    same = 0
    for subject in origin.subjects.keys() | mirror.subjects.keys():
        found = _compared(result, origin, mirror, subject, there=there, here=here)
        result.differences += found
        same += not found
    result.differences.sort(key=lambda one: (one.kind, one.subject, one.sequences))
    of = {kind: len({one.subject for one in result.differences if isinstance(one, kind)}) for kind in _COLUMNS}
    result.figures = {
        "aggregates": len(origin.subjects),
        "events": origin.events,
        "same": same,
        **{_COLUMNS[kind]: count for kind, count in of.items()},
        "repeated": mirror.records - mirror.events,
    }
    return result


_COLUMNS: Mapping[type[Difference], str] = {
    Older: "behind",
    Missing: "missing",
    Differing: "differing",
    Stranger: "strangers",
}


def _compared(
    result: Comparison, origin: Copy, mirror: Copy, subject: Subject, *, there: str, here: str
) -> list[Difference]:
    theirs, ours = origin.subjects.get(subject, []), mirror.subjects.get(subject, [])

    def found(kind: type[Missing | Differing | Stranger], sequences: Iterable[int]) -> Iterator[Difference]:
        if chosen := tuple(sorted(set(sequences))):
            yield kind(where=here, topic=origin.topic, subject=subject, sequences=chosen, origin=there)

    if origin.compacted:
        return list(_compared_latest(theirs, ours, found, topic=origin.topic, subject=subject, there=there, here=here))
    known, held = {one.digest for one in theirs}, {one.digest for one in ours}
    missing, strange = set(), set()
    for one in theirs:
        if one.digest not in held and not one.late:
            if mirror.aged(one):
                result.aged_here += 1
            else:
                missing.add(one.sequence)
    for one in ours:
        if one.digest not in known:
            if origin.aged(one):
                result.aged_there += 1
            else:
                strange.add(one.sequence)
    # What is no event has no version: two of them are two records, not two contents of one.
    both = missing & strange if subject.aggregate else set()
    return [*found(Missing, missing - both), *found(Differing, both), *found(Stranger, strange - both)]


def _compared_latest(
    theirs: list[Told],
    ours: list[Told],
    found: "_Found",
    *,
    topic: str,
    subject: Subject,
    there: str,
    here: str,
) -> Iterator[Difference]:
    """Of a compacted topic, where only the latest event of a subject has to be there."""
    due = max((one for one in theirs if not one.late), key=_sequence, default=None)
    latest, held = max(theirs, key=_sequence, default=None), max(ours, key=_sequence, default=None)
    if held is None:
        # A tombstone goes in the end, and then leaves the same behind as one that never was: nothing.
        if due is not None and not due.erased:
            yield from found(Missing, [due.sequence])
        return
    if latest is None:
        if not held.erased:
            yield from found(Stranger, [one.sequence for one in ours])
        return
    if due is not None and held.sequence < due.sequence:
        yield Older(
            where=here, topic=topic, subject=subject, sequences=(due.sequence,), origin=there, held=held.sequence
        )
    yield from found(Stranger, [one.sequence for one in ours if one.sequence > latest.sequence])
    contents: dict[int, tuple[set[bytes], set[bytes]]] = defaultdict(lambda: (set(), set()))
    for side, told in enumerate((theirs, ours)):
        for one in told:
            contents[one.sequence][side].add(one.digest)
    yield from found(Differing, [number for number, (a, b) in contents.items() if a and b and a != b])


def _sequence(told: Told) -> int:
    return told.sequence


class _Found(Protocol):
    def __call__(
        self, kind: type[Missing | Differing | Stranger], sequences: Iterable[int]
    ) -> Iterator[Difference]: ...


# -- an outbox and the topics ------------------------------------------------------------------------------------------


class Confirmed(NamedTuple):
    """A row of an outbox whose arrival Kafka has confirmed."""

    topic: str
    subject: Subject
    sequence: int
    digest: bytes
    erased: bool
    written: int
    """In milliseconds."""


class Suspects:
    """The confirmed rows that the topics did not hold when they were read; to be asked again once they were read on."""

    def __init__(self) -> None:
        self.rows = 0
        self.unconfirmed: dict[tuple[str, Subject, int], Confirmed] = {}
        self._latest: dict[tuple[str, Subject], int] = {}
        self.known: set[bytes] = set()
        """Digests of the rows that have been seen: what else is on the topic, the outbox does not know."""

    def add(self, row: Confirmed, copies: Mapping[str, Copy]) -> None:
        self.rows += 1
        self.known.add(row.digest)
        copy = copies.get(row.topic)
        if copy is not None and copy.compacted:
            # Only the latest has to be there; rows come in the order of their numbers.
            before = self._latest.get((row.topic, row.subject))
            if before is not None:
                self.unconfirmed.pop((row.topic, row.subject, before), None)
            self._latest[row.topic, row.subject] = row.sequence
        if copy is None or not _holds(copy, row):
            self.unconfirmed[row.topic, row.subject, row.sequence] = row


def _holds(copy: Copy, row: Confirmed) -> bool:
    held = copy.subjects.get(row.subject, [])
    if any(one.digest == row.digest for one in held):
        return True
    if not copy.compacted:
        return False
    return any(one.sequence > row.sequence for one in held) or (row.erased and not held)


def lost(suspects: Suspects, copies: Mapping[str, Copy], *, where: str, now: int) -> list[Difference]:
    """Confirmed rows that their topic does not hold, or holds with another content. `now` in milliseconds.

    What is older than the topic keeps is left out.
    """
    gone: dict[tuple[type[Difference], str, Subject], set[int]] = defaultdict(set)
    for row in suspects.unconfirmed.values():
        copy = copies.get(row.topic)
        if copy is None:
            gone[Lost, row.topic, row.subject].add(row.sequence)
            continue
        if _holds(copy, row) or (copy.retention is not None and row.written < now - copy.retention):
            continue
        other = any(one.sequence == row.sequence for one in copy.subjects.get(row.subject, []))
        gone[NotAsWritten if other else Lost, row.topic, row.subject].add(row.sequence)
    return [
        kind(where=where, topic=topic, subject=subject, sequences=tuple(sorted(sequences)))
        for (kind, topic, subject), sequences in sorted(gone.items(), key=lambda item: item[0][1:])
    ]


def unknown(known: Collection[bytes], copy: Copy, *, source: str, since: int) -> Iterator[tuple[Subject, Told]]:
    """Events in the name of `source`, written after `since` (milliseconds), that are none of the `known` ones."""
    for subject, told in copy.subjects.items():
        if subject.source == source:
            for one in told:
                if one.written > since and one.digest not in known:
                    yield subject, one


# -- a topic and its readers -------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """Which events a consumer takes: of some only the latest of a subject, of others every one."""

    consumer: str
    latest: frozenset[str]
    every: frozenset[str]

    @classmethod
    def of(cls, consumer: str, handled: Mapping[str, bool]) -> "Reading":
        """`handled` tells of each type of event whether only the latest of a subject counts."""
        latest = frozenset(name for name, only in handled.items() if only)
        return cls(consumer, latest=latest, every=frozenset(handled.keys() - latest))


class Due(NamedTuple):
    """What a consumer must have taken in. `latest` if a later version of the subject would do as well."""

    topic: str
    subject: Subject
    sequence: int
    id: bytes
    latest: bool


def due(reading: Reading, copy: Copy) -> Iterator[Due]:
    """All that a topic held for a consumer when it was read first."""
    for subject, told in copy.subjects.items():
        latest = [one for one in told if one.type in reading.latest and not one.erased and not one.late]
        if latest:
            last = max(latest, key=_sequence)
            yield Due(copy.topic, subject, last.sequence, last.id, True)
        for one in told:
            if one.type in reading.every and not one.erased and not one.late:
                yield Due(copy.topic, subject, one.sequence, one.id, False)


def not_applied(
    wanted: Iterable[Due],
    *,
    where: str,
    consumer: str,
    versions: Mapping[tuple[str, str, str], int],
    applied: Collection[tuple[str, bytes]],
    letters: Mapping[bytes, str],
    passed_over: Collection[bytes] = (),
) -> Iterator[Difference]:
    """What of `wanted` a consumer has not taken in.

    `versions` by (topic, aggregate, subject); `applied` by (source, event id); `letters` are the reasons of open dead
    letters by event id; an event that an operator has let go (`passed_over`) is no difference.
    """
    for one in wanted:
        held = versions.get((one.topic, one.subject.aggregate, one.subject.id))
        done = (held is not None and held >= one.sequence) if one.latest else (one.subject.source, one.id) in applied
        if not done and one.id not in passed_over:
            yield NotApplied(
                where=where,
                topic=one.topic,
                subject=one.subject,
                sequences=(one.sequence,),
                consumer=consumer,
                held=held if one.latest else None,
                reason=letters.get(one.id),
            )


def applied_but_gone(
    reading: Reading, copy: Copy, *, where: str, versions: Mapping[tuple[str, str, str], int]
) -> Iterator[Difference]:
    """Subjects that the topic still holds, at a version before the one that the consumer has applied."""
    for subject, told in copy.subjects.items():
        held = versions.get((copy.topic, subject.aggregate, subject.id))
        latest = max((one.sequence for one in told), default=0)
        if held is not None and held > latest and any(one.type in reading.latest for one in told):
            yield AppliedButGone(
                where=where,
                topic=copy.topic,
                subject=subject,
                sequences=(held,),
                consumer=reading.consumer,
                latest=latest,
            )
