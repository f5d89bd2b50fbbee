"""What is called a difference, and what is not: pure, over copies of topics made up here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_chassis.verify.copies import Copy, digest_of
from tibs_chassis.verify.rules import (
    AppliedButGone,
    Confirmed,
    Difference,
    Differing,
    Lost,
    Missing,
    NotApplied,
    NotAsWritten,
    Older,
    Reading,
    Stranger,
    Suspects,
    applied_but_gone,
    compare,
    due,
    lost,
    not_applied,
    unknown,
)
from tibs_contracts.envelope import Envelope
from tibs_contracts.mothers import THEN

COMPACTED, KEPT = "tibs.pl84.registry.v1", "tibs.pl84.brokerage.v1"
SPACE = UUID("0197f0a0-0000-7000-8000-000000000000")
NOW = int(THEN.timestamp() * 1000)
TYPE = "eu.tibs.profile.published.v1"


@dataclass(frozen=True)
class Record:
    subject: str
    sequence: int
    value: bytes | None = b"{}"
    partition: int = 0
    timestamp: int = NOW
    source: str = "/regions/pl84/registry"

    @property
    def key(self) -> bytes:
        return self.subject.encode()

    @property
    def envelope(self) -> Envelope:
        id = uuid5(SPACE, f"{self.source} {self.subject} {self.sequence}")
        return Envelope(id, self.source, TYPE, self.subject, THEN, self.sequence, correlation_id=id)

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        return list(self.envelope.headers())


def copy_of(topic: str, records: Sequence[Record], *, late: Sequence[Record] = ()) -> Copy:
    copy = Copy(topic)
    for record in records:
        copy.add(record)
    for record in late:
        copy.add(record, late=True)
    return copy


def differences(origin: Copy, mirror: Copy) -> list[Difference]:
    return compare(origin, mirror, there="pl84", here="fi1c").differences


topics = pytest.mark.parametrize("topic", [COMPACTED, KEPT])


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """What a region wrote: some aggregates, each from version 1 on, in an order that keeps each one's own."""
    counters = {name: count(1) for name in "abcd"}
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20))
    return [Record(name, next(counters[name]), value=draw(st.binary(max_size=4))) for name in names]


@topics
@given(told=histories(), data=st.data())
def test_a_mirror_that_repeats_records_in_any_order_is_equal(
    topic: str, told: list[Record], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=10))
    held = data.draw(st.permutations([*told, *repeated]))

    result = compare(copy_of(topic, told), copy_of(topic, held), there="pl84", here="fi1c")

    assert result.differences == []
    assert result.figures["repeated"] == len(repeated)
    assert result.figures["same"] == result.figures["aggregates"]


@given(told=histories(), data=st.data())
def test_every_event_that_a_kept_topic_lost_is_named(told: list[Record], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(told), min_size=1))

    found = differences(copy_of(KEPT, told), copy_of(KEPT, [one for one in told if one not in gone]))

    assert all(isinstance(one, Missing) for one in found)
    named = {(one.subject.id, number) for one in found for number in one.sequences}
    assert named == {(one.subject, one.sequence) for one in gone}


@given(told=histories(), data=st.data())
def test_of_a_compacted_topic_only_the_latest_has_to_be_there(told: list[Record], data: st.DataObject) -> None:
    latest = {one.subject: one for one in told}
    gone = data.draw(st.sets(st.sampled_from(told), min_size=1))

    found = differences(copy_of(COMPACTED, told), copy_of(COMPACTED, [one for one in told if one not in gone]))

    assert all(isinstance(one, Missing | Older) for one in found)
    assert {one.subject.id for one in found} == {name for name, last in latest.items() if last in gone}


@topics
@given(told=histories(), data=st.data())
def test_each_changed_content_is_named(topic: str, told: list[Record], data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(told))
    held = [replace(one, value=b"changed") if one is changed else one for one in told]

    [found] = differences(copy_of(topic, told), copy_of(topic, held))

    assert isinstance(found, Differing)
    assert (found.subject.id, found.sequences) == (changed.subject, (changed.sequence,))


@topics
@given(told=histories(), name=st.sampled_from(["a", "new"]))
def test_what_the_origin_never_wrote_is_a_stranger(topic: str, told: list[Record], name: str) -> None:
    strange = Record(name, 100)

    [found] = differences(copy_of(topic, told), copy_of(topic, [*told, strange]))

    assert isinstance(found, Stranger)
    assert (found.subject.id, found.sequences) == (name, (100,))


@topics
def test_a_record_in_another_writers_name_is_a_stranger(topic: str) -> None:
    told = Record("a", 1)
    [found] = differences(
        copy_of(topic, [told]), copy_of(topic, [told, replace(told, source="/regions/fi1c/registry")])
    )
    assert isinstance(found, Stranger)
    assert found.subject.source == "/regions/fi1c/registry"


