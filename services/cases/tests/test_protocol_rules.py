"""The protocol of introductions: whatever the order of arrival, both halves agree."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from tibs_cases.introductions import rules
from tibs_cases.introductions.rules import (
    MOVES,
    WRITTEN_BY,
    Delivery,
    Facts,
    IntroductionState,
    Move,
    MoveRefused,
    NotTheirs,
    check_fact,
    check_move,
    delivery_of,
    possible,
    reveals,
    state_of,
)
from tibs_contracts.events import Side

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
names = st.sampled_from(sorted(WRITTEN_BY))
single_facts = st.tuples(names, st.integers(0, 1000)).map(
    lambda fact: Facts().with_fact(fact[0], NOON + timedelta(minutes=fact[1]))
)


def together(facts: list[Facts]) -> Facts:
    held = Facts()
    for each in facts:
        held = held.joined(each)
    return held


@given(told=st.lists(single_facts, max_size=14), data=st.data())
def test_any_order_and_any_repetition_of_facts_gives_the_same_half(told: list[Facts], data: st.DataObject) -> None:
    repeated = told + data.draw(st.lists(st.sampled_from(told), max_size=5) if told else st.just([]))
    shuffled = data.draw(st.permutations(repeated))
    assert together(shuffled) == together(told)
    assert state_of(together(shuffled)) is state_of(together(told))


@given(one=single_facts, other=single_facts, third=single_facts)
def test_joining_facts_is_commutative_associative_and_idempotent(one: Facts, other: Facts, third: Facts) -> None:
    assert one.joined(other) == other.joined(one)
    assert one.joined(other).joined(third) == one.joined(other.joined(third))
    assert one.joined(one) == one


class Half:
    """One region's half as the service runs it, without its database."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.facts = Facts()
        self.sent: list[tuple[str, datetime]] = []
        self.entered = side is Side.HOME
        self.early: list[tuple[str, datetime]] = []

    def say(self, name: str, at: datetime) -> None:
        self.facts = self.facts.with_fact(name, at)
        self.sent.append((name, at))

    def move(self, move: Move, at: datetime) -> None:
        check_move(self.facts, side=self.side, move=move)
        if (made := MOVES[move].makes) is not None:
            self.say(made, at)
        self.follow_up(at)

    def hear(self, name: str, at: datetime) -> None:
        check_fact(name, told_by=rules.other(self.side))
        if not self.entered and name != "requested":
            self.early.append((name, at))
            return
        self.facts = self.facts.with_fact(name, at)
        if not self.entered:
            self.entered = True
            self.say("received", at)
            for early_name, early_at in self.early:
                self.hear(early_name, early_at)
        self.follow_up(at)

    def follow_up(self, at: datetime) -> None:
        if rules.must_disclose(self.facts, side=self.side):
            assert self.facts.consented is not None
            assert self.facts.accepted is not None
            assert not self.facts.ended
            self.say(rules.own(self.side, "disclosed"), at)
        if rules.must_complete(self.facts, side=self.side):
            self.say(rules.own(self.side, "completed"), at)


class TwoHalves(RuleBasedStateMachine):
    """Two brokers who do what they may, over channels that delay, repeat and reorder, but lose nothing for good."""

    pending = Bundle("pending")

    def __init__(self) -> None:
        super().__init__()
        self.clock = count()
        self.home, self.counterpart = Half(Side.HOME), Half(Side.COUNTERPART)
        self.home.say("requested", self.now())

    def now(self) -> datetime:
        return NOON + timedelta(minutes=next(self.clock))

    @rule(move=st.sampled_from(Move))
    def home_broker_acts(self, move: Move) -> None:
        self.try_move(self.home, move)

    @precondition(lambda self: self.counterpart.entered)
    @rule(move=st.sampled_from(Move))
    def counterpart_broker_acts(self, move: Move) -> None:
        self.try_move(self.counterpart, move)

    def try_move(self, half: Half, move: Move) -> None:
        if move in possible(half.facts, side=half.side):
            half.move(move, self.now())
        else:
            with pytest.raises(MoveRefused):
                half.move(move, self.now())

    @rule(data=st.data(), to_home=st.booleans())
    def a_fact_arrives_in_any_order_and_perhaps_again(self, data: st.DataObject, to_home: bool) -> None:
        sender, receiver = (self.counterpart, self.home) if to_home else (self.home, self.counterpart)
        if sender.sent:
            receiver.hear(*data.draw(st.sampled_from(sender.sent)))

    @invariant()
    def no_contact_left_before_both_said_yes(self) -> None:
        for half in (self.home, self.counterpart):
            if half.facts.holds(rules.own(half.side, "disclosed")):
                assert half.facts.holds("consented")
                assert half.facts.holds("accepted")

    @invariant()
    def whoever_refused_disclosed_nothing(self) -> None:
        if self.counterpart.facts.holds("declined"):
            assert not self.counterpart.facts.holds("counterpart_disclosed")
        if self.home.facts.holds("withdrawn"):
            assert not self.home.facts.holds("home_disclosed")

    def teardown(self) -> None:
        """When everything has arrived, both halves hold the same facts and so the same state."""
        heard = {Side.HOME: 0, Side.COUNTERPART: 0}
        while heard[Side.HOME] < len(self.counterpart.sent) or heard[Side.COUNTERPART] < len(self.home.sent):
            for sender, receiver in ((self.home, self.counterpart), (self.counterpart, self.home)):
                if heard[receiver.side] < len(sender.sent):
                    receiver.hear(*sender.sent[heard[receiver.side]])
                    heard[receiver.side] += 1
        assert self.home.facts == self.counterpart.facts
        assert state_of(self.home.facts) is state_of(self.counterpart.facts)
        if self.home.facts.holds("consented") and self.home.facts.holds("accepted") and not self.home.facts.ended:
            assert state_of(self.home.facts) is IntroductionState.INTRODUCED
            assert self.home.facts.home_completed is not None
            assert self.home.facts.counterpart_completed is not None


