"""What the other region's half tells. Every fact is kept, whenever it comes."""

import json
from datetime import date, datetime
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases import hints
from tibs_cases.desk import service as desk
from tibs_cases.introductions import halves, rules
from tibs_cases.introductions.model import Direction, EarlyFact, Introduction, Message
from tibs_cases.introductions.rules import Facts, IntroductionState
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known import service as profiles
from tibs_cases.promises import service as promises
from tibs_cases.promises.rules import PromiseKind
from tibs_cases.timeline.model import EntryKind
from tibs_chassis import clock
from tibs_chassis.inbox import Consumer, Handles, PermanentError, Received, Untrusted, handles
from tibs_chassis.log import logger
from tibs_chassis.sealing import SealError, open_sealed
from tibs_contracts.events import (
    ContactsDisclosed,
    DisclosedContact,
    Event,
    IntroductionAccepted,
    IntroductionAcknowledged,
    IntroductionCompleted,
    IntroductionConsented,
    IntroductionDeclined,
    IntroductionMessageSent,
    IntroductionRead,
    IntroductionReceived,
    IntroductionRequested,
    IntroductionStep,
    IntroductionWithdrawn,
    Side,
)
from tibs_contracts.topics import Channel, incoming

_AFTER_REQUEST: tuple[type[Event], ...] = (
    IntroductionReceived,
    IntroductionAcknowledged,
    IntroductionAccepted,
    IntroductionConsented,
    IntroductionDeclined,
    IntroductionWithdrawn,
    IntroductionMessageSent,
    IntroductionRead,
    IntroductionCompleted,
    ContactsDisclosed,
)


async def on_requested(session: AsyncSession, node: CasesNode, received: Received[IntroductionRequested]) -> None:
    """A request from another region joins the queue; what came before it is applied now."""
    event = received.data
    half = await halves.locked(session, event.introduction_id)
    if half is not None:
        _require_partner(half, region=received.region)
        _require_fact("requested", told_by=rules.other(half.side))
        return  # Told again: mirrors repeat themselves.
    if received.region not in node.regions:
        raise PermanentError(f"region '{received.region}' is not in this node's list of regions")
    await halves.alone(session, event.introduction_id)
    if (again := await session.get(Introduction, event.introduction_id)) is not None:
        _require_partner(again, region=received.region)
        return
    profile = await profiles.known(session, profile_id=event.profile_id)
    if profile is not None and profile.region != node.region:
        raise PermanentError(
            f"region '{received.region}' asks for profile {event.profile_id}, which belongs to '{profile.region}'"
        )
    half = await _enter(session, node=node, received=received, title=profile.title if profile else None)
    await _catch_up(session, node=node, half=half)


async def _enter(
    session: AsyncSession, *, node: CasesNode, received: Received[IntroductionRequested], title: str | None
) -> Introduction:
    event, now = received.data, clock.now()
    in_charge = await desk.in_charge_of_profile(session, node=node, profile_id=event.profile_id)
    half = Introduction(
        id=event.introduction_id,
        side=Side.COUNTERPART,
        state=IntroductionState.REQUESTED,
        other_region=received.region,
        case_id=event.case_id,
        profile_id=event.profile_id,
        profile_reference=event.profile_reference,
        profile_title=title or event.profile_reference,
        need=event.need.model_dump(mode="json", exclude_none=True),
        message=event.message,
        desk=event.desk,
        broker=in_charge.broker,
        requested=event.requested_at,
    )
    half.hold(Facts().with_fact("received", now))
    session.add(half)
    await halves.write_entry(
        session,
        node=node,
        half=half,
        kind=EntryKind.INTRODUCTION_RECEIVED,
        theirs=True,
        at=event.requested_at,
        details={"text": event.message, "desk": event.desk},
    )
    acknowledge_by, answer_by = [
        await promises.make(
            session,
            node=node,
            kind=kind,
            case_id=half.case_id,
            feed=half.feed,
            title=event.need.title,
            responsible=half.broker,
            introduction_id=half.id,
            made_at=now,
        )
        for kind in (PromiseKind.ACKNOWLEDGEMENT, PromiseKind.CLIENT_DECISION)
    ]
    half.acknowledge_due, half.answer_due = acknowledge_by.due, answer_by.due
    await halves.tell_other(
        session,
        node=node,
        half=half,
        event=IntroductionReceived(
            introduction_id=half.id,
            received_at=now,
            acknowledge_due=acknowledge_by.due,
            answer_due=answer_by.due,
        ),
    )
    await halves.tell_node(
        session, node=node, half=half, step=IntroductionStep.RECEIVED, due=acknowledge_by.due, at=now
    )
    return half


