"""Use cases of notices."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_chassis import clock
from tibs_chassis.node import Node
from tibs_chassis.problems import NotFound
from tibs_contracts.events import NoticeRaised
from tibs_contracts.ids import new_id
from tibs_notify import jobs
from tibs_notify.deliveries import service as deliveries
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import TYPE_OF, Concern, NoticeKind, is_critical
from tibs_notify.preferences import service as preferences
from tibs_notify.preferences.rules import Channel

TELL_ROLE = "tell_role"

MAIL_WORTHY = timedelta(days=7)
"""What is older is shown but not mailed: a database restored from a backup would write to everybody again."""


@dataclass(frozen=True)
class Cause:
    """The event that a notice tells of."""

    event_id: UUID
    correlation_id: UUID
    at: datetime


async def tell(session: AsyncSession, *, node: Node, concern: Concern, cause: Cause) -> None:
    """Raises what a concern asks for: now for those it names, by a job for a role, whose holders others must name."""
    if concern.role is not None:
        await jobs.defer(
            session,
            queue=jobs.DESK_QUEUE,
            task=TELL_ROLE,
            arguments={"concern": concern_to_json(concern), "cause": _cause_to_json(cause)},
            lock=f"tell:{cause.event_id}",
        )
    await tell_people(session, node=node, concern=concern, cause=cause, people=concern.people)


async def tell_people(
    session: AsyncSession, *, node: Node, concern: Concern, cause: Cause, people: Iterable[str]
) -> list[Notice]:
    """One notice a person, with its mail, as each wishes. What was raised for this event before is not raised again."""
    raised = []
    for person in dict.fromkeys(people):
        wishes = await preferences.wishes_of(session, person=person)
        ways = wishes.ways(concern.kind, of=TYPE_OF[concern.kind])
        if not ways or person in concern.never:
            continue
        notice = await _raise_once(session, person=person, concern=concern, cause=cause, shown=Channel.IN_APP in ways)
        if notice is None:
            continue
        raised.append(notice)
        if notice.shown:
            told = NoticeRaised(notice_id=notice.id, person=person, kind=notice.kind, raised_at=notice.raised_at)
            await node.emit(session, told, subject=notice.id, sequence=1, correlation_id=cause.correlation_id)
        if Channel.MAIL in ways and clock.now() - cause.at < MAIL_WORTHY:
            await deliveries.queue_mail(session, notice=notice)
    return raised


async def _raise_once(
    session: AsyncSession, *, person: str, concern: Concern, cause: Cause, shown: bool
) -> Notice | None:
    values = {
        "id": new_id(),
        "person": person,
        "event_id": cause.event_id,
        "kind": concern.kind.value,
        "critical": is_critical(concern.kind),
        "shown": shown,
        "link": concern.link,
        "parameters": dict(concern.parameters),
        "raised_at": clock.now(),
    }
    statement = insert(Notice).values(values).on_conflict_do_nothing(constraint="notice_once").returning(Notice)
    return (await session.scalars(statement)).one_or_none()


@dataclass(frozen=True)
class Found:
    """A page of a person's notices, newest first."""

    items: Sequence[Notice]
    next: UUID | None
    total: int
    unseen: int


async def find(session: AsyncSession, *, person: str, seen: bool | None, limit: int, cursor: UUID | None) -> Found:
    conditions = [col(Notice.person) == person, col(Notice.shown)]
    if seen is not None:
        conditions.append(col(Notice.seen_at).is_not(None) if seen else col(Notice.seen_at).is_(None))
    total = await session.scalar(select(func.count()).select_from(Notice).where(*conditions))
    if cursor is not None:
        conditions.append(col(Notice.id) < cursor)
    # Ids are UUIDv7: their order is that of time.
    rows = await session.scalars(select(Notice).where(*conditions).order_by(col(Notice.id).desc()).limit(limit + 1))
    found = list(rows)
    return Found(
        items=found[:limit],
        next=found[limit - 1].id if len(found) > limit else None,
        total=total or 0,
        unseen=await count_unseen(session, person=person),
    )


async def count_unseen(session: AsyncSession, *, person: str) -> int:
    return (
        await session.scalar(
            select(func.count())
            .select_from(Notice)
            .where(col(Notice.person) == person, col(Notice.shown), col(Notice.seen_at).is_(None))
        )
    ) or 0


async def see(session: AsyncSession, *, person: str, notice_id: UUID) -> Notice:
    """The person has seen it; the first time counts. Raises NotFound for somebody else's notice too."""
    notice = await session.get(Notice, notice_id, with_for_update=True)
    if notice is None or notice.person != person or not notice.shown:
        raise NotFound("notice", notice_id)
    notice.seen_at = notice.seen_at or clock.now()
    return notice


async def see_all(session: AsyncSession, *, person: str, until: UUID | None) -> None:
    """The person has seen everything, or everything up to a notice."""
    statement = update(Notice).where(col(Notice.person) == person, col(Notice.seen_at).is_(None))
    if until is not None:
        statement = statement.where(col(Notice.id) <= until)
    await session.execute(statement.values(seen_at=clock.now()))


def concern_to_json(concern: Concern) -> dict[str, Any]:
    """A concern as a job's arguments."""
    return {**asdict(concern), "people": list(concern.people), "never": sorted(concern.never)}


def concern_from_json(value: dict[str, Any]) -> Concern:
    """The same, back."""
    return Concern(
        kind=NoticeKind(value["kind"]),
        link=value["link"],
        parameters=value["parameters"],
        people=tuple(value["people"]),
        role=value["role"],
        never=frozenset(value["never"]),
    )


def _cause_to_json(cause: Cause) -> dict[str, str]:
    return {"event_id": str(cause.event_id), "correlation_id": str(cause.correlation_id), "at": cause.at.isoformat()}


def cause_from_json(value: dict[str, str]) -> Cause:
    return Cause(
        event_id=UUID(value["event_id"]),
        correlation_id=UUID(value["correlation_id"]),
        at=datetime.fromisoformat(value["at"]),
    )
