"""How a case moves."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_cases.cases.rules import (
    CLOSING,
    SENTENCES,
    TRACK,
    TRANSITIONS,
    CaseState,
    Held,
    Missing,
    MoveRefused,
    check_move,
    check_open,
    forward,
    missing,
    neighbours,
    possible,
    receipt_number,
    steps,
)
from tibs_contracts.codes import ClosingReason

READY = Held(broker=True, no_conflict=True, diagnosis=True)
helds = st.builds(
    Held,
    broker=st.booleans(),
    no_conflict=st.booleans(),
    diagnosis=st.booleans(),
    shortlisted=st.integers(0, 2),
    requested=st.integers(0, 2),
    unsettled=st.integers(0, 2),
    introduced=st.integers(0, 2),
    strategy=st.booleans(),
)
states = st.sampled_from(CaseState)


def test_every_state_has_its_row_and_every_row_leads_to_states() -> None:
    assert set(TRANSITIONS) == set(CaseState)
    assert set(TRACK) | {CaseState.ON_HOLD} == set(CaseState)


def test_each_step_of_the_track_follows_the_one_before() -> None:
    for here, there in pairwise(TRACK):
        assert there in TRANSITIONS[here]


def test_every_case_that_is_not_closed_can_be_held_and_closed() -> None:
    for state in set(CaseState) - {CaseState.CLOSED, CaseState.ON_HOLD}:
        assert {CaseState.ON_HOLD, CaseState.CLOSED} <= TRANSITIONS[state]


def test_everything_missing_and_every_closing_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Missing)
    assert set(CLOSING) == set(ClosingReason) - {ClosingReason.UNKNOWN}


def test_a_refusal_tells_what_was_tried_what_is_missing_and_what_is_possible() -> None:
    with pytest.raises(MoveRefused) as refused:
        check_move(CaseState.INTAKE, CaseState.DIAGNOSIS, held=Held(broker=True))
    assert refused.value.tried is CaseState.DIAGNOSIS
    assert refused.value.from_state is CaseState.INTAKE
    assert refused.value.missing == (Missing.NO_CONFLICT,)
    assert refused.value.possible == {CaseState.ON_HOLD, CaseState.CLOSED}


def test_no_step_is_jumped_over() -> None:
    with pytest.raises(MoveRefused):
        check_move(CaseState.INTAKE, CaseState.PARTNER_SEARCH, held=READY)


def test_a_case_on_hold_returns_to_where_it_was_held() -> None:
    held_from = CaseState.PARTNER_SEARCH
    assert neighbours(CaseState.ON_HOLD, held_from=held_from) == {held_from, CaseState.CLOSED}
    check_move(CaseState.ON_HOLD, held_from, held=READY, held_from=held_from)
    with pytest.raises(MoveRefused):
        check_move(CaseState.ON_HOLD, CaseState.SHORTLIST, held=READY, held_from=held_from)


def test_closing_needs_a_reason() -> None:
    with pytest.raises(MoveRefused) as refused:
        check_move(CaseState.INTAKE, CaseState.CLOSED, held=READY)
    assert refused.value.missing == (Missing.REASON,)
    check_move(CaseState.INTAKE, CaseState.CLOSED, held=READY, reason=ClosingReason.NOT_READY)


def test_an_agreement_needs_clients_who_know_each_other() -> None:
    assert missing(CaseState.CLOSED, held=READY, reason=ClosingReason.AGREEMENT_REACHED) == (Missing.INTRODUCED,)


def test_a_case_is_not_closed_while_another_region_waits() -> None:
    held = Held(unsettled=1)
    assert missing(CaseState.CLOSED, held=held, reason=ClosingReason.DUPLICATE) == (Missing.SETTLED,)


@pytest.mark.parametrize("state", [CaseState.CLOSED, CaseState.ON_HOLD])
def test_nobody_works_on_a_case_that_rests(state: CaseState) -> None:
    with pytest.raises(MoveRefused):
        check_open(state, tried=CaseState.SHORTLIST, held=READY, held_from=CaseState.INTAKE)


def test_receipts_name_region_and_year() -> None:
    assert receipt_number(region="pl84", year=2026, number=12) == "PL84-2026-00012"


@given(state=states, target=states, held=helds, held_from=st.none() | states)
def test_a_move_is_refused_exactly_if_it_is_not_possible(
    state: CaseState, target: CaseState, held: Held, held_from: CaseState | None
) -> None:
    if target in possible(state, held=held, held_from=held_from):
        check_move(state, target, held=held, held_from=held_from, reason=ClosingReason.NOT_READY)
        return
    with pytest.raises(MoveRefused) as refused:
        check_move(state, target, held=held, held_from=held_from, reason=ClosingReason.NOT_READY)
    assert target not in refused.value.possible
    assert refused.value.missing or target not in neighbours(state, held_from=held_from)


@given(state=states, target=states, held=helds)
def test_a_case_follows_what_happened_only_forward_and_never_without_its_documents(
    state: CaseState, target: CaseState, held: Held
) -> None:
    path = forward(state, target, held=held)
    if path:
        assert TRACK.index(path[-1]) <= TRACK.index(target)
    here = state
    for step in path:
        check_move(here, step, held=held)
        here = step


@given(state=states, held=helds, held_from=st.none() | states)
def test_what_the_screen_offers_as_complete_is_what_is_possible(
    state: CaseState, held: Held, held_from: CaseState | None
) -> None:
    offered = {step.to for step in steps(state, held=held, held_from=held_from) if not step.missing}
    assert offered == possible(state, held=held, held_from=held_from)
