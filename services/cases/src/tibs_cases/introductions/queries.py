"""Reading introductions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.desk import service as desk
from tibs_cases.introductions import rules
from tibs_cases.introductions.model import Direction, Introduction, Message
from tibs_cases.introductions.rules import Delivery, IntroductionState, Move
from tibs_cases.introductions.service import half_for
from tibs_cases.node import CasesNode
from tibs_chassis import audit
from tibs_chassis.auth import Principal, Role
from tibs_chassis.outbox import failure as outbox_failure
from tibs_chassis.tables import outbox, outbox_waiting
from tibs_contracts.events import DisclosedContact, Side


@dataclass(frozen=True)
class Sent:
    """Something that was sent to the other region, and how far it has come."""

    what: str
    """`request`, `message`, `contact`."""
    id: UUID
    at: datetime
    delivery: Delivery
    read_at: datetime | None = None
    """When it was first opened there, by that region's clock."""
    next_attempt_at: datetime | None = None
    """When sending is tried again, if it failed; none while it is being tried all the time."""


@dataclass(frozen=True)
class IntroductionView:
    """A half as a broker looks at it. Contacts are read separately, because reading them is written down."""

    half: Introduction
    messages: list[Message]
    sent: list[Sent]
    possible: frozenset[Move]


async def get_introduction(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID
) -> IntroductionView:
    """One half, with its messages, the way of what was sent, and what can be done now."""
    half = await half_for(session, node=node, principal=principal, introduction_id=introduction_id)
    rows = await session.scalars(
        select(Message).where(col(Message.introduction_id) == half.id).order_by(col(Message.sent_at), col(Message.id))
    )
    messages = list(rows.all())
    return IntroductionView(
        half=half,
        messages=messages,
        sent=await deliveries(session, node=node, half=half, messages=messages),
        possible=rules.possible(half.facts, side=half.side),
    )


async def deliveries(
    session: AsyncSession, *, node: CasesNode, half: Introduction, messages: Sequence[Message] = ()
) -> list[Sent]:
    """How far each thing sent to the other region has come, in the order of sending."""
    own_messages = [message for message in messages if message.direction is Direction.OUT]
    events = [half.request_event, half.contact_event, *(message.event for message in own_messages)]
    waiting = await _unpublished(session, ids=[event for event in events if event is not None])
    # Asked only when something waits: a page without waiting words needs no word about the relay.
    failure = await outbox_failure(session) if waiting else None
    facts = half.facts
    sent: list[Sent] = []

    def told(what: str, id: UUID, at: datetime, delivery: Delivery, read_at: datetime | None = None) -> Sent:
        again = failure.next_attempt_at if failure is not None and delivery is Delivery.FAILED else None
        return Sent(what, id, at, delivery, read_at=read_at, next_attempt_at=again)

    if half.side is Side.HOME:
        decided = facts.holds("accepted") or facts.holds("declined")
        today = desk.today_in(node, half.other_region) if half.other_region in node.regions else desk.today_in(node)
        late_answer = half.answer_due is not None and today > half.answer_due
        late_reaction = half.acknowledge_due is not None and today > half.acknowledge_due and not facts.answered
        delivery = rules.delivery_of(
            published=half.request_event not in waiting,
            delivered=facts.holds("received"),
            answered=decided or (facts.answered and not late_answer),
            overdue=not decided and not facts.ended and (late_answer or late_reaction),
            read=facts.holds("read"),
            failing=failure is not None,
        )
        sent.append(told("request", half.id, half.requested, delivery, facts.read))
    last_in = max((m.sent_at for m in messages if m.direction is Direction.IN), default=None)
    for message in own_messages:
        delivery = rules.delivery_of(
            published=message.event not in waiting,
            delivered=False,  # The protocol has no receipt for messages; reading or an answer proves that they came.
            answered=last_in is not None and last_in > message.sent_at,
            overdue=False,
            read=message.read_at is not None,
            failing=failure is not None,
        )
        sent.append(told("message", message.id, message.sent_at, delivery, message.read_at))
    disclosed = getattr(facts, rules.own(half.side, "disclosed"))
    if disclosed is not None:
        delivery = rules.delivery_of(
            published=half.contact_event not in waiting,
            delivered=facts.holds(rules.own(rules.other(half.side), "completed")),
            answered=False,
            overdue=False,
            failing=failure is not None,
        )
        sent.append(told("contact", half.id, disclosed, delivery))
    return sorted(sent, key=lambda each: each.at)


async def _unpublished(session: AsyncSession, *, ids: Sequence[UUID]) -> frozenset[UUID]:
    if not ids:
        return frozenset()
    rows = await session.scalars(
        select(outbox.c.event_id)
        .join(outbox_waiting, outbox_waiting.c.seq == outbox.c.seq)
        .where(outbox.c.event_id.in_(ids))
    )
    return frozenset(rows.all())


async def list_introductions(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    side: Side | None = None,
    states: frozenset[IntroductionState] = frozenset(),
    case_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> tuple[list[Introduction], int]:
    """The newest first, and how many there are in all. A broker sees the own and those stood in for, a lead all."""
    query = select(Introduction)
    if not principal.has(Role.LEAD):
        own = await desk.own_and_deputised(session, node=node, principal=principal)
        query = query.where(col(Introduction.broker).in_(own))
    if side is not None:
        query = query.where(col(Introduction.side) == side)
    if states:
        query = query.where(col(Introduction.state).in_(states))
    if case_id is not None:
        query = query.where(col(Introduction.case_id) == case_id)
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if before is not None:
        query = query.where(col(Introduction.id) < before)
    rows = await session.scalars(query.order_by(col(Introduction.id).desc()).limit(limit))
    return list(rows.all()), total


@dataclass(frozen=True)
class Contacts:
    """Who was released by us, and who by the other side: the latter only once the two are introduced."""

    own: DisclosedContact | None
    other: DisclosedContact | None


async def read_contacts(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID
) -> Contacts:
    """Contact data, for who may work the introduction. Reading is audited: the caller must commit, also after a GET."""
    half = await half_for(session, node=node, principal=principal, introduction_id=introduction_id)
    introduced = half.state is IntroductionState.INTRODUCED
    contacts = Contacts(
        own=_contact(half.own_contact),
        other=_contact(half.other_contact) if introduced else None,
    )
    if contacts.own is not None or contacts.other is not None:
        await audit.record(
            session,
            principal=principal,
            action="contact.read",
            subject=f"introduction:{half.id}",
            detail={"own": str(contacts.own is not None).lower(), "other": str(contacts.other is not None).lower()},
        )
    return contacts


def _contact(value: dict[str, object] | None) -> DisclosedContact | None:
    return None if value is None else DisclosedContact.model_validate(value)
