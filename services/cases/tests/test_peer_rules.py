"""How a line stands follows from what was heard, by the own clock alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_cases.peers import rules
from tibs_cases.peers.rules import (
    DOWN,
    SLOW,
    Held,
    Lamp,
    OwnLine,
    PeerState,
    Reason,
    Standing,
    State,
    clock_off,
    exchange,
    is_due,
    listening_since,
    next_number,
    own_line,
    state_of,
    summary,
    worst,
)
from tibs_contracts.events import PeerStanding

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERY = timedelta(seconds=15)
DAY_AGO = NOON - timedelta(days=1)
OPEN = Standing()

spans = st.timedeltas(timedelta(), timedelta(hours=3))
skews = st.timedeltas(timedelta(hours=-3), timedelta(hours=3))
moments = st.none() | skews.map(lambda span: NOON - span)
standings = st.builds(
    Standing,
    membership=st.sampled_from(["active", "paused", "retired"]),
    blocked=st.booleans(),
    blocked_reason=st.just("x"),
)
anything = st.builds(
    Held,
    interval=st.just(EVERY),
    sent_at=moments,
    listening_since=moments,
    received_at=moments,
    their_sent_at=moments,
    their_interval=st.none() | st.just(EVERY) | st.just(timedelta(hours=1)),
    heard_sent_at=moments,
    their_heard_at=moments,
    heard_advanced_at=moments,
    their_standing=st.sampled_from(PeerStanding),
    refused_at=moments,
)


def well(
    *, ago: timedelta = timedelta(seconds=5), skew: timedelta = timedelta(), under_way: timedelta = timedelta()
) -> Held:
    """A peer that was heard `ago`, and that heard us a little before; its clock is `skew` ahead."""
    came = NOON - ago
    back = came - under_way
    there = back - timedelta(seconds=10)
    left = there - under_way
    return Held(
        interval=EVERY,
        sent_at=NOON - timedelta(seconds=1),
        listening_since=DAY_AGO,
        received_at=came,
        their_sent_at=back + skew,
        their_interval=EVERY,
        heard_sent_at=left,
        their_heard_at=there + skew,
        heard_advanced_at=came,
    )


def seen(held: Held, standing: Standing = OPEN, *, own: OwnLine = OwnLine.UP) -> PeerState:
    return state_of(held, standing, own=own, now=NOON)


def both(peer: PeerState) -> tuple[State, Reason, State, Reason]:
    return peer.inbound.state, peer.inbound.reason, peer.outbound.state, peer.outbound.reason


def test_a_line_that_is_used_both_ways_is_up() -> None:
    assert both(seen(well())) == (State.UP, Reason.WORKS, State.UP, Reason.WORKS)
    assert seen(well()).inbound.age == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("ago", "state", "reason"),
    [
        (EVERY * SLOW, State.UP, Reason.WORKS),
        (EVERY * SLOW + timedelta(seconds=1), State.SLOW, Reason.LATE),
        (EVERY * DOWN, State.SLOW, Reason.LATE),
        (EVERY * DOWN + timedelta(seconds=1), State.DOWN, Reason.SILENT),
    ],
)
def test_silence_makes_a_line_slow_and_then_down(ago: timedelta, state: State, reason: Reason) -> None:
    inbound = seen(well(ago=ago)).inbound
    assert (inbound.state, inbound.reason) == (state, reason)


def test_a_peer_that_probes_seldom_is_not_down_between_two_probes() -> None:
    held = replace(well(ago=timedelta(minutes=50)), their_interval=timedelta(hours=1))
    assert seen(held).inbound.state is State.UP


def test_of_a_silent_peer_nobody_knows_what_arrives_there() -> None:
    peer = seen(well(ago=timedelta(minutes=4)))
    assert both(peer) == (State.DOWN, Reason.SILENT, State.UNKNOWN, Reason.NO_WORD)
    assert peer.both_lost
    assert peer.state is State.DOWN


def test_a_peer_that_is_heard_but_hears_nothing_is_lost_one_way_only() -> None:
    long_ago = NOON - timedelta(minutes=4)
    peer = seen(replace(well(), heard_advanced_at=long_ago, heard_sent_at=long_ago, their_heard_at=long_ago))
    assert both(peer) == (State.UP, Reason.WORKS, State.DOWN, Reason.LEFT_UNHEARD)
    assert not peer.both_lost


def test_a_peer_that_never_heard_us_is_told_after_a_while_only() -> None:
    deaf = replace(well(), heard_sent_at=None, their_heard_at=None, heard_advanced_at=None)
    assert seen(deaf).outbound.state is State.DOWN
    assert seen(replace(deaf, listening_since=NOON - EVERY)).outbound.state is State.UNKNOWN


def test_who_was_never_heard_is_unknown_and_not_down() -> None:
    assert both(seen(Held(interval=EVERY))) == (State.UNKNOWN, Reason.NEVER_HEARD, State.UNKNOWN, Reason.NEVER_HEARD)


def test_a_node_that_slept_does_not_call_others_down_before_it_has_listened() -> None:
    held = replace(well(ago=timedelta(hours=8)), listening_since=NOON - timedelta(seconds=20))
    assert (seen(held).inbound.state, seen(held).inbound.reason) == (State.UNKNOWN, Reason.LISTENING)
    later = replace(held, listening_since=NOON - timedelta(minutes=5))
    assert seen(later).inbound.state is State.DOWN


def test_without_the_own_kafka_nothing_is_said_of_others() -> None:
    assert both(seen(well(ago=timedelta(hours=1)), own=OwnLine.OFFLINE)) == (
        State.UNKNOWN,
        Reason.OFFLINE,
        State.UNKNOWN,
        Reason.OFFLINE,
    )


def test_whom_we_block_is_blocked_with_the_operators_words() -> None:
    peer = seen(well(), Standing(blocked=True, blocked_reason="its signing key was stolen"))
    assert both(peer) == (State.BLOCKED, Reason.WE_BLOCK, State.BLOCKED, Reason.NO_WORD)
    assert peer.inbound.words == "its signing key was stolen"


def test_who_blocks_us_is_heard_and_tells_why() -> None:
    held = replace(well(), their_standing=PeerStanding.BLOCKED, their_reason="too many requests")
    peer = seen(held)
    assert both(peer) == (State.UP, Reason.WORKS, State.REFUSING, Reason.THEY_BLOCK)
    assert peer.outbound.words == "too many requests"


def test_what_is_not_believed_is_told_apart_from_silence() -> None:
    held = replace(well(ago=timedelta(minutes=4)), refused_at=NOON - EVERY, refused_reason="it is not signed")
    assert (seen(held).inbound.reason, seen(held).inbound.words) == (Reason.NOT_BELIEVED, "it is not signed")
    once = replace(well(), refused_at=NOON)
    assert seen(once).inbound.state is State.UP  # somebody else's try does not silence the peer itself


@pytest.mark.parametrize(("membership", "state"), [("paused", State.PAUSED), ("retired", State.RETIRED)])
def test_the_list_of_regions_counts_before_what_is_heard(membership: str, state: State) -> None:
    peer = seen(well(ago=timedelta(days=3)), Standing(membership=membership, membership_reason="rebuilding"))
    assert (peer.inbound.state, peer.outbound.state, peer.inbound.words) == (state, state, "rebuilding")


@given(skew=skews, under_way=st.timedeltas(timedelta(), timedelta(seconds=20)))
def test_a_wrong_clock_makes_nobody_look_down(skew: timedelta, under_way: timedelta) -> None:
    assert both(seen(well(skew=skew, under_way=under_way))) == both(seen(well(under_way=under_way)))
    assert seen(well(skew=skew, under_way=under_way)).state is State.UP


@given(skew=skews, there=spans, stayed=spans, back=spans)
def test_the_offset_is_right_within_half_of_both_ways(
    skew: timedelta, there: timedelta, stayed: timedelta, back: timedelta
) -> None:
    left = NOON
    held = Held(
        interval=EVERY,
        heard_sent_at=left,
        their_heard_at=left + there + skew,
        their_sent_at=left + there + stayed + skew,
        received_at=left + there + stayed + back,
    )
    found = exchange(held)
    assert found is not None
    microsecond = timedelta(microseconds=2)
    assert found.both_ways == there + back
    assert abs(found.offset - skew) <= found.both_ways / 2 + microsecond
    told = clock_off(held)
    if told is not None:
        assert abs(skew) + microsecond >= rules.CLOCK_OFF
        assert (told > timedelta()) == (skew > timedelta())


def test_two_hours_are_told() -> None:
    assert clock_off(well(skew=timedelta(hours=2))) == timedelta(hours=2)
    assert clock_off(well(skew=timedelta(hours=-2))) == timedelta(hours=-2)
    assert clock_off(well(skew=timedelta(seconds=20))) is None


def test_without_an_echo_only_a_clock_that_is_ahead_is_certain() -> None:
    held = replace(well(skew=timedelta(hours=2)), heard_sent_at=None, their_heard_at=None)
    assert clock_off(held) == timedelta(hours=2)
    assert clock_off(replace(held, their_sent_at=NOON - timedelta(hours=2))) is None


@given(held=anything, standing=standings, own=st.sampled_from(OwnLine))
def test_every_state_has_a_reason_and_no_age_is_negative(held: Held, standing: Standing, own: OwnLine) -> None:
    peer = state_of(held, standing, own=own, now=NOON)
    for line in (peer.inbound, peer.outbound):
        assert line.age is None or line.age >= timedelta()
        assert (line.state is State.UP) == (line.reason is Reason.WORKS)
        assert (line.age is None) == (line.last_at is None)
    assert peer.state is worst([peer.outbound.state, peer.inbound.state])


@given(held=anything, standing=standings)
def test_a_line_never_gets_better_by_mere_waiting(held: Held, standing: Standing) -> None:
    quiet = replace(held, refused_at=None)
    ranks = list(State)
    before = state_of(quiet, standing, own=OwnLine.UP, now=NOON + timedelta(hours=3)).inbound.state
    after = state_of(quiet, standing, own=OwnLine.UP, now=NOON + timedelta(hours=9)).inbound.state
    assert ranks.index(after) >= ranks.index(before)


@given(last=st.integers(0, 2**40), times=st.lists(moments.filter(bool), max_size=8))
def test_numbers_only_rise_whatever_the_clock_does(last: int, times: list[datetime]) -> None:
    for now in times:
        number = next_number(last, now=now)
        assert number > last
        last = number


def test_a_restored_database_does_not_repeat_numbers() -> None:
    before = next_number(0, now=NOON)
    assert next_number(0, now=NOON + timedelta(minutes=1)) > before


def test_a_clock_that_was_put_back_stops_no_probe() -> None:
    assert is_due(None, interval=EVERY, now=NOON)
    assert is_due(NOON + timedelta(hours=2), interval=EVERY, now=NOON)
    assert is_due(NOON - EVERY, interval=EVERY, now=NOON)
    assert not is_due(NOON - EVERY + timedelta(seconds=1), interval=EVERY, now=NOON)


def test_listening_begins_anew_after_a_gap_of_our_own() -> None:
    def since(sent_at: datetime | None) -> datetime:
        return listening_since(DAY_AGO, sent_at=sent_at, interval=EVERY, now=NOON)

    assert since(NOON - EVERY) == DAY_AGO
    assert since(NOON - EVERY * (DOWN + 1)) == NOON
    assert since(None) == NOON


def test_the_own_line_is_told_apart_from_that_of_others() -> None:
    def own(probed_at: datetime | None, waiting: int) -> OwnLine:
        return own_line(probed_at=probed_at, interval=EVERY, waiting=timedelta(seconds=waiting), now=NOON)

    assert own(NOON - EVERY, 0) is OwnLine.UP
    assert own(NOON - EVERY, 60) is OwnLine.OFFLINE
    assert own(NOON - EVERY * (DOWN + 1), 0) is OwnLine.IDLE
    assert own(None, 0) is OwnLine.IDLE


@pytest.mark.parametrize(
    ("peers", "lamp", "concerned"),
    [
        ({}, Lamp.GREY, ()),
        ({"fi1c": Held(interval=EVERY)}, Lamp.GREY, ()),
        ({"fi1c": well(), "lv008": Held(interval=EVERY)}, Lamp.GREEN, ()),
        ({"fi1c": well(), "lv008": well(ago=timedelta(seconds=60))}, Lamp.AMBER, ("lv008",)),
        ({"fi1c": well(ago=timedelta(seconds=60)), "lv008": well(ago=timedelta(hours=1))}, Lamp.RED, ("lv008", "fi1c")),
    ],
)
def test_the_lamp_shows_the_worst(peers: dict[str, Held], lamp: Lamp, concerned: tuple[str, ...]) -> None:
    found = summary({code: seen(held) for code, held in peers.items()}, own=OwnLine.UP)
    assert (found.lamp, found.concerned) == (lamp, concerned)


def test_the_lamp_of_a_node_that_is_offline_accuses_nobody() -> None:
    found = summary({"fi1c": seen(well(), own=OwnLine.OFFLINE)}, own=OwnLine.OFFLINE)
    assert (found.lamp, found.concerned) == (Lamp.RED, ())
