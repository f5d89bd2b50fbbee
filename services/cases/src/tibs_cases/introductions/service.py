"""Use cases of introductions: what this region's brokers do with their half."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.desk import service as desk
from tibs_cases.desk.model import Person
from tibs_cases.introductions import halves, rules
from tibs_cases.introductions.model import Direction, Introduction, Message
from tibs_cases.introductions.rules import Facts, Move
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known.model import OwnProfile
from tibs_cases.promises import service as promises
from tibs_cases.promises.rules import PromiseKind
from tibs_cases.refusals import refusals
from tibs_cases.timeline.model import EntryKind
from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal, Role
from tibs_chassis.problems import Conflict, FieldError, Forbidden, Invalid, NotFound
from tibs_contracts.codes import ConsentMethod, DeclineReason
from tibs_contracts.events import (
    Consent,
    DisclosedContact,
    Event,
    IntroductionAccepted,
    IntroductionAcknowledged,
    IntroductionConsented,
    IntroductionDeclined,
    IntroductionMessageSent,
    IntroductionRead,
    IntroductionStep,
    IntroductionWithdrawn,
    Side,
)
from tibs_contracts.ids import new_id


@dataclass(frozen=True)
class ClientYes:
    """A client's yes to one introduction, as its broker records it: which client, which contact, when and how."""

    actor_id: UUID
    contact_id: UUID
    method: ConsentMethod
    given_at: datetime
    text_version: str


async def half_for(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID, lock: bool = False
) -> Introduction:
    """This region's half, for somebody who may work it. Raises NotFound or Forbidden."""
    half = await (halves.locked(session, introduction_id) if lock else session.get(Introduction, introduction_id))
    if half is None:
        raise NotFound("introduction", introduction_id)
    await desk.require_may_act(session, node=node, principal=principal, broker=half.broker)
    return half


async def _half_to_move(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID, move: Move
) -> Introduction:
    half = await half_for(session, node=node, principal=principal, introduction_id=introduction_id, lock=True)
    with refusals():
        rules.check_move(half.facts, side=half.side, move=move)
    if half.broker is None:
        half.broker = principal.person  # Whoever acts first on what belongs to nobody takes it.
        await promises.hand_over(session, feed=half.feed, responsible=half.broker, introduction_id=half.id)
    return half


async def acknowledge(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID
) -> Introduction:
    """The counterpart's broker has seen the request and takes care of it."""
    half = await _half_to_move(
        session, node=node, principal=principal, introduction_id=introduction_id, move=Move.ACKNOWLEDGE
    )
    now = clock.now()
    await _do(
        session,
        node=node,
        principal=principal,
        half=half,
        fact="acknowledged",
        at=now,
        event=IntroductionAcknowledged(introduction_id=half.id, acknowledged_at=now),
        kind=EntryKind.INTRODUCTION_ACKNOWLEDGED,
        step=IntroductionStep.ACKNOWLEDGED,
        keeps=(PromiseKind.ACKNOWLEDGEMENT,),
    )
    return half


async def accept(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    introduction_id: UUID,
    yes: ClientYes,
    contact: DisclosedContact,
) -> Introduction:
    """The counterpart's client said yes; `contact` is what is released once the home client has said yes too."""
    half = await _half_to_move(
        session, node=node, principal=principal, introduction_id=introduction_id, move=Move.ACCEPT
    )
    profile = await session.get(OwnProfile, half.profile_id)
    contact = await _with_broker(session, principal=principal, contact=contact)
    consent = _record_yes(
        node, half, principal=principal, yes=yes, contact=contact, client=profile.actor_id if profile else None
    )
    now = clock.now()
    await _do(
        session,
        node=node,
        principal=principal,
        half=half,
        fact="accepted",
        at=now,
        event=IntroductionAccepted(introduction_id=half.id, consent=consent, accepted_at=now),
        kind=EntryKind.INTRODUCTION_ACCEPTED,
        step=IntroductionStep.ACCEPTED,
        keeps=(PromiseKind.ACKNOWLEDGEMENT, PromiseKind.CLIENT_DECISION),
        details={"method": yes.method.value},
    )
    return half


