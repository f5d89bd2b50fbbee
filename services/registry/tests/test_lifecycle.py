"""The lifecycle of a profile: no sequence of actions reaches a forbidden state, no accepted step is silent."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.node import Node
from tibs_chassis.problems import Conflict
from tibs_chassis.regions import Regions
from tibs_contracts.codes import ActorKind, ProfileType
from tibs_contracts.events import Event
from tibs_contracts.events.registry import (
    PartnerSought,
    ProfileMoved,
    ProfilePublished,
    ProfileState,
    ProfileWithdrawn,
)
from tibs_contracts.ids import new_id
from tibs_registry.actors.model import Actor
from tibs_registry.profiles import rules, service
from tibs_registry.profiles.model import Profile, ProfileEntry
from tibs_registry.profiles.rules import Criterion, Decision, Limits, Move, OwnWork, WrongMove

REGIONS = Regions.load(Path(__file__).parents[3] / "deploy" / "regions.yaml")
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
ENDED = (ProfileState.WITHDRAWN, ProfileState.EXPIRED)


class Unkept:
    """A session that keeps nothing."""

    async def flush(self) -> None: ...


class Told(Node):
    """A node that remembers what it told."""

    async def emit(self, session: AsyncSession, event: Event, **how: Any) -> UUID:
        TOLD.append((event, how["sequence"]))
        return new_id()


TOLD: list[tuple[Event, int]] = []
NODE = Told(region="pl84", service="registry", regions=REGIONS)


def a_draft() -> service.Whole:
    actor = Actor(id=new_id(), name="Suprasl Hulls", country="PL", kind=ActorKind.SME, certificates=[])
    kept = {
        name: getattr(ProfileEntry(profile_type=ProfileType.BUSINESS_REQUEST), name)
        for name in ProfileEntry.model_fields
    }
    kept |= {"partner_sought": PartnerSought(), "reference": "BRPL20261124001", "desk": "Foundation"}
    profile = Profile(
        id=new_id(), version=1, state=ProfileState.DRAFT, actor_id=actor.id, author="ann", writers=["ann"], **kept
    )
    return service.Whole(profile=profile, actor=actor)


class Lifecycle(RuleBasedStateMachine):
    """Any steps in any order; what the machine saw before is what the rules must respect."""

    @initialize()
    def begin(self) -> None:
        TOLD.clear()
        self.whole = a_draft()
        self.was: list[ProfileState] = [ProfileState.DRAFT]

    @rule(move=st.sampled_from([move for move in Move if move is not Move.EDIT]))
    def step(self, move: Move) -> None:
        profile, before, told = self.whole.profile, self.whole.profile.version, len(TOLD)
        profile.published_at, profile.valid_until = NOW, date(2027, 11, 24)
        work = service.take_step(
            cast(AsyncSession, Unkept()), node=NODE, whole=self.whole, move=move, by="rita", at=NOW
        )
        try:
            asyncio.run(work)
        except Conflict:
            assert move not in rules.possible_moves(self.was[-1])
            assert (profile.version, profile.state, len(TOLD)) == (before, self.was[-1], told)
            return
        self.was.append(profile.state)
        new = [event for event, sequence in TOLD[told:] if sequence == profile.version]
        assert profile.version == before + 1
        assert [event.state for event in new if isinstance(event, ProfileMoved)] == [profile.state]
        assert any(isinstance(event, ProfilePublished) for event in new) == (profile.state is ProfileState.PUBLISHED)
        assert any(isinstance(event, ProfileWithdrawn) for event in new) == (profile.state in ENDED)

    @invariant()
    def nothing_is_published_but_from_review(self) -> None:
        for before, after in zip(self.was, self.was[1:], strict=False):
            if after is ProfileState.PUBLISHED:
                assert before is ProfileState.INTERNAL_REVIEW
            assert after is not ProfileState.DRAFT
            assert before not in ENDED
            assert after not in ENDED or before is ProfileState.PUBLISHED


TestLifecycle = Lifecycle.TestCase


@pytest.mark.parametrize("state", [state for state in ProfileState if state.name != "UNKNOWN"])
@pytest.mark.parametrize("move", list(Move))
def test_a_wrong_move_says_what_was_tried_from_where_and_what_is_possible(state: ProfileState, move: Move) -> None:
    if move in rules.possible_moves(state):
        assert rules.after(state, move) is rules.TRANSITIONS[state, move]
        return
    with pytest.raises(WrongMove) as raised:
        rules.after(state, move)
    assert (raised.value.tried, raised.value.state) == (move, state)
    assert raised.value.possible == rules.possible_moves(state)
    assert move.value in str(raised.value)


def test_withdrawn_and_expired_lead_nowhere() -> None:
    assert all(rules.possible_moves(state) == [] for state in ENDED)


def test_nobody_reviews_what_they_wrote() -> None:
    with pytest.raises(OwnWork):
        rules.require_other_eyes(reviewer="ann", writers=["ann", "ben"])
    rules.require_other_eyes(reviewer="rita", writers=["ann", "ben"])


@pytest.mark.parametrize(
    ("state", "person", "reviews", "leads", "moves"),
    [
        (ProfileState.DRAFT, "ann", False, False, [Move.EDIT, Move.SUBMIT]),
        (ProfileState.DRAFT, "ben", False, False, []),
        (ProfileState.DRAFT, "lea", False, True, [Move.EDIT, Move.SUBMIT]),
        (ProfileState.INTERNAL_REVIEW, "ann", True, False, []),
        (ProfileState.INTERNAL_REVIEW, "rita", True, False, [Move.PUBLISH, Move.RETURN]),
        (ProfileState.INTERNAL_REVIEW, "lea", False, True, []),
        (ProfileState.PUBLISHED, "ann", False, False, [Move.WITHDRAW]),
        (ProfileState.EXPIRED, "ann", True, True, []),
    ],
)
def test_the_moves_that_are_open_to_a_person(
    state: ProfileState, person: str, reviews: bool, leads: bool, moves: list[Move]
) -> None:
    open_moves = rules.moves_of(state=state, person=person, author="ann", writers=["ann"], reviews=reviews, leads=leads)
    assert open_moves == moves


def test_submission_lists_all_that_is_missing_at_once() -> None:
    gaps = rules.missing(Profile(**dict(a_draft().profile)), Limits())
    assert [gap.pointer for gap in gaps] == [
        "/title",
        "/summary",
        "/description",
        "/partner_sought/task",
        "/cooperation",
        "/sectors",
    ]


def test_limits_are_configured() -> None:
    profile = a_draft().profile
    profile.title, profile.nace = "A title of some length", ["01", "02", "03"]
    assert rules.over_limits(profile, Limits()) == []
    found = rules.over_limits(profile, Limits(title=5, keywords=2))
    assert [(gap.pointer, gap.reason) for gap in found] == [
        ("/title", "should have at most 5 characters, but has 22"),
        ("/nace", "should hold at most 2, but holds 3"),
    ]


def test_publishing_needs_every_judgement_and_no_blocking_no() -> None:
    content = dict.fromkeys(Criterion, True)
    advice = {Criterion.ADVANTAGE_QUANTIFIED: False, Criterion.KEYWORDS_FIT: False}
    assert rules.review_gaps(decision=Decision.PUBLISH, rubric=content | advice, comments=[]) == []
    blocked = rules.review_gaps(decision=Decision.PUBLISH, rubric=content | {Criterion.SPECIFIC: False}, comments=[])
    assert [gap.pointer for gap in blocked] == ["/rubric/specific"]
    assert len(rules.review_gaps(decision=Decision.PUBLISH, rubric={}, comments=[])) == len(Criterion)


def test_returning_needs_a_reason() -> None:
    assert rules.review_gaps(decision=Decision.RETURN, rubric=dict.fromkeys(Criterion, True), comments=[])
    assert not rules.review_gaps(decision=Decision.RETURN, rubric={Criterion.SPECIFIC: False}, comments=[])
    assert not rules.review_gaps(decision=Decision.RETURN, rubric={}, comments=["Say how much."])


@pytest.mark.parametrize(
    ("published", "months", "until"),
    [
        (date(2026, 11, 24), 12, date(2027, 11, 24)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
    ],
)
def test_validity_ends_on_the_same_day_of_the_month(published: date, months: int, until: date) -> None:
    assert rules.valid_until(published, months=months) == until
    assert not rules.is_over(valid_until=until, today=until)
    assert rules.is_over(valid_until=until, today=until + timedelta(days=1))


def test_a_reference_is_that_of_the_partnering_database() -> None:
    made = rules.reference(profile_type=ProfileType.RESEARCH_REQUEST, country="FI", day=date(2026, 3, 7), number=12)
    assert made == "RDRFI20260307012"
    assert rules.drawn(made) == (date(2026, 3, 7), 12)
    with pytest.raises(ValueError, match="is no reference"):
        rules.drawn("RDRFI")
