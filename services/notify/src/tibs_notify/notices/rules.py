"""Which fact concerns whom. Pure: no database, no clock.

People are named by id; nobody is told what they did themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from tibs_chassis.auth import Role
from tibs_contracts.events import IntroductionStep, ProfileState, PromiseState, Side


class NoticeKind(StrEnum):
    """What happened, as the person concerned sees it."""

    PROFILE_TO_REVIEW = "profile_to_review"
    PROFILE_RETURNED = "profile_returned"
    PROFILE_PUBLISHED = "profile_published"
    PROFILE_EXPIRED = "profile_expired"
    PROFILE_WITHDRAWN = "profile_withdrawn"
    INTRODUCTION_RECEIVED = "introduction_received"
    INTRODUCTION_DELIVERED = "introduction_delivered"
    INTRODUCTION_ACKNOWLEDGED = "introduction_acknowledged"
    INTRODUCTION_ACCEPTED = "introduction_accepted"
    INTRODUCTION_CONSENTED = "introduction_consented"
    INTRODUCTION_DECLINED = "introduction_declined"
    INTRODUCTION_WITHDRAWN = "introduction_withdrawn"
    INTRODUCTION_MESSAGE = "introduction_message"
    INTRODUCTION_COMPLETED = "introduction_completed"
    PROMISE_DUE = "promise_due"
    PROMISE_OVERDUE = "promise_overdue"


class NoticeType(StrEnum):
    """What a person can switch off as one."""

    URGENT = "urgent"
    REVIEW = "review"
    PROFILE = "profile"
    INTRODUCTION = "introduction"
    MESSAGE = "message"


TYPE_OF: Mapping[NoticeKind, NoticeType] = {
    NoticeKind.PROFILE_TO_REVIEW: NoticeType.REVIEW,
    NoticeKind.PROFILE_RETURNED: NoticeType.PROFILE,
    NoticeKind.PROFILE_PUBLISHED: NoticeType.PROFILE,
    NoticeKind.PROFILE_EXPIRED: NoticeType.PROFILE,
    NoticeKind.PROFILE_WITHDRAWN: NoticeType.PROFILE,
    NoticeKind.INTRODUCTION_RECEIVED: NoticeType.URGENT,
    NoticeKind.INTRODUCTION_DELIVERED: NoticeType.INTRODUCTION,
    NoticeKind.INTRODUCTION_ACKNOWLEDGED: NoticeType.INTRODUCTION,
    NoticeKind.INTRODUCTION_ACCEPTED: NoticeType.INTRODUCTION,
    NoticeKind.INTRODUCTION_CONSENTED: NoticeType.INTRODUCTION,
    NoticeKind.INTRODUCTION_DECLINED: NoticeType.INTRODUCTION,
    NoticeKind.INTRODUCTION_WITHDRAWN: NoticeType.INTRODUCTION,
    NoticeKind.INTRODUCTION_MESSAGE: NoticeType.MESSAGE,
    NoticeKind.INTRODUCTION_COMPLETED: NoticeType.INTRODUCTION,
    NoticeKind.PROMISE_DUE: NoticeType.URGENT,
    NoticeKind.PROMISE_OVERDUE: NoticeType.URGENT,
}


def is_critical(kind: NoticeKind) -> bool:
    """Whether it cannot be muted: somebody waits for this person."""
    return TYPE_OF[kind] is NoticeType.URGENT


@dataclass(frozen=True)
class Concern:
    """Who should hear of a fact. `role` asks for everybody of the desk who holds it, without those in `never`."""

    kind: NoticeKind
    link: str
    parameters: Mapping[str, str]
    people: tuple[str, ...] = ()
    role: Role | None = None
    never: frozenset[str] = field(default_factory=frozenset)


def about_profile(
    *, profile_id: UUID, title: str, state: ProfileState, author: str, moved_by: str | None
) -> Concern | None:
    """A profile took a step: reviewers hear of what waits for them, the author of what others or time did to it."""
    link = f"/profiles/{profile_id}"
    parameters = {"title": title}
    if state is ProfileState.INTERNAL_REVIEW:
        # Four eyes: neither who wrote it nor who submitted it can review it.
        never = frozenset(person for person in (author, moved_by) if person is not None)
        return Concern(NoticeKind.PROFILE_TO_REVIEW, f"{link}/review", parameters, role=Role.REVIEWER, never=never)
    kind = _PROFILE_KINDS.get(state)
    if kind is None or moved_by == author:
        return None
    return Concern(kind, link, parameters, people=(author,))


_PROFILE_KINDS: Mapping[ProfileState, NoticeKind] = {
    ProfileState.RETURNED: NoticeKind.PROFILE_RETURNED,
    ProfileState.PUBLISHED: NoticeKind.PROFILE_PUBLISHED,
    ProfileState.EXPIRED: NoticeKind.PROFILE_EXPIRED,
    ProfileState.WITHDRAWN: NoticeKind.PROFILE_WITHDRAWN,
}


def about_introduction(
    *,
    introduction_id: UUID,
    title: str,
    side: Side,
    step: IntroductionStep,
    here: str,
    other_region: str,
    concerned: Iterable[str],
    by: str | None,
    due: date | None,
) -> Concern | None:
    """An introduction took a step in this node.

    `region` among the parameters is the region whose desk or client did it: the text says it of that one.
    """
    kind = _INTRODUCTION_KINDS.get((side, step)) or _INTRODUCTION_KINDS.get((None, step))
    people = tuple(dict.fromkeys(person for person in concerned if person != by))
    if kind is None or not people:
        return None
    if step is IntroductionStep.MESSAGE and by is not None:
        return None  # What this desk wrote itself is no news to it.
    at_home = here if side is Side.HOME else other_region
    at_counterpart = other_region if side is Side.HOME else here
    parameters = {"title": title, "region": at_home if step in _DONE_AT_HOME else at_counterpart}
    if step is IntroductionStep.MESSAGE:
        parameters["region"] = other_region
    if due is not None:
        parameters["due"] = due.isoformat()
    return Concern(kind, f"/introductions/{introduction_id}", parameters, people=people)


_INTRODUCTION_KINDS: Mapping[tuple[Side | None, IntroductionStep], NoticeKind] = {
    (Side.COUNTERPART, IntroductionStep.RECEIVED): NoticeKind.INTRODUCTION_RECEIVED,
    (Side.HOME, IntroductionStep.DELIVERED): NoticeKind.INTRODUCTION_DELIVERED,
    (Side.HOME, IntroductionStep.ACKNOWLEDGED): NoticeKind.INTRODUCTION_ACKNOWLEDGED,
    (None, IntroductionStep.ACCEPTED): NoticeKind.INTRODUCTION_ACCEPTED,
    (None, IntroductionStep.CONSENTED): NoticeKind.INTRODUCTION_CONSENTED,
    (None, IntroductionStep.DECLINED): NoticeKind.INTRODUCTION_DECLINED,
    (None, IntroductionStep.WITHDRAWN): NoticeKind.INTRODUCTION_WITHDRAWN,
    (None, IntroductionStep.MESSAGE): NoticeKind.INTRODUCTION_MESSAGE,
    (None, IntroductionStep.INTRODUCED): NoticeKind.INTRODUCTION_COMPLETED,
}
_DONE_AT_HOME = frozenset({IntroductionStep.RECEIVED, IntroductionStep.CONSENTED, IntroductionStep.WITHDRAWN})


def about_promise(
    *,
    case_id: UUID,
    introduction_id: UUID | None,
    title: str,
    promise: str,
    state: PromiseState,
    responsible: str | None,
    supervisor: str | None,
    due: date,
) -> Concern | None:
    """A promise's clock: a reminder goes to who owes it, an overdue one to the supervisor too."""
    owing = responsible or supervisor
    people: tuple[str | None, ...]
    match state:
        case PromiseState.REMINDED:
            kind, people = NoticeKind.PROMISE_DUE, (owing,)
        case PromiseState.OVERDUE:
            kind, people = NoticeKind.PROMISE_OVERDUE, (owing, supervisor)
        case _:
            return None
    named = tuple(dict.fromkeys(person for person in people if person is not None))
    if not named:
        return None
    link = f"/introductions/{introduction_id}" if introduction_id is not None else f"/cases/{case_id}"
    return Concern(kind, link, {"title": title, "promise": promise, "due": due.isoformat()}, people=named)
