"""How a case moves. Pure: no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tibs_contracts.codes import ClosingReason


class CaseState(StrEnum):
    """The steps of a case, as the Commission's Case Tracker orders them."""

    INTAKE = "intake"
    DIAGNOSIS = "diagnosis"
    PARTNER_SEARCH = "partner_search"
    SHORTLIST = "shortlist"
    INTRODUCTION = "introduction"
    NEGOTIATION = "negotiation"
    STRATEGY = "strategy"
    IMPLEMENTATION = "implementation"
    CLOSED = "closed"
    ON_HOLD = "on_hold"


TRACK = (
    CaseState.INTAKE,
    CaseState.DIAGNOSIS,
    CaseState.PARTNER_SEARCH,
    CaseState.SHORTLIST,
    CaseState.INTRODUCTION,
    CaseState.NEGOTIATION,
    CaseState.STRATEGY,
    CaseState.IMPLEMENTATION,
    CaseState.CLOSED,
)
"""The way forward, in order."""

_ASIDE = frozenset({CaseState.ON_HOLD, CaseState.CLOSED})

TRANSITIONS: Mapping[CaseState, frozenset[CaseState]] = {
    CaseState.INTAKE: frozenset({CaseState.DIAGNOSIS}) | _ASIDE,
    CaseState.DIAGNOSIS: frozenset({CaseState.PARTNER_SEARCH, CaseState.INTAKE}) | _ASIDE,
    CaseState.PARTNER_SEARCH: frozenset({CaseState.SHORTLIST, CaseState.DIAGNOSIS}) | _ASIDE,
    CaseState.SHORTLIST: frozenset({CaseState.INTRODUCTION, CaseState.PARTNER_SEARCH}) | _ASIDE,
    CaseState.INTRODUCTION: frozenset({CaseState.NEGOTIATION, CaseState.SHORTLIST, CaseState.PARTNER_SEARCH}) | _ASIDE,
    CaseState.NEGOTIATION: frozenset({CaseState.STRATEGY, CaseState.INTRODUCTION, CaseState.PARTNER_SEARCH}) | _ASIDE,
    CaseState.STRATEGY: frozenset({CaseState.IMPLEMENTATION, CaseState.NEGOTIATION}) | _ASIDE,
    CaseState.IMPLEMENTATION: frozenset({CaseState.STRATEGY}) | _ASIDE,
    CaseState.ON_HOLD: frozenset({CaseState.CLOSED}),  # and back to where the case was held: see `possible`
    CaseState.CLOSED: frozenset(),
}
"""Where a case may go from each state, if the documents are there."""


class Missing(StrEnum):
    """What a step wants and the case does not have."""

    NO_CONFLICT = "no_conflict_declaration"
    BROKER = "broker"
    DIAGNOSIS = "diagnosis"
    SHORTLISTED = "shortlisted_profile"
    REQUESTED = "requested_introduction"
    INTRODUCED = "completed_introduction"
    STRATEGY = "signed_strategy"
    REASON = "closing_reason"
    SETTLED = "settled_introductions"


SENTENCES: Mapping[Missing, str] = {
    Missing.NO_CONFLICT: "The broker has not declared that there is no conflict of interest.",
    Missing.BROKER: "No broker works on the case.",
    Missing.DIAGNOSIS: "The diagnosis is not written.",
    Missing.SHORTLISTED: "No profile is on the shortlist.",
    Missing.REQUESTED: "No introduction is under way.",
    Missing.INTRODUCED: "No introduction is completed: the clients do not know each other yet.",
    Missing.STRATEGY: "No Joint Smart Strategy is signed.",
    Missing.REASON: "Closing needs a reason.",
    Missing.SETTLED: "Introductions are still under way; another region waits. Withdraw them or let them end first.",
}

CLOSING: Mapping[ClosingReason, str] = {
    ClosingReason.AGREEMENT_REACHED: "The clients agreed to cooperate; the agreement is signed or confirmed by both.",
    ClosingReason.NO_SUITABLE_PARTNER: "The search was done in all regions and no partner fits or is willing.",
    ClosingReason.CLIENT_WITHDREW: "The client does not want to go on, or cannot be reached after three tries.",
    ClosingReason.NOT_READY: "The client has to do something at home first; it was told what.",
    ClosingReason.FUNDED_ELSEWHERE: "The need is met by a support programme or by somebody outside the network.",
    ClosingReason.DUPLICATE: "The same need of the same client is worked in another case, which is named.",
}
"""The written definition of each closing reason."""


@dataclass(frozen=True)
class Held:
    """What a case has, as far as its steps ask for it."""

    broker: bool = False
    no_conflict: bool = False
    diagnosis: bool = False
    shortlisted: int = 0
    """Profiles on the shortlist that were not rejected."""
    requested: int = 0
    """Introductions under way or completed."""
    unsettled: int = 0
    """Introductions that are not at their end."""
    introduced: int = 0
    strategy: bool = False


