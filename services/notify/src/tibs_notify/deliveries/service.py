"""Use cases of deliveries: into the queue, on their way, and what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_chassis import clock
from tibs_chassis.problems import Conflict, NotFound
from tibs_contracts.ids import new_id
from tibs_notify import jobs
from tibs_notify.deliveries.model import Attempt, Delivery
from tibs_notify.deliveries.rules import DeliveryState, WrongMove, move, next_try
from tibs_notify.notices.model import Notice
from tibs_notify.preferences.rules import Channel

SEND = "send_mail"


async def queue_mail(session: AsyncSession, *, notice: Notice) -> Delivery:
    """A notice's mail, to leave as soon as the transaction is committed."""
    delivery = Delivery(
        id=new_id(),
        notice_id=notice.id,
        person=notice.person,
        channel=Channel.MAIL.value,
        created_at=clock.now(),
    )
    session.add(delivery)
    await session.flush()
    await _defer(session, delivery)
    return delivery


async def _defer(session: AsyncSession, delivery: Delivery) -> None:
    await jobs.defer(
        session,
        queue=jobs.MAIL_QUEUE,
        task=SEND,
        arguments={"delivery_id": str(delivery.id)},
        lock=f"delivery:{delivery.id}",
    )


async def waiting(session: AsyncSession, *, delivery_id: UUID) -> tuple[Delivery, Notice] | None:
    """A delivery that is still to be made, with its notice; None if there is nothing to do."""
    row = (
        await session.execute(
            select(Delivery, Notice)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(col(Delivery.id) == delivery_id, col(Delivery.state) == DeliveryState.QUEUED.value)
        )
    ).first()
    return None if row is None else (row[0], row[1])


@dataclass(frozen=True)
class Failure:
    """Why a try did not succeed. `final` says that no other will."""

    reason: str
    final: bool = False
    address: str | None = None


async def record_sent(session: AsyncSession, *, delivery_id: UUID, address: str) -> None:
    """The mail server took it. `address` is masked."""
    delivery = await _locked(session, delivery_id)
    if delivery.stands is not DeliveryState.QUEUED:
        return  # Somebody else was faster with the same mail.
    delivery.state = move(delivery.stands, DeliveryState.SENT).value
    delivery.sent_at = clock.now()
    delivery.next_attempt_at = None
    delivery.reason = None
    _attempted(session, delivery, address=address, outcome="sent", reason=None)


async def record_failure(
    session: AsyncSession, *, delivery_id: UUID, failure: Failure, schedule: Sequence[int]
) -> datetime | None:
    """It did not work. Returns when to try again, None if it is given up."""
    delivery = await _locked(session, delivery_id)
    if delivery.stands is not DeliveryState.QUEUED:
        return None
    _attempted(session, delivery, address=failure.address, outcome="failed", reason=failure.reason)
    delivery.reason = failure.reason
    delivery.next_attempt_at = (
        None if failure.final else next_try(attempts=delivery.attempts, now=clock.now(), schedule=schedule)
    )
    if delivery.next_attempt_at is None:
        delivery.state = move(delivery.stands, DeliveryState.FAILED).value
    return delivery.next_attempt_at


async def postpone(session: AsyncSession, *, delivery_id: UUID, until: datetime) -> None:
    """It waits for the end of the person's quiet hours; that is no attempt."""
    delivery = await _locked(session, delivery_id)
    if delivery.stands is DeliveryState.QUEUED:
        delivery.next_attempt_at = until
        delivery.reason = "waits for the end of quiet hours"


async def drop(session: AsyncSession, *, delivery_id: UUID, reason: str) -> None:
    """It is not wanted any more."""
    delivery = await _locked(session, delivery_id)
    if delivery.stands is DeliveryState.QUEUED:
        delivery.state = move(delivery.stands, DeliveryState.DROPPED).value
        delivery.next_attempt_at = None
        delivery.reason = reason


def _attempted(
    session: AsyncSession, delivery: Delivery, *, address: str | None, outcome: str, reason: str | None
) -> None:
    delivery.attempts += 1
    session.add(
        Attempt(
            delivery_id=delivery.id,
            number=delivery.attempts,
            at=clock.now(),
            address=address,
            outcome=outcome,
            reason=reason,
        )
    )


async def _locked(session: AsyncSession, delivery_id: UUID) -> Delivery:
    delivery = await session.get(Delivery, delivery_id, with_for_update=True)
    if delivery is None:
        raise NotFound("delivery", delivery_id)
    return delivery


@dataclass(frozen=True)
class Found:
    """A page of deliveries, newest first, each with its notice."""

    items: Sequence[tuple[Delivery, Notice]]
    next: UUID | None
    total: int


async def find(
    session: AsyncSession,
    *,
    person: str | None,
    state: DeliveryState | None,
    stuck: bool,
    limit: int,
    cursor: UUID | None,
) -> Found:
    """Deliveries to a person, or to everybody. `stuck` leaves out what went well at the first try, or still may."""
    conditions = []
    if person is not None:
        conditions.append(col(Delivery.person) == person)
    if state is not None:
        conditions.append(col(Delivery.state) == state.value)
    if stuck:
        tried_in_vain = and_(col(Delivery.state) == DeliveryState.QUEUED.value, col(Delivery.attempts) > 0)
        conditions.append(or_(col(Delivery.state) == DeliveryState.FAILED.value, tried_in_vain))
    total = await session.scalar(select(func.count()).select_from(Delivery).where(*conditions))
    if cursor is not None:
        conditions.append(col(Delivery.id) < cursor)
    rows = await session.execute(
        select(Delivery, Notice)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(*conditions)
        .order_by(col(Delivery.id).desc())
        .limit(limit + 1)
    )
    found = [(row[0], row[1]) for row in rows]
    more = found[limit - 1][0].id if len(found) > limit else None
    return Found(items=found[:limit], next=more, total=total or 0)


async def get(session: AsyncSession, *, delivery_id: UUID, person: str | None) -> tuple[Delivery, Notice]:
    """A delivery to this person, or to anybody. Raises NotFound: that others have one is nobody's business."""
    row = (
        await session.execute(
            select(Delivery, Notice)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(col(Delivery.id) == delivery_id)
        )
    ).first()
    if row is None or (person is not None and row[0].person != person):
        raise NotFound("delivery", delivery_id)
    return row[0], row[1]


async def attempts(session: AsyncSession, *, delivery_id: UUID) -> list[Attempt]:
    rows = await session.scalars(
        select(Attempt).where(col(Attempt.delivery_id) == delivery_id).order_by(col(Attempt.number))
    )
    return list(rows)


async def try_again(session: AsyncSession, *, delivery_id: UUID, person: str | None) -> tuple[Delivery, Notice]:
    """Somebody wants a failed mail to be tried again: at once, and then by what is left of the schedule."""
    await get(session, delivery_id=delivery_id, person=person)
    delivery = await _locked(session, delivery_id)
    try:
        delivery.state = move(delivery.stands, DeliveryState.QUEUED).value
    except WrongMove as error:
        raise Conflict(
            f"This delivery is {error.state}; only one that failed can be tried again.",
            state=error.state.value,
            possible=sorted(error.possible),
        ) from error
    delivery.next_attempt_at = None
    await session.flush()
    await _defer(session, delivery)
    return await get(session, delivery_id=delivery_id, person=person)
