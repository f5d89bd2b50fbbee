"""What became of mails, over HTTP. People see their own; a lead may look at the whole desk's."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tibs_chassis.auth import Caller, Principal, Role
from tibs_chassis.edge import EdgeRoute, Session
from tibs_chassis.node import Node
from tibs_chassis.problems import Forbidden
from tibs_chassis.text import Output
from tibs_notify.deliveries import service
from tibs_notify.deliveries.model import Delivery
from tibs_notify.deliveries.rules import DeliveryState
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import NoticeKind
from tibs_notify.notices.texts import words_of
from tibs_notify.paging import Cursor, Limit, Page
from tibs_notify.preferences.rules import Channel
from tibs_notify.wiring import Here

router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"], route_class=EdgeRoute)

Desk = Annotated[bool, Query(description="of the whole desk, for leads")]
Stuck = Annotated[bool, Query(description="only what failed, or was tried in vain and waits for its next attempt")]


class DeliveryOut(Output):
    """A notice on its way. `subject` is the mail's, in the caller's language; `reason` says why it is not there yet."""

    id: UUID
    notice_id: UUID
    person: str
    kind: NoticeKind
    channel: Channel
    state: DeliveryState
    subject: str
    link: str
    attempts: int
    reason: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    sent_at: datetime | None


class AttemptOut(Output):
    """One try. `address` is masked."""

    number: int
    at: datetime
    address: str | None
    outcome: str
    reason: str | None


class DeliveryWithLog(DeliveryOut):
    """A delivery with everything that was tried."""

    log: list[AttemptOut]


def _told(delivery: Delivery, notice: Notice, *, language: str, node: Node) -> DeliveryOut:
    return DeliveryOut(
        id=delivery.id,
        notice_id=notice.id,
        person=delivery.person,
        kind=notice.what,
        channel=Channel(delivery.channel),
        state=delivery.stands,
        subject=words_of(notice.what, notice.parameters, language=language, regions=node.regions).title,
        link=notice.link,
        attempts=delivery.attempts,
        reason=delivery.reason,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_attempt_at,
        sent_at=delivery.sent_at,
    )


def _whose(caller: Principal) -> str | None:
    """Whose deliveries the caller may see: of everybody, or of one person."""
    return None if caller.has(Role.LEAD) else caller.person


@router.get("")
async def list_deliveries(
    session: Session,
    caller: Caller,
    node: Here,
    state: DeliveryState | None = None,
    desk: Desk = False,
    stuck: Stuck = False,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Page[DeliveryOut]:
    """The caller's deliveries, newest first."""
    if desk and not caller.has(Role.LEAD):
        raise Forbidden("Only a lead sees the deliveries of the whole desk; leave `desk` out to see your own.")
    person = None if desk else caller.person
    found = await service.find(session, person=person, state=state, stuck=stuck, limit=limit, cursor=cursor)
    return Page(
        items=[_told(delivery, notice, language=caller.language, node=node) for delivery, notice in found.items],
        next=found.next,
        total=found.total,
    )


@router.get("/{delivery_id}")
async def get_delivery(delivery_id: UUID, session: Session, caller: Caller, node: Here) -> DeliveryWithLog:
    """One delivery with its log."""
    delivery, notice = await service.get(session, delivery_id=delivery_id, person=_whose(caller))
    told = _told(delivery, notice, language=caller.language, node=node)
    log = [AttemptOut.model_validate(one) for one in await service.attempts(session, delivery_id=delivery_id)]
    return DeliveryWithLog(**told.model_dump(), log=log)


@router.post("/{delivery_id}/attempts", status_code=202)
async def try_delivery_again(delivery_id: UUID, session: Session, caller: Caller, node: Here) -> DeliveryOut:
    """Puts a failed mail into the queue again."""
    delivery, notice = await service.try_again(session, delivery_id=delivery_id, person=_whose(caller))
    return _told(delivery, notice, language=caller.language, node=node)