@topics
def test_what_is_no_event_is_compared_by_its_content(topic: str) -> None:
    @dataclass(frozen=True)
    class Broken(Record):
        @property
        def headers(self) -> Sequence[tuple[str, bytes | None]]:
            return [("ce_id", b"\xff")]

    assert differences(copy_of(topic, [Broken("a", 1)]), copy_of(topic, [Broken("a", 1)])) == []
    [found] = differences(copy_of(topic, []), copy_of(topic, [Broken("a", 1)]))
    assert (
        found.sentence
        == f"fi1c holds a record that is no event, with the key 'a', on {topic}, which pl84 does not hold."
    )


@topics
def test_what_came_to_the_origin_after_the_mirror_was_read_is_neither_missed_nor_strange(topic: str) -> None:
    first, second, third = Record("a", 1), Record("a", 2), Record("b", 1)
    origin = copy_of(topic, [first], late=[second, third])
    assert differences(origin, copy_of(topic, [first])) == []
    assert differences(origin, copy_of(topic, [first, second])) == []


def test_how_far_a_mirror_is_behind_is_said() -> None:
    told = [Record("a", number) for number in (1, 2, 3)]
    result = compare(copy_of(COMPACTED, told), copy_of(COMPACTED, told[:1]), there="pl84", here="fi1c")
    [found] = result.differences
    assert found.sentence == (
        "fi1c holds version 1 of profile a on tibs.pl84.registry.v1; pl84 is at version 3: behind by 2."
    )
    assert result.figures["behind"] == 1
    assert result.waits


def test_an_erased_aggregate_leaves_nothing_on_either_side() -> None:
    erased = [Record("a", 1), Record("a", 2, value=None)]
    assert differences(copy_of(COMPACTED, erased), copy_of(COMPACTED, [])) == []
    assert differences(copy_of(COMPACTED, []), copy_of(COMPACTED, erased)) == []
    [found] = differences(copy_of(COMPACTED, erased), copy_of(COMPACTED, erased[:1]))
    assert isinstance(found, Older)


def test_what_one_side_may_have_deleted_by_its_age_is_counted_and_no_difference() -> None:
    old, young = Record("a", 1, timestamp=NOW - 1000), Record("a", 2)
    whole, aged = copy_of(KEPT, [old, young]), copy_of(KEPT, [young])
    aged.forgotten[0] = NOW

    assert (compare(aged, whole, there="pl84", here="fi1c").aged_there, differences(aged, whole)) == (1, [])
    assert (compare(whole, aged, there="pl84", here="fi1c").aged_here, differences(whole, aged)) == (1, [])
    aged.forgotten = {0: old.timestamp, 1: NOW}
    assert [type(one) for one in differences(aged, whole)] == [Stranger]


def test_the_hash_tells_neighbouring_fields_apart_and_forgets_what_is_no_part_of_the_event() -> None:
    assert digest_of(b"ab", b"c", []) != digest_of(b"a", b"bc", [])
    assert digest_of(b"a", None, []) != digest_of(b"a", b"", [])
    assert digest_of(b"a", b"", [("ce_id", b"1")]) != digest_of(b"a", b"", [("ce_type", b"1")])
    assert digest_of(b"a", b"", [("ce_id", b"1"), ("ce_type", b"2")]) == digest_of(
        b"a", b"", [("traceparent", b"x"), ("ce_type", b"2"), ("ce_id", b"1")]
    )


# -- outbox ------------------------------------------------------------------------------------------------------------


def confirmed(topic: str, record: Record) -> Confirmed:
    [(subject, [told])] = copy_of(topic, [record]).subjects.items()
    return Confirmed(topic, subject, record.sequence, told.digest, record.value is None, told.written)


def lost_of(topic: str, rows: Sequence[Record], copy: Copy, *, now: int = NOW) -> list[Difference]:
    suspects = Suspects()
    for row in rows:
        suspects.add(confirmed(topic, row), {topic: copy})
    return lost(suspects, {topic: copy}, where="pl84 registry", now=now)


@given(told=histories(), data=st.data())
def test_every_row_that_a_kept_topic_does_not_hold_was_lost(told: list[Record], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(told)))
    found = lost_of(KEPT, told, copy_of(KEPT, [one for one in told if one not in gone]))
    assert all(isinstance(one, Lost) for one in found)
    assert {(one.subject.id, n) for one in found for n in one.sequences} == {
        (one.subject, one.sequence) for one in gone
    }


