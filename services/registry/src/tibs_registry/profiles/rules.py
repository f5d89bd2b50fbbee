"""The domain of partnership profiles: steps, who may take them, what they need. No I/O, no clock of its own."""

import calendar
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from tibs_contracts.codes import Cooperation, ProfileType, Sector
from tibs_contracts.events.registry import PartnerSought, ProfileState, ResearchCall


class Move(StrEnum):
    """What can be done with a profile."""

    EDIT = "edit"
    SUBMIT = "submit"
    PUBLISH = "publish"
    RETURN = "return"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


class Criterion(StrEnum):
    """What a reviewer judges, each with yes or no."""

    RIGHT_TYPE = "right_type"
    SPECIFIC = "specific"
    PROBLEM_AND_SOLUTION_CLEAR = "problem_and_solution_clear"
    PARTNER_ROLE_CONCRETE = "partner_role_concrete"
    ADVANTAGE_QUANTIFIED = "advantage_quantified"
    KEYWORDS_FIT = "keywords_fit"
    ANONYMOUS = "anonymous"


class Decision(StrEnum):
    PUBLISH = "publish"
    RETURN = "return"


TRANSITIONS: Mapping[tuple[ProfileState, Move], ProfileState] = {
    (ProfileState.DRAFT, Move.EDIT): ProfileState.DRAFT,
    (ProfileState.DRAFT, Move.SUBMIT): ProfileState.INTERNAL_REVIEW,
    (ProfileState.INTERNAL_REVIEW, Move.PUBLISH): ProfileState.PUBLISHED,
    (ProfileState.INTERNAL_REVIEW, Move.RETURN): ProfileState.RETURNED,
    (ProfileState.RETURNED, Move.EDIT): ProfileState.RETURNED,
    (ProfileState.RETURNED, Move.SUBMIT): ProfileState.INTERNAL_REVIEW,
    (ProfileState.PUBLISHED, Move.WITHDRAW): ProfileState.WITHDRAWN,
    (ProfileState.PUBLISHED, Move.EXPIRE): ProfileState.EXPIRED,
}
"""The whole lifecycle. What is not here cannot happen; withdrawn and expired lead nowhere."""

BLOCKING = frozenset(Criterion) - {Criterion.ADVANTAGE_QUANTIFIED, Criterion.KEYWORDS_FIT}
"""Criteria without which a profile is not published; the others are advice."""


class WrongMove(Exception):
    """A step that the profile's state does not allow."""

    def __init__(self, *, tried: Move, state: ProfileState) -> None:
        self.tried = tried
        self.state = state
        self.possible = possible_moves(state)
        instead = f"possible is: {', '.join(self.possible)}" if self.possible else "nothing more can be done with it"
        held = state.value.replace("_", " ")
        super().__init__(f"A profile in state '{held}' cannot take the step '{tried.value}'; {instead}.")


class OwnWork(Exception):
    """Four eyes: somebody would review what they wrote."""

    def __init__(self) -> None:
        super().__init__("You wrote in this profile, so somebody else reviews it.")


class NotTheirs(Exception):
    """Somebody would change another broker's profile."""

    def __init__(self) -> None:
        super().__init__("Another broker answers for this profile; that person or a lead may change it.")


@dataclass(frozen=True)
class Gap:
    """What a profile lacks, or has too much of. `pointer` is a JSON pointer: `/summary`."""

    pointer: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """How long texts may be (characters), how many keywords of a kind there may be, how long a profile is valid."""

    title: int = 200
    summary: int = 500
    description_least: int = 100
    description: int = 4000
    advantages: int = 2000
    keywords: int = 5
    validity_months: int = 12


class Drafted(Protocol):
    """What the rules read of a profile, as entered or as kept."""

    @property
    def profile_type(self) -> ProfileType: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def advantages(self) -> str: ...
    @property
    def trl(self) -> int | None: ...
    @property
    def stage(self) -> object: ...
    @property
    def cooperation(self) -> list[Cooperation]: ...
    @property
    def sectors(self) -> list[Sector]: ...
    @property
    def technology_keywords(self) -> list[str]: ...
    @property
    def market_keywords(self) -> list[str]: ...
    @property
    def nace(self) -> list[str]: ...
    @property
    def partner_sought(self) -> PartnerSought: ...
    @property
    def research_call(self) -> ResearchCall | None: ...


def possible_moves(state: ProfileState) -> list[Move]:
    """The steps that a state allows, in the order in which they usually come."""
    return [move for move in Move if (state, move) in TRANSITIONS]


def after(state: ProfileState, move: Move) -> ProfileState:
    """The state that a step leads to. Raises WrongMove."""
    try:
        return TRANSITIONS[state, move]
    except KeyError:
        raise WrongMove(tried=move, state=state) from None