async def consent(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    introduction_id: UUID,
    yes: ClientYes,
    contact: DisclosedContact,
) -> Introduction:
    """The home client said yes; `contact` is what is released once the counterpart's client has said yes too."""
    half = await _half_to_move(
        session, node=node, principal=principal, introduction_id=introduction_id, move=Move.CONSENT
    )
    contact = await _with_broker(session, principal=principal, contact=contact)
    recorded = _record_yes(node, half, principal=principal, yes=yes, contact=contact, client=half.client_actor_id)
    await _do(
        session,
        node=node,
        principal=principal,
        half=half,
        fact="consented",
        at=yes.given_at,
        event=IntroductionConsented(introduction_id=half.id, consent=recorded),
        kind=EntryKind.INTRODUCTION_CONSENTED,
        step=IntroductionStep.CONSENTED,
        keeps=(PromiseKind.CLIENT_DECISION,),
        details={"method": yes.method.value},
    )
    return half


async def _with_broker(session: AsyncSession, *, principal: Principal, contact: DisclosedContact) -> DisclosedContact:
    """The contact with the broker who releases it, as the desk knows the person."""
    person = await session.get(Person, principal.person)
    email = principal.email or (person.email if person is not None else None)
    return contact.model_copy(update={"broker": principal.name, "broker_email": email})


def _record_yes(
    node: CasesNode,
    half: Introduction,
    *,
    principal: Principal,
    yes: ClientYes,
    contact: DisclosedContact,
    client: UUID | None,
) -> Consent:
    halves.require_key(node, half.other_region)
    errors = []
    if client is not None and yes.actor_id != client:
        errors.append(
            FieldError(pointer="/actor_id", reason="should be the client of this introduction", held=str(yes.actor_id))
        )
    if yes.given_at > clock.now():
        errors.append(
            FieldError(pointer="/given_at", reason="should not lie in the future", held=yes.given_at.isoformat())
        )
    if errors:
        raise Invalid("The client's yes does not fit.", errors=errors)
    half.client_actor_id = yes.actor_id
    half.own_contact = contact.model_dump(mode="json", exclude_none=True)
    half.own_consent = {
        "actor_id": str(yes.actor_id),
        "contact_id": str(yes.contact_id),
        "method": yes.method.value,
        "given_at": yes.given_at.isoformat(),
        "text_version": yes.text_version,
        "purpose": halves.PURPOSE,
        "to": half.other_region,
        "recorded_by": principal.person,
    }
    return Consent(given_at=yes.given_at, method=yes.method, text_version=yes.text_version)


async def decline(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    introduction_id: UUID,
    reason: DeclineReason,
    note: str = "",
) -> Introduction:
    """The counterpart says no, with a reason that the home broker can tell the client. The note travels."""
    half = await _half_to_move(
        session, node=node, principal=principal, introduction_id=introduction_id, move=Move.DECLINE
    )
    now = clock.now()
    half.decline_reason, half.note = reason, note
    await _do(
        session,
        node=node,
        principal=principal,
        half=half,
        fact="declined",
        at=now,
        event=IntroductionDeclined(introduction_id=half.id, reason=reason, note=note, declined_at=now),
        kind=EntryKind.INTRODUCTION_DECLINED,
        step=IntroductionStep.DECLINED,
        keeps=(PromiseKind.ACKNOWLEDGEMENT, PromiseKind.CLIENT_DECISION),
        details={"reason": reason.value, "text": note},
    )
    return half


async def withdraw(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID, note: str = ""
) -> Introduction:
    """The home broker takes the request back, as long as the client's contact has not left."""
    half = await _half_to_move(
        session, node=node, principal=principal, introduction_id=introduction_id, move=Move.WITHDRAW
    )
    now = clock.now()
    half.note = note
    await _do(
        session,
        node=node,
        principal=principal,
        half=half,
        fact="withdrawn",
        at=now,
        event=IntroductionWithdrawn(introduction_id=half.id, note=note, withdrawn_at=now),
        kind=EntryKind.INTRODUCTION_WITHDRAWN,
        step=IntroductionStep.WITHDRAWN,
        keeps=(),
        details={"text": note},
    )
    return half