async def on_fact(session: AsyncSession, node: CasesNode, received: Received[Event]) -> None:
    """Any fact about an introduction after its request."""
    event = received.data
    introduction_id: UUID = event.introduction_id  # type: ignore[attr-defined] # every one of _AFTER_REQUEST has it
    half = await halves.locked(session, introduction_id)
    if half is None:
        await halves.alone(session, introduction_id)
        half = await session.get(Introduction, introduction_id)
    if half is None:
        await _keep_for_later(session, received=received, introduction_id=introduction_id)
        return
    _require_partner(half, region=received.region)
    await _apply(session, node, half, event)


async def _keep_for_later(session: AsyncSession, *, received: Received[Event], introduction_id: UUID) -> None:
    session.add(
        EarlyFact(
            region=received.region,
            introduction_id=introduction_id,
            event_id=received.envelope.id,
            type=received.data.type,
            data=json.loads(received.data.model_dump_json()),
            arrived_at=clock.now(),
        )
    )


async def _catch_up(session: AsyncSession, *, node: CasesNode, half: Introduction) -> None:
    kinds = {kind.type: kind for kind in _AFTER_REQUEST}
    early_facts = await session.scalars(
        select(EarlyFact)
        .where(col(EarlyFact.introduction_id) == half.id, col(EarlyFact.region) == half.other_region)
        .order_by(col(EarlyFact.event_id))
    )
    for early in early_facts.all():
        event = kinds[early.type].read(json.dumps(early.data).encode())
        try:
            await _apply(session, node, half, event)
        except PermanentError as refused:
            # The request itself is sound; what came early and is refused stays where it can be looked at.
            logger.warning(
                "introduction.early_fact_refused", event_id=str(early.event_id), type=early.type, reason=str(refused)
            )
            continue
        await session.delete(early)


def _require_partner(half: Introduction, *, region: str) -> None:
    if half.other_region != region:
        raise Untrusted(
            f"introduction {half.id} is with region '{half.other_region}'; region '{region}' has no part in it"
        )


def _require_fact(fact: str, *, told_by: Side) -> None:
    try:
        rules.check_fact(fact, told_by=told_by)
    except rules.NotTheirs as refused:
        raise PermanentError(str(refused)) from refused


async def _apply(session: AsyncSession, node: CasesNode, half: Introduction, event: Event) -> None:
    """Joins one fact to the half, tells of it if it is new, and does what follows."""
    if isinstance(event, IntroductionMessageSent):
        await _take_message(session, node=node, half=half, event=event)
        return
    if isinstance(event, IntroductionRead):
        await _take_read(session, half=half, event=event)
        return
    fact, at = _fact_of(event, side=rules.other(half.side))
    _require_fact(fact, told_by=rules.other(half.side))
    if isinstance(event, ContactsDisclosed):
        _take_contact(node, half=half, event=event)
    ended_before, new = half.facts.ended, not half.facts.holds(fact)
    half.hold(Facts().with_fact(fact, at))
    if new:
        _note(half, event)
        told = _TELLING.get(type(event))
        if told is not None:
            kind, step = told
            # Home tells when its client said yes, not when it wrote that down: the entry stands where it was heard.
            heard = clock.now() if isinstance(event, IntroductionConsented) else at
            await halves.write_entry(
                session, node=node, half=half, kind=kind, theirs=True, at=heard, details=_details(event)
            )
            # A refusal is the last that anybody is called for; what came too late stands in the timeline only.
            if step is not None and not ended_before:
                await halves.tell_node(session, node=node, half=half, step=step, due=_due(event), at=heard)
        if isinstance(event, IntroductionAccepted):
            await _promise_consent(session, node=node, half=half)
    await halves.follow_up(session, node=node, half=half)


_TELLING: dict[type[Event], tuple[EntryKind, IntroductionStep | None]] = {
    IntroductionReceived: (EntryKind.INTRODUCTION_DELIVERED, IntroductionStep.DELIVERED),
    IntroductionAcknowledged: (EntryKind.INTRODUCTION_ACKNOWLEDGED, IntroductionStep.ACKNOWLEDGED),
    IntroductionAccepted: (EntryKind.INTRODUCTION_ACCEPTED, IntroductionStep.ACCEPTED),
    IntroductionConsented: (EntryKind.INTRODUCTION_CONSENTED, IntroductionStep.CONSENTED),
    IntroductionDeclined: (EntryKind.INTRODUCTION_DECLINED, IntroductionStep.DECLINED),
    IntroductionWithdrawn: (EntryKind.INTRODUCTION_WITHDRAWN, IntroductionStep.WITHDRAWN),
    ContactsDisclosed: (EntryKind.CONTACT_RECEIVED, None),
}


def _fact_of(event: Event, *, side: Side) -> tuple[str, datetime]:
    """Which fact an event of the half on `side` tells, and since when it holds."""
    match event:
        case IntroductionReceived():
            return "received", event.received_at
        case IntroductionAcknowledged():
            return "acknowledged", event.acknowledged_at
        case IntroductionAccepted():
            return "accepted", event.accepted_at
        case IntroductionConsented():
            return "consented", event.consent.given_at
        case IntroductionDeclined():
            return "declined", event.declined_at
        case IntroductionWithdrawn():
            return "withdrawn", event.withdrawn_at
        case IntroductionCompleted():
            return rules.own(side, "completed"), event.completed_at
        case ContactsDisclosed():
            return rules.own(side, "disclosed"), event.disclosed_at
        case _:
            raise PermanentError(f"{event.type} tells no fact of an introduction")