def moves_of(
    *, state: ProfileState, person: str, author: str, writers: Collection[str], reviews: bool, leads: bool
) -> list[Move]:
    """The steps that one person may take: what the state allows, less what is another's, less what is one's own work.

    `reviews` and `leads` say whether the person has those roles.
    """
    theirs = {Move.EDIT, Move.SUBMIT, Move.WITHDRAW} if person == author or leads else set()
    if reviews and person not in writers:
        theirs |= {Move.PUBLISH, Move.RETURN}
    return [move for move in possible_moves(state) if move in theirs]


def require_other_eyes(*, reviewer: str, writers: Collection[str]) -> None:
    """Raises OwnWork if the reviewer wrote in the profile."""
    if reviewer in writers:
        raise OwnWork


def require_theirs(*, person: str, author: str, leads: bool) -> None:
    """Raises NotTheirs unless the person answers for the profile or leads the desk."""
    if person != author and not leads:
        raise NotTheirs


def over_limits(profile: Drafted, limits: Limits) -> list[Gap]:
    """Every text that is too long, every list that is too long: refused in drafts already."""
    found = []
    for name in ("title", "summary", "description", "advantages"):
        length, most = len(getattr(profile, name)), getattr(limits, name)
        if length > most:
            found.append(Gap(f"/{name}", f"should have at most {most} characters, but has {length}"))
    for name in ("technology_keywords", "market_keywords", "nace"):
        count = len(getattr(profile, name))
        if count > limits.keywords:
            found.append(Gap(f"/{name}", f"should hold at most {limits.keywords}, but holds {count}"))
    if profile.research_call is not None and profile.profile_type is not ProfileType.RESEARCH_REQUEST:
        found.append(Gap("/research_call", "belongs to R&D requests (RDR) alone"))
    return found


def missing(profile: Drafted, limits: Limits) -> list[Gap]:
    """All that submission still asks for."""
    return [*_missing_texts(profile, limits), *_missing_choices(profile)]


def _missing_texts(profile: Drafted, limits: Limits) -> Iterator[Gap]:
    if not profile.title:
        yield Gap("/title", "should say in one line what is offered or sought")
    if not profile.summary:
        yield Gap("/summary", "should say in a few sentences what is offered or sought, and of whom")
    length = len(profile.description)
    if length < limits.description_least:
        yield Gap("/description", f"should have at least {limits.description_least} characters, but has {length}")
    if not profile.partner_sought.task:
        yield Gap("/partner_sought/task", "should say what the partner is to do")
    if profile.profile_type is ProfileType.TECHNOLOGY_OFFER and not profile.advantages:
        yield Gap("/advantages", "should say what a technology does better than others, with figures")


def _missing_choices(profile: Drafted) -> Iterator[Gap]:
    if not profile.cooperation:
        yield Gap("/cooperation", "should name at least one kind of cooperation")
    if not profile.sectors:
        yield Gap("/sectors", "should name at least one sector")
    if profile.profile_type is ProfileType.TECHNOLOGY_OFFER and profile.stage is None:
        yield Gap("/stage", "should say how far the technology is developed")
    if profile.profile_type is ProfileType.RESEARCH_REQUEST and profile.research_call is None:
        yield Gap("/research_call", "should name the programme that the consortium aims at")


def review_gaps(*, decision: Decision, rubric: Mapping[Criterion, bool], comments: Collection[object]) -> list[Gap]:
    """What a review lacks: publishing needs every judgement and no blocking no, returning needs a reason."""
    if decision is Decision.RETURN:
        if comments or False in rubric.values():
            return []
        return [Gap("/comments", "should say what has to change: a comment, or a criterion that is not met")]
    unjudged = [
        Gap(f"/rubric/{criterion.value}", "should be judged: true or false")
        for criterion in Criterion
        if criterion not in rubric
    ]
    unmet = [
        Gap(f"/rubric/{criterion.value}", "is not met, and without it a profile is returned")
        for criterion in Criterion
        if criterion in BLOCKING and rubric.get(criterion) is False
    ]
    return unjudged + unmet


def reference(*, profile_type: ProfileType, country: str, day: date, number: int) -> str:
    """`{TYPE}{CC}{yyyymmdd}{nnn}` as in the Partnering Opportunities Database; past 999 a day it grows by a digit."""
    return f"{profile_type.value}{country}{day:%Y%m%d}{number:03d}"


def drawn(reference: str) -> tuple[date, int]:
    """The day on which a reference was drawn, and its number on that day. ValueError for what is none."""
    found = re.fullmatch(r"[A-Z]+(\d{8})(\d{3,})", reference)
    if found is None:
        raise ValueError(f"'{reference}' is no reference such as TOFI20261124007")
    return date.fromisoformat(found[1]), int(found[2])


def valid_until(published: date, *, months: int) -> date:
    """The last day on which a profile counts: the same day of the month, or the month's last."""
    year, month = divmod(published.year * 12 + published.month - 1 + months, 12)
    return date(year, month + 1, min(published.day, calendar.monthrange(year, month + 1)[1]))


def is_over(*, valid_until: date | None, today: date) -> bool:
    """Whether a published profile's time has passed."""
    return valid_until is not None and valid_until < today