async def write_message(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID, text: str, language: str
) -> Message:
    """Writes to the other broker: a question, an answer, a remark."""
    half = await _half_to_move(
        session, node=node, principal=principal, introduction_id=introduction_id, move=Move.WRITE
    )
    message = Message(
        id=new_id(),
        introduction_id=half.id,
        direction=Direction.OUT,
        text=text,
        language=language,
        by=principal.person,
        sent_at=clock.now(),
    )
    event = IntroductionMessageSent(
        introduction_id=half.id, message_id=message.id, text=text, language=language, sent_at=message.sent_at
    )
    message.event = await halves.tell_other(session, node=node, half=half, event=event)
    session.add(message)
    await halves.write_entry(
        session,
        node=node,
        half=half,
        kind=EntryKind.MESSAGE,
        by=principal.person,
        details={"text": text, "message_id": str(message.id)},
    )
    await halves.tell_node(session, node=node, half=half, step=IntroductionStep.MESSAGE, by=principal.person)
    return message


async def mark_read(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID
) -> Introduction:
    """A person has the introduction on the screen: what came from the other side counts as read, and that is told once.

    Only by whose work it is, or who stands in; a lead who looks over a shoulder has not read it for them.
    """
    half = await half_for(session, node=node, principal=principal, introduction_id=introduction_id)
    own = await desk.own_and_deputised(session, node=node, principal=principal)
    if (half.broker is not None and half.broker not in own) or not await _unread(session, half):
        return half
    half = await half_for(session, node=node, principal=principal, introduction_id=introduction_id, lock=True)
    unread = await _unread(session, half)
    if not unread:
        return half
    now = clock.now()
    if half.side is Side.COUNTERPART:
        half.hold(Facts().with_fact("read", now))
    messages = [one for one in unread if isinstance(one, Message)]
    for message in messages:
        message.read_at = now
    event = IntroductionRead(introduction_id=half.id, message_ids=[message.id for message in messages], read_at=now)
    await halves.tell_other(session, node=node, half=half, event=event)
    return half


async def _unread(session: AsyncSession, half: Introduction) -> list[Message | Introduction]:
    """What of the other side nobody here has opened. Nothing once it was refused: nothing leaves this half then."""
    if half.facts.ended:
        return []
    rows = await session.scalars(
        select(Message)
        .where(
            col(Message.introduction_id) == half.id,
            col(Message.direction) == Direction.IN,
            col(Message.read_at).is_(None),
        )
        .order_by(col(Message.id))
    )
    request = [half] if half.side is Side.COUNTERPART and not half.facts.holds("read") else []
    return [*request, *rows.all()]


async def assign_introduction(
    session: AsyncSession, *, node: CasesNode, principal: Principal, introduction_id: UUID, broker: str
) -> Introduction:
    """A lead gives the counterpart's half to a broker. The home half follows its case."""
    if not principal.has(Role.LEAD):
        raise Forbidden("Only a lead assigns an introduction.")
    half = await half_for(session, node=node, principal=principal, introduction_id=introduction_id, lock=True)
    if half.side is Side.HOME:
        raise Conflict("The home side follows its case: assign the case.", slug="assign-the-case")
    await desk.require_broker(session, person_id=broker)
    half.broker = broker
    await promises.hand_over(session, feed=half.feed, responsible=broker, introduction_id=half.id)
    await halves.write_entry(
        session,
        node=node,
        half=half,
        kind=EntryKind.INTRODUCTION_ASSIGNED,
        by=principal.person,
        details={"broker": broker},
    )
    await halves.tell_node(
        session,
        node=node,
        half=half,
        step=IntroductionStep.RECEIVED,
        by=principal.person,
        due=half.answer_due,
    )
    return half


async def _do(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    half: Introduction,
    fact: str,
    at: datetime,
    event: Event,
    kind: EntryKind,
    step: IntroductionStep,
    keeps: tuple[PromiseKind, ...],
    details: dict[str, str] | None = None,
) -> None:
    """One move of a broker: the fact, told to the other half, the timeline, the node and the audit log."""
    half.hold(Facts().with_fact(fact, at))
    await halves.tell_other(session, node=node, half=half, event=event)
    await halves.write_entry(session, node=node, half=half, kind=kind, by=principal.person, details=details)
    if keeps:
        await promises.settle(session, node=node, feed=half.feed, kinds=keeps, introduction_id=half.id)
    await halves.tell_node(session, node=node, half=half, step=step, by=principal.person)
    await audit_move(session, principal=principal, action=f"introduction.{fact}", half=half)
    await halves.follow_up(session, node=node, half=half)


async def audit_move(session: AsyncSession, *, principal: Principal, action: str, half: Introduction) -> None:
    await audit.record(
        session,
        principal=principal,
        action=action,
        subject=f"introduction:{half.id}",
        detail={"other_region": half.other_region},
    )
