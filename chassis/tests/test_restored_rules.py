"""What shows that a database is older than what it published, and which numbers are free: pure, over made-up events."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_chassis.restored.rules import (
    Beyond,
    Key,
    Memory,
    Told,
    hold_sentence,
    is_beyond,
    renumbered,
    shift_of,
    shows_older,
)
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import THEN
from tibs_contracts.topics import Channel

SUBJECT = "0197f0a0-0000-7000-8000-000000000001"
NOW = THEN + timedelta(days=1)
LONG_AFTER = THEN + timedelta(days=30)


def told(
    sequence: int = 7,
    *,
    topic: str = "tibs.pl84.registry.v1",
    type: str = "eu.tibs.actor.listed.v1",
    id: UUID | None = None,
) -> Told:
    return Told(
        topic=topic,
        id=id or new_id(),
        aggregate="actor",
        subject=SUBJECT,
        sequence=sequence,
        type=type,
        written=THEN,
        key=SUBJECT.encode(),
        headers=(),
        value=b"{}",
    )


def test_a_young_event_that_the_outbox_does_not_know_shows_that_the_database_is_older() -> None:
    assert shows_older(told(), Memory(known=False), now=NOW)
    assert shows_older(told(7), Memory(known=False, version=9), now=NOW)


def test_an_event_that_the_outbox_knows_shows_nothing() -> None:
    assert not shows_older(told(), Memory(known=True), now=NOW)
    assert not shows_older(told(7), Memory(known=True, version=5), now=NOW)


def test_what_the_outbox_has_forgotten_by_its_age_is_judged_by_the_aggregates_version() -> None:
    assert shows_older(told(7), Memory(known=False, version=6), now=LONG_AFTER)
    assert not shows_older(told(7), Memory(known=False, version=7), now=LONG_AFTER)
    assert not shows_older(told(7), Memory(known=False), now=LONG_AFTER)


def test_an_hour_of_grace_lies_between_the_clocks_of_database_and_service() -> None:
    just_tidied = THEN + timedelta(days=14) - timedelta(minutes=30)
    assert not shows_older(told(), Memory(known=False), now=just_tidied)


def test_to_be_reconciled_is_also_what_belongs_to_a_row_that_is_not_there() -> None:
    assert is_beyond(told(), Memory(known=False), counted=True, now=LONG_AFTER)
    assert not is_beyond(told(), Memory(known=False), counted=False, now=LONG_AFTER)
    assert not is_beyond(told(7), Memory(known=False, version=7), counted=True, now=LONG_AFTER)


@pytest.mark.parametrize(
    ("version", "held"),
    [
        (5, "the database 5"),
        (None, "which the database does not know"),
        (9, "in a form that the database does not know"),
    ],
)
def test_the_hold_is_told_in_one_sentence(version: int | None, held: str) -> None:
    assert hold_sentence(told(7), version, service="registry") == (
        "the database is older than what it has published: tibs.pl84.registry.v1 holds version 7 of "
        f"actor {SUBJECT}, {held}; run `tibs-registry reconcile`"
    )


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(0, 50))
def test_shifted_numbers_were_never_told_and_keep_their_order_and_distances(waiting: list[int], greatest: int) -> None:
    shift = shift_of(waiting, greatest=greatest)
    assert all(number + shift > greatest for number in waiting)
    assert shift == 0 or min(waiting) + shift == greatest + 1


def test_numbers_that_do_not_collide_are_left_alone() -> None:
    assert shift_of([8, 9], greatest=7) == 0
    assert shift_of([], greatest=7) == 0


def test_a_renumbered_event_is_the_same_but_for_its_number_and_its_signature() -> None:
    headers = [["ce_id", "x"], ["ce_sequence", "6"], ["tibs-signature", "a..b"], ["traceparent", "t"]]
    assert renumbered(headers, 8) == [("ce_id", "x"), ("ce_sequence", "8"), ("traceparent", "t")]


def test_a_person_reads_topic_aggregate_and_versions() -> None:
    beyond = Beyond(
        Key("actor", SUBJECT), told=[told(6), told(7), told(7, topic="tibs-local.pl84.registry.v1")], version=5
    )
    assert list(beyond.lines) == [
        f"tibs-local.pl84.registry.v1  actor {SUBJECT}  version 7; the database is at 5",
        f"tibs.pl84.registry.v1  actor {SUBJECT}  version 6, 7; the database is at 5",
    ]
    latest = beyond.latest(Channel.REGISTRY)
    assert latest is not None
    assert latest.topic == "tibs.pl84.registry.v1"
    assert Beyond(Key("actor", SUBJECT)).latest(Channel.LOCAL) is None
