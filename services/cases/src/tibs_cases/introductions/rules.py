"""The protocol of an introduction, seen from one half. Pure: no database, no clock.

A half never holds a state that could be wrong: it holds the facts that it knows, its own and those told by the other
half, and its state follows from them. Facts only ever join the set, so the order in which they arrive, and how often,
makes no difference; and when all have arrived, both halves hold the same set and so agree.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum

from tibs_contracts.events import Side


@dataclass(frozen=True)
class Facts:
    """What happened, as far as this half knows, and when. The names say which half writes the fact."""

    requested: datetime | None = None
    received: datetime | None = None
    read: datetime | None = None
    """The counterpart's broker has opened the request."""
    acknowledged: datetime | None = None
    consented: datetime | None = None
    """The home client's yes."""
    accepted: datetime | None = None
    """The counterpart's client's yes."""
    declined: datetime | None = None
    withdrawn: datetime | None = None
    home_disclosed: datetime | None = None
    counterpart_disclosed: datetime | None = None
    home_completed: datetime | None = None
    counterpart_completed: datetime | None = None

    def joined(self, other: "Facts") -> "Facts":
        """Both sets together; of two times for one fact the earlier counts, whichever came first."""
        return Facts(
            **{field.name: _earlier(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        )

    def with_fact(self, name: str, at: datetime) -> "Facts":
        return self.joined(replace(Facts(), **{name: at}))

    def holds(self, name: str) -> bool:
        return getattr(self, name) is not None

    @property
    def ended(self) -> bool:
        """Declined or withdrawn: nothing leaves this half any more."""
        return self.declined is not None or self.withdrawn is not None

    @property
    def answered(self) -> bool:
        """The counterpart's broker has reacted to the request."""
        return any(self.holds(name) for name in ("acknowledged", "accepted", "declined"))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


WRITTEN_BY: Mapping[str, Side] = {
    "requested": Side.HOME,
    "received": Side.COUNTERPART,
    "read": Side.COUNTERPART,
    "acknowledged": Side.COUNTERPART,
    "consented": Side.HOME,
    "accepted": Side.COUNTERPART,
    "declined": Side.COUNTERPART,
    "withdrawn": Side.HOME,
    "home_disclosed": Side.HOME,
    "counterpart_disclosed": Side.COUNTERPART,
    "home_completed": Side.HOME,
    "counterpart_completed": Side.COUNTERPART,
}
"""Which half alone may tell each fact."""


class IntroductionState(StrEnum):
    """Where an introduction stands."""

    REQUESTED = "requested"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    CONSENTED = "consented"
    """Home's client said yes; the counterpart's has not answered."""
    ACCEPTED = "accepted"
    """The counterpart's client said yes; home's has not answered."""
    AGREED = "agreed"
    """Both said yes; the contacts are under way."""
    INTRODUCED = "introduced"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


OPEN_STATES = frozenset(IntroductionState) - {
    IntroductionState.INTRODUCED,
    IntroductionState.DECLINED,
    IntroductionState.WITHDRAWN,
}
"""Something is still to be done."""

LIVE_STATES = OPEN_STATES | {IntroductionState.INTRODUCED}
"""Under way or completed: the case counts them."""

# The first that the facts hold counts. A refusal stands above everything: a half that refused keeps its contact, so
# refusal and introduction exclude each other, and the order of the two refusals is only a matter of agreeing on one.
_READING: tuple[tuple[IntroductionState, frozenset[str]], ...] = (
    (IntroductionState.DECLINED, frozenset({"declined"})),
    (IntroductionState.WITHDRAWN, frozenset({"withdrawn"})),
    (IntroductionState.INTRODUCED, frozenset({"home_disclosed", "counterpart_disclosed"})),
    (IntroductionState.AGREED, frozenset({"consented", "accepted"})),
    (IntroductionState.ACCEPTED, frozenset({"accepted"})),
    (IntroductionState.CONSENTED, frozenset({"consented"})),
    (IntroductionState.ACKNOWLEDGED, frozenset({"acknowledged"})),
    (IntroductionState.DELIVERED, frozenset({"received"})),
)


def state_of(facts: Facts) -> IntroductionState:
    """The state that follows from the facts."""
    for state, wanted in _READING:
        if all(facts.holds(name) for name in wanted):
            return state
    return IntroductionState.REQUESTED


class Move(StrEnum):
    """What a broker can do with an introduction."""

    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    CONSENT = "consent"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    WRITE = "write"


@dataclass(frozen=True)
class Rule:
    """Which half may do it, the fact that it makes, and the facts that stand in its way."""

    sides: frozenset[Side]
    makes: str | None
    blocked_by: frozenset[str]


_HOME = frozenset({Side.HOME})
_COUNTERPART = frozenset({Side.COUNTERPART})

MOVES: Mapping[Move, Rule] = {
    Move.ACKNOWLEDGE: Rule(
        _COUNTERPART, "acknowledged", frozenset({"acknowledged", "accepted", "declined", "withdrawn"})
    ),
    Move.ACCEPT: Rule(_COUNTERPART, "accepted", frozenset({"accepted", "declined", "withdrawn"})),
    Move.CONSENT: Rule(_HOME, "consented", frozenset({"consented", "declined", "withdrawn"})),
    # A yes can be taken back as long as the own contact has not left.
    Move.DECLINE: Rule(_COUNTERPART, "declined", frozenset({"counterpart_disclosed", "declined", "withdrawn"})),
    Move.WITHDRAW: Rule(_HOME, "withdrawn", frozenset({"home_disclosed", "declined", "withdrawn"})),
    Move.WRITE: Rule(_HOME | _COUNTERPART, None, frozenset({"declined", "withdrawn"})),
}
"""Every move of both halves."""


class MoveRefused(Exception):
    """The half cannot do this now; `possible` is what it can do."""

    def __init__(self, *, tried: Move, side: Side, from_state: IntroductionState, possible: frozenset[Move]) -> None:
        super().__init__(f"the {side.value} half of an introduction that is {from_state.value} cannot {tried.value}")
        self.tried = tried
        self.side = side
        self.from_state = from_state
        self.possible = possible


def possible(facts: Facts, *, side: Side) -> frozenset[Move]:
    """What the half's broker can do now."""
    return frozenset(
        move
        for move, rule in MOVES.items()
        if side in rule.sides and not any(facts.holds(name) for name in rule.blocked_by)
    )


def check_move(facts: Facts, *, side: Side, move: Move) -> None:
    """Raises MoveRefused."""
    open_moves = possible(facts, side=side)
    if move not in open_moves:
        raise MoveRefused(tried=move, side=side, from_state=state_of(facts), possible=open_moves)


def own(side: Side, what: str) -> str:
    """The name of this half's own fact: `disclosed` or `completed`."""
    return f"{side.value}_{what}"


def other(side: Side) -> Side:
    return Side.COUNTERPART if side is Side.HOME else Side.HOME


def must_disclose(facts: Facts, *, side: Side) -> bool:
    """Both clients said yes to this introduction, nobody refused, and our client's contact has not left yet."""
    return (
        facts.holds("consented")
        and facts.holds("accepted")
        and not facts.ended
        and not facts.holds(own(side, "disclosed"))
    )


def must_complete(facts: Facts, *, side: Side) -> bool:
    """Both contacts are exchanged and this half has not said so."""
    return state_of(facts) is IntroductionState.INTRODUCED and not facts.holds(own(side, "completed"))


def may_keep_contact(facts: Facts) -> bool:
    """The other client's contact is kept unless the introduction was refused."""
    return not facts.ended


class NotTheirs(Exception):
    """The other half told a fact that is not its to tell; the message says which."""


def check_fact(name: str, *, told_by: Side) -> None:
    """Raises NotTheirs unless that half may tell this fact."""
    if WRITTEN_BY[name] is not told_by:
        raise NotTheirs(f"only the {WRITTEN_BY[name].value} half may tell that an introduction is {name}")


class Delivery(StrEnum):
    """How far something sent to the other region has come."""

    QUEUED = "queued"
    """Written down here; waiting to send."""
    FAILED = "failed"
    """Written down here; sending failed and is tried again by itself."""
    SENT = "sent"
    """On its way: it left this node."""
    DELIVERED = "delivered"
    """The other region said that it holds it."""
    READ = "read"
    """Somebody there has opened it."""
    ANSWERED = "answered"
    OVERDUE = "overdue"
    """Delivered, and the answer is later than the other region promised."""


def delivery_of(
    *, published: bool, delivered: bool, answered: bool, overdue: bool, read: bool = False, failing: bool = False
) -> Delivery:
    """An answer proves that it was read, reading that it arrived, and that it arrived proves that it left: so what is
    told late, or never, by a node that knows no `read`, takes nothing away."""
    if answered:
        return Delivery.ANSWERED
    if overdue:
        return Delivery.OVERDUE
    if read:
        return Delivery.READ
    if delivered:
        return Delivery.DELIVERED
    if published:
        return Delivery.SENT
    return Delivery.FAILED if failing else Delivery.QUEUED


_LEGAL_FORMS = frozenset(
    {"sp", "z", "oo", "sa", "oy", "oyj", "ab", "gmbh", "mbh", "ag", "kg", "co", "&", "sia", "as", "a/s", "aps", "uab"}
    | {"ou", "oü", "mtu", "mtü", "ltd", "limited", "ev"}
)
_SHORTEST_NAME = 5


def reveals(text: str, *, client_name: str) -> bool:
    """Whether a text that travels before the client's yes names the client, with or without its legal form."""
    words = [word for word in re.split(r"[\s,()\"„”“]+", client_name.casefold()) if word]
    core = [word for word in words if word.replace(".", "") not in _LEGAL_FORMS]
    name = r"\s+".join(re.escape(word) for word in core)
    if len(" ".join(core)) < _SHORTEST_NAME:
        return False  # Too short to tell the name from a word.
    return re.search(rf"(?<!\w){name}(?!\w)", text.casefold()) is not None
