"""Today over HTTP."""

from datetime import date, datetime
from uuid import UUID

from fastapi import APIRouter

from tibs_cases.introductions.rules import IntroductionState
from tibs_cases.promises.rules import PromiseKind, When
from tibs_cases.today import service
from tibs_cases.today.service import AnswerKind
from tibs_cases.values import Here
from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, Session
from tibs_chassis.text import Output
from tibs_contracts.codes import ProfileType
from tibs_contracts.events import PromiseState

router = APIRouter(prefix="/api/v1", tags=["today"], route_class=EdgeRoute)


class PromiseRow(Output):
    id: UUID
    kind: PromiseKind
    state: PromiseState
    due: date
    title: str
    case_id: UUID
    introduction_id: UUID | None
    responsible: str | None


class HalfRow(Output):
    id: UUID
    state: IntroductionState
    other_region: str
    profile_reference: str
    profile_title: str
    title: str
    due: date | None = None


class AnswerRow(HalfRow):
    kind: AnswerKind
    at: datetime


class WaitingRow(HalfRow):
    events: int
    since: datetime


class QuarantineRow(Output):
    """What of another region is not believed, and why. In English: it is meant for whoever runs the node."""

    region: str
    reason: str
    records: int
    since: datetime


class ReviewRow(Output):
    id: UUID
    reference: str
    profile_type: ProfileType
    title: str
    author: str
    moved_at: datetime


class TodayOut(Output):
    promises: dict[When, list[PromiseRow]]
    introductions: list[HalfRow]
    answers: list[AnswerRow]
    reviews: list[ReviewRow]
    waiting: list[WaitingRow]
    quarantined: list[QuarantineRow]
    count: int


@router.get("/today")
async def show_today(session: Session, node: Here, caller: Caller) -> TodayOut:
    """What waits for the caller."""
    day = await service.today(session, node=node, principal=caller)

    def half(row: service.Answer | service.Waiting) -> dict[str, object]:
        return {name: getattr(row.half, name) for name in _HALF} | {"title": row.half.need["title"]}

    return TodayOut(
        promises={
            group: [PromiseRow.model_validate(promise) for promise in promises]
            for group, promises in day.promises.items()
        },
        introductions=[
            HalfRow(
                **{name: getattr(row, name) for name in _HALF},
                title=row.need["title"],
                due=day.due[row.id].due if row.id in day.due else row.acknowledge_due,
            )
            for row in day.introductions
        ],
        answers=[AnswerRow.model_validate({**half(row), "kind": row.kind, "at": row.at}) for row in day.answers],
        reviews=[ReviewRow.model_validate(profile) for profile in day.reviews],
        waiting=[
            WaitingRow.model_validate({**half(row), "events": row.events, "since": row.since}) for row in day.waiting
        ],
        quarantined=[QuarantineRow.model_validate(row) for row in day.quarantined],
        count=day.count,
    )


_HALF = ("id", "state", "other_region", "profile_reference", "profile_title")