TestTwoHalves = TwoHalves.TestCase
TestTwoHalves.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("name", sorted(WRITTEN_BY))
def test_a_half_tells_only_its_own_facts(name: str) -> None:
    check_fact(name, told_by=WRITTEN_BY[name])
    with pytest.raises(NotTheirs):
        check_fact(name, told_by=rules.other(WRITTEN_BY[name]))


def test_a_refusal_names_the_state_and_what_is_possible() -> None:
    facts = Facts(requested=NOON, received=NOON, declined=NOON)
    with pytest.raises(MoveRefused) as refused:
        check_move(facts, side=Side.COUNTERPART, move=Move.ACCEPT)
    assert refused.value.from_state is IntroductionState.DECLINED
    assert refused.value.possible == frozenset()


def test_the_home_side_cannot_answer_for_the_counterpart() -> None:
    assert Move.ACCEPT not in possible(Facts(requested=NOON), side=Side.HOME)
    assert Move.CONSENT not in possible(Facts(requested=NOON), side=Side.COUNTERPART)


def test_a_yes_can_be_taken_back_until_the_contact_has_left() -> None:
    facts = Facts(requested=NOON, received=NOON, accepted=NOON)
    assert Move.DECLINE in possible(facts, side=Side.COUNTERPART)
    gone = facts.with_fact("consented", NOON).with_fact("counterpart_disclosed", NOON)
    assert Move.DECLINE not in possible(gone, side=Side.COUNTERPART)


@pytest.mark.parametrize(
    ("published", "delivered", "answered", "overdue", "state"),
    [
        (False, False, False, False, Delivery.QUEUED),
        (True, False, False, False, Delivery.SENT),
        (True, True, False, False, Delivery.DELIVERED),
        (True, True, False, True, Delivery.OVERDUE),
        (True, True, True, True, Delivery.ANSWERED),
    ],
)
def test_the_way_of_what_is_sent(
    published: bool, delivered: bool, answered: bool, overdue: bool, state: Delivery
) -> None:
    assert delivery_of(published=published, delivered=delivered, answered=answered, overdue=overdue) is state


def test_what_is_tried_again_is_told_apart_from_what_waits_its_turn() -> None:
    waits = {"published": False, "delivered": False, "answered": False, "overdue": False}
    assert delivery_of(**waits) is Delivery.QUEUED
    assert delivery_of(**waits, failing=True) is Delivery.FAILED
    assert delivery_of(**waits | {"published": True}, failing=True) is Delivery.SENT


@given(
    published=st.booleans(),
    delivered=st.booleans(),
    answered=st.booleans(),
    overdue=st.booleans(),
    failing=st.booleans(),
)
def test_to_learn_that_it_was_read_never_makes_it_look_less_far(
    published: bool, delivered: bool, answered: bool, overdue: bool, failing: bool
) -> None:
    order = list(Delivery)
    known = {"published": published, "delivered": delivered, "answered": answered, "overdue": overdue}
    unread = delivery_of(**known, failing=failing)
    read = delivery_of(**known, failing=failing, read=True)
    assert order.index(read) >= order.index(unread)
    assert read is unread or read is Delivery.READ


@pytest.mark.parametrize(
    ("text", "client", "named"),
    [
        ("We at Nordwood Oy look for a partner", "Nordwood Oy", True),
        ("NORDWOOD would like to meet you", "Nordwood Oy", True),
        ("Ask Zakład Meblowy  Sokół for more", "Zakład Meblowy Sokół Sp. z o.o.", True),
        ("A maker of furniture looks for timber", "Nordwood Oy", False),
        ("Nordwoodland is a park", "Nordwood Oy", False),
        ("AB is a word", "AB Oy", False),
    ],
)
def test_a_text_that_travels_must_not_name_the_client(text: str, client: str, named: bool) -> None:
    assert reveals(text, client_name=client) is named