def _wanted(held: Held) -> Mapping[CaseState, tuple[Missing, ...]]:
    intake = ((Missing.BROKER, held.broker), (Missing.NO_CONFLICT, held.no_conflict))
    diagnosis = (*intake, (Missing.DIAGNOSIS, held.diagnosis))
    introduced = (*diagnosis, (Missing.INTRODUCED, held.introduced > 0))
    wanted: Mapping[CaseState, tuple[tuple[Missing, bool], ...]] = {
        CaseState.DIAGNOSIS: intake,
        CaseState.PARTNER_SEARCH: diagnosis,
        CaseState.SHORTLIST: (*diagnosis, (Missing.SHORTLISTED, held.shortlisted > 0)),
        CaseState.INTRODUCTION: (*diagnosis, (Missing.REQUESTED, held.requested > 0)),
        CaseState.NEGOTIATION: introduced,
        CaseState.STRATEGY: introduced,
        CaseState.IMPLEMENTATION: (*introduced, (Missing.STRATEGY, held.strategy)),
    }
    return {state: tuple(name for name, there in wants if not there) for state, wants in wanted.items()}


class MoveRefused(Exception):
    """A case cannot take the step: `possible` are the steps it can take, `missing` what the one tried still wants."""

    def __init__(
        self,
        *,
        tried: CaseState,
        from_state: CaseState,
        possible: frozenset[CaseState],
        missing: tuple[Missing, ...] = (),
    ) -> None:
        super().__init__(f"a case in {from_state.value} cannot move to {tried.value}")
        self.tried = tried
        self.from_state = from_state
        self.possible = possible
        self.missing = missing


def neighbours(state: CaseState, *, held_from: CaseState | None = None) -> frozenset[CaseState]:
    """The states that the table allows next, complete or not. A case on hold returns to where it was held."""
    back = frozenset({held_from}) if state is CaseState.ON_HOLD and held_from is not None else frozenset()
    return TRANSITIONS[state] | back


def missing(target: CaseState, *, held: Held, reason: ClosingReason | None = None) -> tuple[Missing, ...]:
    """What the case lacks for a state."""
    if target is CaseState.CLOSED:
        wants = (
            (Missing.REASON, reason not in (None, ClosingReason.UNKNOWN)),
            (Missing.SETTLED, held.unsettled == 0),
            (Missing.INTRODUCED, reason is not ClosingReason.AGREEMENT_REACHED or held.introduced > 0),
        )
        return tuple(name for name, there in wants if not there)
    return _wanted(held).get(target, ())


def possible(state: CaseState, *, held: Held, held_from: CaseState | None = None) -> frozenset[CaseState]:
    """The states that the case can take now. Closing counts without its reason: that is asked on the way."""
    return frozenset(
        target
        for target in neighbours(state, held_from=held_from)
        if not set(missing(target, held=held)) - {Missing.REASON}
    )


@dataclass(frozen=True)
class Step:
    """A step that the table allows next, and what it still wants."""

    to: CaseState
    missing: tuple[Missing, ...]


def steps(state: CaseState, *, held: Held, held_from: CaseState | None = None) -> tuple[Step, ...]:
    """What can be offered on the screen: every step next to this one, in the order of the track, on hold last."""
    order = [*TRACK, CaseState.ON_HOLD]
    found = []
    for target in sorted(neighbours(state, held_from=held_from), key=order.index):
        lacking = (item for item in missing(target, held=held) if item is not Missing.REASON)
        found.append(Step(to=target, missing=tuple(lacking)))
    return tuple(found)


def check_move(
    state: CaseState,
    target: CaseState,
    *,
    held: Held,
    held_from: CaseState | None = None,
    reason: ClosingReason | None = None,
) -> None:
    """Raises MoveRefused when the case cannot go from `state` to `target`."""
    lacking = missing(target, held=held, reason=reason)
    if target not in neighbours(state, held_from=held_from) or lacking:
        raise MoveRefused(
            tried=target,
            from_state=state,
            possible=possible(state, held=held, held_from=held_from),
            missing=lacking,
        )


def forward(state: CaseState, target: CaseState, *, held: Held) -> tuple[CaseState, ...]:
    """The steps by which a case follows what happened, up to `target`: as many as its documents allow.

    Nothing for a case that is on hold, closed, or already as far.
    """
    if CaseState.ON_HOLD in (state, target) or CaseState.CLOSED in (state, target):
        return ()
    steps: list[CaseState] = []
    for step in TRACK[TRACK.index(state) + 1 : TRACK.index(target) + 1]:
        if missing(step, held=held):
            break
        steps.append(step)
    return tuple(steps)


def reached(held: Held) -> CaseState:
    """How far what is there brings a case."""
    if held.introduced:
        return CaseState.NEGOTIATION
    if held.requested:
        return CaseState.INTRODUCTION
    return CaseState.SHORTLIST if held.shortlisted else CaseState.PARTNER_SEARCH


def check_open(state: CaseState, *, tried: CaseState, held: Held, held_from: CaseState | None) -> None:
    """Work on a case that is closed or on hold is refused: it is taken up again first."""
    if state in (CaseState.CLOSED, CaseState.ON_HOLD):
        raise MoveRefused(tried=tried, from_state=state, possible=possible(state, held=held, held_from=held_from))


def receipt_number(*, region: str, year: int, number: int) -> str:
    """What the client is told on intake, such as PL84-2026-00012."""
    return f"{region.upper()}-{year}-{number:05d}"