@given(told=histories(), data=st.data())
def test_of_a_compacted_topic_each_latest_row_that_it_does_not_hold_was_lost(
    told: list[Record], data: st.DataObject
) -> None:
    latest = set({one.subject: one for one in told}.values())
    gone = data.draw(st.sets(st.sampled_from(told)))
    found = lost_of(COMPACTED, told, copy_of(COMPACTED, [one for one in told if one not in gone]))
    named = {(one.subject.id, n) for one in found for n in one.sequences}
    assert named == {(one.subject, one.sequence) for one in gone & latest}


def test_a_row_older_than_its_topic_keeps_is_not_lost() -> None:
    later = NOW + int(timedelta(days=401).total_seconds() * 1000)
    assert lost_of(KEPT, [Record("a", 1)], copy_of(KEPT, []), now=later) == []
    assert [type(one) for one in lost_of(COMPACTED, [Record("a", 1)], copy_of(COMPACTED, []), now=later)] == [Lost]


@topics
def test_a_version_with_another_content_than_its_row_is_named(topic: str) -> None:
    [found] = lost_of(topic, [Record("a", 1)], copy_of(topic, [Record("a", 1, value=b"other")]))
    assert isinstance(found, NotAsWritten)


@topics
def test_only_what_was_written_in_ones_own_name_lately_has_to_be_known(topic: str) -> None:
    mine, other = Record("a", 1), Record("b", 1, source="/regions/pl84/cases")
    copy = copy_of(topic, [mine, other])
    source = "/regions/pl84/registry"
    assert [subject.id for subject, _ in unknown(set(), copy, source=source, since=NOW - 1)] == ["a"]
    assert list(unknown({confirmed(topic, mine).digest}, copy, source=source, since=NOW - 1)) == []
    assert list(unknown(set(), copy, source=source, since=NOW)) == []


# -- readers -----------------------------------------------------------------------------------------------------------

LATEST = Reading("directory", latest=frozenset({TYPE}), every=frozenset())
EVERY = Reading("notices", latest=frozenset(), every=frozenset({TYPE}))
NEITHER = Reading("others", latest=frozenset(), every=frozenset())


def open_of(
    reading: Reading, copy: Copy, *, versions: dict[str, int] | None = None, letters: dict[bytes, str] | None = None
) -> list[Difference]:
    return list(
        not_applied(
            due(reading, copy),
            where="fi1c registry",
            consumer=reading.consumer,
            versions={(copy.topic, "profile", subject): number for subject, number in (versions or {}).items()},
            applied=set(),
            letters=letters or {},
        )
    )


@given(told=histories(), data=st.data())
def test_a_reader_of_the_latest_needs_just_that(told: list[Record], data: st.DataObject) -> None:
    latest = {one.subject: one.sequence for one in told}
    held = {name: data.draw(st.integers(0, number)) for name, number in latest.items()}
    found = open_of(LATEST, copy_of(COMPACTED, told), versions=held)
    assert {one.subject.id for one in found} == {name for name, number in latest.items() if held[name] < number}
    assert open_of(NEITHER, copy_of(COMPACTED, told)) == []


@given(told=histories())
def test_a_reader_of_every_event_needs_each(told: list[Record]) -> None:
    copy = copy_of(KEPT, told)
    assert len(open_of(EVERY, copy)) == len(told)
    applied = {(one.source, one.envelope.id.bytes) for one in told}
    wanted = due(EVERY, copy)
    assert not list(not_applied(wanted, where="x", consumer="notices", versions={}, applied=applied, letters={}))


def test_a_dead_letter_gives_the_reason() -> None:
    record = Record("a", 2)
    found = open_of(
        LATEST, copy_of(COMPACTED, [record]), versions={"a": 1}, letters={record.envelope.id.bytes: "it does not fit"}
    )
    assert [one.sentence for one in found] == [
        "fi1c registry has not applied version 2 of profile a from tibs.pl84.registry.v1 in its consumer directory "
        "(it is at version 1): among the dead letters, it does not fit"
    ]
    assert [one.kind for one in found] == ["not_applied"]
    let_go = {record.envelope.id.bytes}
    wanted = due(LATEST, copy_of(COMPACTED, [record]))
    assert not list(
        not_applied(wanted, where="x", consumer="x", versions={}, applied=set(), letters={}, passed_over=let_go)
    )
    assert isinstance(found[0], NotApplied)


def test_a_topic_that_lost_what_was_applied_is_named() -> None:
    copy = copy_of(COMPACTED, [Record("a", 2), Record("b", 1)])
    held = {(COMPACTED, "profile", "a"): 5, (COMPACTED, "profile", "b"): 1, (COMPACTED, "profile", "erased"): 9}
    [found] = applied_but_gone(LATEST, copy, where="fi1c registry", versions=held)
    assert isinstance(found, AppliedButGone)
    assert found.subject.id == "a"