def _note(half: Introduction, event: Event) -> None:
    """What a fact carries besides itself."""
    match event:
        case IntroductionReceived():
            half.acknowledge_due, half.answer_due = event.acknowledge_due, event.answer_due
        case IntroductionAccepted() | IntroductionConsented():
            half.other_consent = event.consent.model_dump(mode="json")
        case IntroductionDeclined():
            half.decline_reason, half.note = event.reason, event.note
        case IntroductionWithdrawn():
            half.note = half.note or event.note
        case _:
            pass


def _details(event: Event) -> dict[str, str]:
    match event:
        case IntroductionReceived():
            return {"due": event.answer_due.isoformat()}
        case IntroductionAccepted() | IntroductionConsented():
            return {"method": event.consent.method.value}
        case IntroductionDeclined():
            return {"reason": event.reason.value, "text": event.note}
        case IntroductionWithdrawn():
            return {"text": event.note}
        case _:
            return {}


def _due(event: Event) -> date | None:
    return event.answer_due if isinstance(event, IntroductionReceived) else None


def _take_contact(node: CasesNode, *, half: Introduction, event: ContactsDisclosed) -> None:
    """Opens what the other side released. Kept only if nobody refused."""
    if not rules.may_keep_contact(half.facts) or half.other_contact is not None:
        return
    if node.contacts_key is None:
        raise PermanentError("this node has no key to open contact data with")
    try:
        opened = open_sealed(event.sealed, key=node.contacts_key)
        contact = DisclosedContact.model_validate_json(opened, extra="ignore")
    except SealError as error:
        raise PermanentError(str(error)) from error
    except ValidationError as error:
        # What it held stays out of the reason: it is somebody's data.
        place = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise PermanentError(f"the sealed contact does not fit at /{place}") from None
    half.other_contact = contact.model_dump(mode="json", exclude_none=True)


async def _take_message(
    session: AsyncSession, *, node: CasesNode, half: Introduction, event: IntroductionMessageSent
) -> None:
    if await session.get(Message, event.message_id) is not None:
        return
    session.add(
        Message(
            id=event.message_id,
            introduction_id=half.id,
            direction=Direction.IN,
            text=event.text,
            language=event.language,
            sent_at=event.sent_at,
        )
    )
    await halves.write_entry(
        session,
        node=node,
        half=half,
        kind=EntryKind.MESSAGE,
        theirs=True,
        at=event.sent_at,
        details={"text": event.text, "message_id": str(event.message_id)},
    )
    await halves.tell_node(session, node=node, half=half, step=IntroductionStep.MESSAGE)


async def _take_read(session: AsyncSession, *, half: Introduction, event: IntroductionRead) -> None:
    """Of two times for one reading the earlier counts, whichever was told first."""
    if half.side is Side.HOME:
        half.hold(Facts().with_fact("read", event.read_at))
    rows = await session.scalars(
        select(Message).where(
            col(Message.id).in_(event.message_ids),
            col(Message.introduction_id) == half.id,
            col(Message.direction) == Direction.OUT,
        )
    )
    for message in rows.all():
        message.read_at = event.read_at if message.read_at is None else min(message.read_at, event.read_at)
    await hints.changed(session, introduction=half.id, case=half.case_id if half.side is Side.HOME else None)


async def _promise_consent(session: AsyncSession, *, node: CasesNode, half: Introduction) -> None:
    """The counterpart said yes: now our own client's answer is awaited."""
    if half.facts.ended or half.facts.holds("consented"):
        return
    await promises.make(
        session,
        node=node,
        kind=PromiseKind.CLIENT_DECISION,
        case_id=half.case_id,
        feed=half.feed,
        title=half.need["title"],
        responsible=half.broker,
        introduction_id=half.id,
    )


def consumers(node: CasesNode) -> list[Consumer]:
    async def requested(session: AsyncSession, received: Received[IntroductionRequested]) -> None:
        await on_requested(session, node, received)

    async def fact(session: AsyncSession, received: Received[Event]) -> None:
        await on_fact(session, node, received)

    def of(channel: Channel) -> list[Handles]:
        return [handles(kind, fact, latest_only=False) for kind in _AFTER_REQUEST if kind.channel is channel]

    return [
        Consumer(
            "introductions",
            topics=incoming(Channel.CASES, node.region),
            handlers=[handles(IntroductionRequested, requested, latest_only=False), *of(Channel.CASES)],
        ),
        Consumer("contacts", topics=incoming(Channel.CONTACTS, node.region), handlers=of(Channel.CONTACTS)),
    ]
