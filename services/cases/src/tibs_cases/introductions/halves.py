"""What both the broker's moves and the other region's facts bring about in this half."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases import hints
from tibs_cases.cases import service as cases
from tibs_cases.cases.model import Case
from tibs_cases.cases.rules import CaseState
from tibs_cases.desk import service as desk
from tibs_cases.introductions import rules
from tibs_cases.introductions.model import Introduction
from tibs_cases.node import CasesNode
from tibs_cases.promises import service as promises
from tibs_cases.timeline import service as timeline
from tibs_cases.timeline.model import EntryKind
from tibs_chassis import audit, clock
from tibs_chassis.problems import Conflict, NotFound
from tibs_chassis.sealing import seal
from tibs_contracts.codes import Sector
from tibs_contracts.events import (
    CaseIntroduced,
    ContactsDisclosed,
    DisclosedContact,
    Event,
    IntroductionCompleted,
    IntroductionMoved,
    IntroductionStep,
    PromiseState,
    Side,
)

PURPOSE = "introduction of two clients who both consented to it"


async def alone(session: AsyncSession, introduction_id: UUID) -> None:
    """Until the transaction ends nobody else works on this introduction, even if it is not there yet."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": f"introduction:{introduction_id}"}
    )


async def locked(session: AsyncSession, introduction_id: UUID) -> Introduction | None:
    """The half, locked, with its case before it if that is ours: everybody locks in this order."""
    found = (
        await session.execute(
            select(col(Introduction.side), col(Introduction.case_id)).where(col(Introduction.id) == introduction_id)
        )
    ).first()
    if found is None:
        return None
    if found.side is Side.HOME:
        await session.get(Case, found.case_id, with_for_update=True)
    await alone(session, introduction_id)
    return await session.get(Introduction, introduction_id, with_for_update=True)


async def case_of(session: AsyncSession, half: Introduction) -> Case:
    """The home half's own case."""
    case = await session.get(Case, half.case_id)
    if case is None:
        raise NotFound("case", half.case_id)
    return case


def require_key(node: CasesNode, region: str) -> None:
    """Refuses before a promise is made that could not be kept: contact data travel sealed or not at all."""
    if region not in node.regions or not node.regions[region].keys.contacts:
        raise Conflict(
            f"Region '{region}' has published no key, so contact data could never be sent to it. "
            "Ask the operator to complete the list of regions.",
            slug="no-key",
            title="The other region cannot receive contact data",
        )


async def tell_other(session: AsyncSession, *, node: CasesNode, half: Introduction, event: Event) -> UUID:
    """Sends one of this half's facts to the other half. Each fact is a version of its own."""
    half.version += 1
    return await node.emit(
        session,
        event,
        subject=half.id,
        sequence=half.version,
        to=half.other_region,
        correlation_id=half.case_id,
    )


async def tell_node(
    session: AsyncSession,
    *,
    node: CasesNode,
    half: Introduction,
    step: IntroductionStep,
    by: str | None = None,
    due: date | None = None,
    at: datetime | None = None,
) -> None:
    """Tells the node's other services, and open pages, that the introduction took a step, and whom it concerns."""
    in_charge = await desk.in_charge(session, node=node, broker=half.broker)
    half.version += 1
    await node.emit(
        session,
        IntroductionMoved(
            introduction_id=half.id,
            case_id=half.case_id,
            side=half.side,
            step=step,
            other_region=half.other_region,
            title=half.need["title"],
            concerned=[person for person in in_charge.concerned if person != by],
            by=by,
            due=due,
            moved_at=at or clock.now(),
        ),
        subject=half.id,
        sequence=half.version,
        correlation_id=half.case_id,
    )
    await hints.changed(
        session,
        case=half.case_id if half.side is Side.HOME else None,
        introduction=half.id,
        people=in_charge.concerned,
    )


async def write_entry(
    session: AsyncSession,
    *,
    node: CasesNode,
    half: Introduction,
    kind: EntryKind,
    by: str | None = None,
    theirs: bool = False,
    at: datetime | None = None,
    details: Mapping[str, str] | None = None,
) -> None:
    """An entry in the half's timeline; `theirs` if the other region did it."""
    naming = {"reference": half.profile_reference, "title": half.profile_title, "other_region": half.other_region}
    await timeline.tell(
        session,
        feed=half.feed,
        kind=kind,
        region=half.other_region if theirs else node.region,
        by=by,
        introduction_id=half.id,
        details=naming | dict(details or {}),
        at=at,
    )


async def follow_up(session: AsyncSession, *, node: CasesNode, half: Introduction) -> None:
    """Does what the facts now ask of this half: disclose, complete, forget. Nothing if they ask nothing."""
    if half.facts.ended:
        half.other_contact = None  # Whoever was refused is nobody whose data we may keep.
        await promises.settle(session, node=node, feed=half.feed, introduction_id=half.id, state=PromiseState.DROPPED)
        return
    if rules.must_disclose(half.facts, side=half.side):
        await _disclose(session, node=node, half=half)
    if rules.must_complete(half.facts, side=half.side):
        await _complete(session, node=node, half=half)


async def _disclose(session: AsyncSession, *, node: CasesNode, half: Introduction) -> None:
    if half.own_contact is None:
        raise RuntimeError(f"introduction {half.id} holds a consent of this side without the contact it releases")
    now = clock.now()
    key = node.regions[half.other_region].keys.contacts[0]
    sealed = seal(json_bytes(half.own_contact), key=key)
    half.contact_event = await tell_other(
        session,
        node=node,
        half=half,
        event=ContactsDisclosed(introduction_id=half.id, sealed=sealed, purpose=PURPOSE, disclosed_at=now),
    )
    half.hold(rules.Facts().with_fact(rules.own(half.side, "disclosed"), now))
    await write_entry(session, node=node, half=half, kind=EntryKind.CONTACT_SENT)
    consent = half.own_consent or {}
    await audit.record(
        session,
        principal=None,
        action="contact.disclosed",
        subject=f"introduction:{half.id}",
        detail={
            "to": half.other_region,
            "actor": str(consent.get("actor_id", "")),
            "contact": str(consent.get("contact_id", "")),
            "approved_by": str(consent.get("recorded_by", "")),
            "purpose": PURPOSE,
        },
    )


async def _complete(session: AsyncSession, *, node: CasesNode, half: Introduction) -> None:
    now = clock.now()
    await tell_other(
        session, node=node, half=half, event=IntroductionCompleted(introduction_id=half.id, completed_at=now)
    )
    half.hold(rules.Facts().with_fact(rules.own(half.side, "completed"), now))
    await write_entry(session, node=node, half=half, kind=EntryKind.INTRODUCED)
    await promises.settle(session, node=node, feed=half.feed, introduction_id=half.id)
    await tell_node(session, node=node, half=half, step=IntroductionStep.INTRODUCED, at=now)
    if half.side is not Side.HOME:
        return
    case = await case_of(session, half)
    await cases.follow(session, node=node, case=case, target=CaseState.NEGOTIATION, by=None)
    case.version += 1
    await node.emit(
        session,
        CaseIntroduced(
            case_id=case.id,
            introduction_id=half.id,
            partner_region=half.other_region,
            sectors=[Sector(sector) for sector in case.sectors],
            introduced_at=now,
        ),
        subject=case.id,
        sequence=case.version,
        correlation_id=case.id,
    )


def json_bytes(contact: dict[str, object]) -> bytes:
    """A DisclosedContact as it is sealed."""
    return DisclosedContact.model_validate(contact).model_dump_json(exclude_none=True).encode()
