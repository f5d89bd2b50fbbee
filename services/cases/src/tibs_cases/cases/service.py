"""Use cases of cases. Each is one unit of work in the caller's transaction."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases import hints
from tibs_cases.cases import rules
from tibs_cases.cases.model import Case, ShortlistEntry, Verdict
from tibs_cases.cases.rules import CaseState, Held
from tibs_cases.desk import service as desk
from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.rules import LIVE_STATES, OPEN_STATES, IntroductionState
from tibs_cases.node import CasesNode
from tibs_cases.promises import service as promises
from tibs_cases.promises.rules import PromiseKind
from tibs_cases.refusals import refusals
from tibs_cases.tables import RECEIPTS
from tibs_cases.timeline import service as timeline
from tibs_cases.timeline.model import Entry, EntryKind
from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal, Role
from tibs_chassis.edge import require_version
from tibs_chassis.problems import Forbidden, NotFound
from tibs_contracts.codes import ClosingReason, ProfileType, Sector
from tibs_contracts.events import AnonymousClient, CaseClosed, CaseOpened, PromiseState
from tibs_contracts.ids import new_id


@dataclass(frozen=True)
class Client:
    """For whom a case is opened. The name stays in this node; `anonymous` is what other regions may know."""

    actor_id: UUID
    name: str
    anonymous: AnonymousClient


@dataclass(frozen=True)
class CaseNeed:
    """What the client looks for. The title is anonymous by rule: it travels."""

    title: str
    summary: str
    language: str
    description: str = ""
    partner_sought: str = ""
    profile_type: ProfileType | None = None
    sectors: tuple[Sector, ...] = ()
    profile_id: UUID | None = None
    profile_reference: str | None = None


async def open_case(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    client: Client,
    need: CaseNeed,
    no_conflict: bool = False,
    diagnosis: str = "",
    broker: str | None = None,
) -> Case:
    """Takes a need in: a receipt number, the promises of what comes next, `CaseOpened` for the public.

    The case belongs to `broker`, else to the caller if a broker, else to nobody: then the leads are promised to assign.
    """
    broker = await _first_broker(session, principal=principal, broker=broker)
    now = clock.now()
    number = await session.scalar(select(RECEIPTS.next_value()))
    year = desk.today_in(node).year
    case = Case(
        id=new_id(),
        version=1,
        receipt=rules.receipt_number(region=node.region, year=year, number=number or 0),
        state=CaseState.INTAKE,
        broker=broker,
        opened_by=principal.person,
        opened_at=now,
        client_actor_id=client.actor_id,
        client_name=client.name,
        client=client.anonymous.model_dump(mode="json", exclude_none=True),
        diagnosis=diagnosis,
        no_conflict_at=now if no_conflict else None,
        no_conflict_by=principal.person if no_conflict else None,
        title=need.title,
        summary=need.summary,
        language=need.language,
        sectors=[],
    )
    _describe(case, need)
    session.add(case)
    await node.emit(
        session,
        CaseOpened(
            case_id=case.id, profile_type=case.profile_type, sectors=list(need.sectors), opened_at=case.opened_at
        ),
        subject=case.id,
        sequence=case.version,
        correlation_id=case.id,
    )
    await tell_change(
        session, node=node, case=case, by=principal.person, kind=EntryKind.CASE_OPENED, receipt=case.receipt
    )
    kind = PromiseKind.BROKER_ASSIGNED if broker is None else PromiseKind.FIRST_CONTACT
    await _promise(session, node=node, case=case, kind=kind)
    await audit.record(session, principal=principal, action="case.opened", subject=f"case:{case.id}")
    await follow(session, node=node, case=case, target=CaseState.PARTNER_SEARCH, by=principal.person)
    return case


async def _first_broker(session: AsyncSession, *, principal: Principal, broker: str | None) -> str | None:
    if broker is None:
        return principal.person if principal.has(Role.BROKER) else None
    if broker != principal.person:
        if not principal.has(Role.LEAD):
            raise Forbidden("Only a lead opens a case for another broker.")
        await desk.require_broker(session, person_id=broker)
    return broker


def _describe(case: Case, need: CaseNeed) -> None:
    case.title, case.summary, case.language = need.title, need.summary, need.language
    case.description, case.partner_sought = need.description, need.partner_sought
    case.profile_type, case.sectors = need.profile_type, [sector.value for sector in need.sectors]
    case.profile_id, case.profile_reference = need.profile_id, need.profile_reference


async def case_for(
    session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID, lock: bool = False
) -> Case:
    """A case that the caller may see and work. Raises NotFound or Forbidden."""
    case = await session.get(Case, case_id, with_for_update=lock or None)
    if case is None:
        raise NotFound("case", case_id)
    await desk.require_may_act(session, node=node, principal=principal, broker=case.broker)
    return case


async def list_cases(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    states: frozenset[CaseState] = frozenset(),
    broker: str | None = None,
    client_actor_id: UUID | None = None,
    words: str = "",
    before: UUID | None = None,
    limit: int = 50,
) -> tuple[list[Case], int]:
    """The newest first, and how many there are in all. A broker sees the own and those stood in for, a lead all."""
    query = select(Case)
    if not principal.has(Role.LEAD):
        own = await desk.own_and_deputised(session, node=node, principal=principal)
        query = query.where(col(Case.broker).in_(own))
    if states:
        query = query.where(col(Case.state).in_(states))
    if broker is not None:
        query = query.where(col(Case.broker) == broker)
    if client_actor_id is not None:
        query = query.where(col(Case.client_actor_id) == client_actor_id)
    for word in words.split():
        query = query.where(
            col(Case.title).icontains(word, autoescape=True)
            | col(Case.client_name).icontains(word, autoescape=True)
            | col(Case.receipt).icontains(word, autoescape=True)
        )
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if before is not None:
        query = query.where(col(Case.id) < before)
    rows = await session.scalars(query.order_by(col(Case.id).desc()).limit(limit))
    return list(rows.all()), total


async def held_by(session: AsyncSession, *, case: Case) -> Held:
    """What the case has, as its steps ask for it."""
    await session.flush()
    shortlisted = await session.scalar(
        select(func.count())
        .select_from(ShortlistEntry)
        .where(col(ShortlistEntry.case_id) == case.id, col(ShortlistEntry.verdict) == Verdict.SHORTLISTED)
    )
    states = (await session.scalars(select(col(Introduction.state)).where(col(Introduction.case_id) == case.id))).all()
    return Held(
        broker=case.broker is not None,
        no_conflict=case.no_conflict_at is not None,
        diagnosis=bool(case.diagnosis.strip()),
        shortlisted=shortlisted or 0,
        requested=sum(state in LIVE_STATES for state in states),
        unsettled=sum(state in OPEN_STATES for state in states),
        introduced=sum(state is IntroductionState.INTRODUCED for state in states),
    )


async def change_need(
    session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID, expected: int, need: CaseNeed
) -> Case:
    """Rewrites what the client looks for. What was sent to other regions before stays as it was."""
    case = await working_case(
        session, node=node, principal=principal, case_id=case_id, tried=CaseState.DIAGNOSIS, expected=expected
    )
    _describe(case, need)
    await tell_change(session, node=node, case=case, by=principal.person, kind=EntryKind.CASE_CHANGED)
    return case


async def write_diagnosis(
    session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID, expected: int | None, text: str
) -> Case:
    """Writes the diagnosis down. That the broker could means that the client was spoken to."""
    case = await working_case(
        session, node=node, principal=principal, case_id=case_id, tried=CaseState.DIAGNOSIS, expected=expected
    )
    case.diagnosis = text
    await tell_change(session, node=node, case=case, by=principal.person, kind=EntryKind.DIAGNOSIS_WRITTEN)
    if text.strip():
        await _first_contact(session, node=node, case=case, by=principal.person)
        await promises.settle(session, node=node, feed=case.id, kinds=[PromiseKind.DIAGNOSIS])
    await follow(session, node=node, case=case, target=CaseState.PARTNER_SEARCH, by=principal.person)
    return case


async def declare_no_conflict(session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID) -> Case:
    """The broker declares that no interest of the own stands in the client's way."""
    case = await working_case(session, node=node, principal=principal, case_id=case_id, tried=CaseState.DIAGNOSIS)
    if case.no_conflict_at is None:
        case.no_conflict_at, case.no_conflict_by = clock.now(), principal.person
        await tell_change(session, node=node, case=case, by=principal.person, kind=EntryKind.NO_CONFLICT_DECLARED)
        await audit.record(session, principal=principal, action="case.no_conflict", subject=f"case:{case.id}")
        # Whatever happened while the declaration was missing is caught up with.
        reached = rules.reached(await held_by(session, case=case))
        await follow(session, node=node, case=case, target=reached, by=principal.person)
    return case


async def record_first_contact(session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID) -> Case:
    """The broker spoke to the client: one promise is kept, the diagnosis is promised next."""
    case = await working_case(session, node=node, principal=principal, case_id=case_id, tried=CaseState.DIAGNOSIS)
    await _first_contact(session, node=node, case=case, by=principal.person)
    return case


async def _first_contact(session: AsyncSession, *, node: CasesNode, case: Case, by: str) -> None:
    if case.first_contact_at is not None:
        return
    case.first_contact_at = clock.now()
    await promises.settle(session, node=node, feed=case.id, kinds=[PromiseKind.FIRST_CONTACT])
    if not case.diagnosis.strip():
        await _promise(session, node=node, case=case, kind=PromiseKind.DIAGNOSIS)
    await tell_change(session, node=node, case=case, by=by, kind=EntryKind.FIRST_CONTACT)


async def assign_case(
    session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID, broker: str
) -> Case:
    """A lead gives the case to a broker, with its introductions and promises. The new broker declares anew."""
    if not principal.has(Role.LEAD):
        raise Forbidden("Only a lead assigns a case.")
    case = await case_for(session, node=node, principal=principal, case_id=case_id, lock=True)
    await desk.require_broker(session, person_id=broker)
    if case.broker == broker:
        return case
    first = case.broker is None
    before, case.broker = case.broker, broker
    case.no_conflict_at = case.no_conflict_by = None
    await promises.settle(session, node=node, feed=case.id, kinds=[PromiseKind.BROKER_ASSIGNED])
    await promises.hand_over(session, feed=case.id, responsible=broker)
    if first and case.first_contact_at is None:
        await _promise(session, node=node, case=case, kind=PromiseKind.FIRST_CONTACT)
    halves = select(Introduction).where(col(Introduction.case_id) == case.id).order_by(col(Introduction.id))
    for half in await session.scalars(halves.with_for_update()):
        half.broker = broker
    await tell_change(session, node=node, case=case, by=principal.person, kind=EntryKind.CASE_ASSIGNED, broker=broker)
    await audit.record(
        session, principal=principal, action="case.assigned", subject=f"case:{case.id}", detail={"broker": broker}
    )
    await hints.changed(session, people=[person for person in (before, broker) if person])
    return case


async def move_case(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    case_id: UUID,
    to: CaseState,
    reason: ClosingReason | None = None,
    note: str = "",
    expected: int | None = None,
) -> Case:
    """Takes a step, or refuses with what is missing. Closing needs a reason."""
    case = await case_for(session, node=node, principal=principal, case_id=case_id, lock=True)
    if expected is not None:
        require_version(expected=expected, held=case.version)
    held = await held_by(session, case=case)
    with refusals():
        rules.check_move(case.state, to, held=held, held_from=case.held_from, reason=reason)
    if to is CaseState.CLOSED and reason is not None:
        await _close(session, node=node, case=case, principal=principal, reason=reason, note=note)
        return case
    before = case.state
    case.held_from = before if to is CaseState.ON_HOLD else None
    case.state = to
    await tell_change(
        session,
        node=node,
        case=case,
        by=principal.person,
        kind=EntryKind.CASE_MOVED,
        **{"from": before.value, "to": to.value, "note": note},
    )
    return case


async def _close(
    session: AsyncSession, *, node: CasesNode, case: Case, principal: Principal, reason: ClosingReason, note: str
) -> None:
    before, now = case.state, clock.now()
    case.state, case.held_from = CaseState.CLOSED, None
    case.closing_reason, case.closing_note, case.closed_at = reason, note, now
    await promises.settle(session, node=node, feed=case.id, state=PromiseState.DROPPED)
    details = {"from": before.value, "to": CaseState.CLOSED.value, "reason": reason.value, "note": note}
    await tell_change(session, node=node, case=case, by=principal.person, kind=EntryKind.CASE_MOVED, **details)
    await node.emit(
        session,
        CaseClosed(case_id=case.id, reason=reason, sectors=[Sector(sector) for sector in case.sectors], closed_at=now),
        subject=case.id,
        sequence=case.version,
        correlation_id=case.id,
    )
    await audit.record(
        session,
        principal=principal,
        action="case.closed",
        subject=f"case:{case.id}",
        detail={"reason": reason.value},
    )


async def add_note(session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID, text: str) -> Entry:
    """A remark on the case's timeline, seen in this node alone."""
    case = await case_for(session, node=node, principal=principal, case_id=case_id)
    entry = await timeline.tell(
        session,
        feed=case.id,
        kind=EntryKind.NOTE,
        region=node.region,
        by=principal.person,
        details={"text": text},
    )
    await hints.changed(session, case=case.id)
    return entry


async def follow(session: AsyncSession, *, node: CasesNode, case: Case, target: CaseState, by: str | None) -> None:
    """Lets the case follow what happened, up to `target`, as far as its documents allow. Never back, never refused."""
    held = await held_by(session, case=case)
    for step in rules.forward(case.state, target, held=held):
        before, case.state = case.state, step
        details = {"from": before.value, "to": step.value}
        await tell_change(session, node=node, case=case, by=by, kind=EntryKind.CASE_MOVED, **details)


async def working_case(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    case_id: UUID,
    tried: CaseState,
    expected: int | None = None,
) -> Case:
    """A case to be changed: locked, of the expected version, neither closed nor on hold. `tried` is for the refusal."""
    case = await case_for(session, node=node, principal=principal, case_id=case_id, lock=True)
    if expected is not None:
        require_version(expected=expected, held=case.version)
    with refusals():
        rules.check_open(case.state, tried=tried, held=await held_by(session, case=case), held_from=case.held_from)
    return case


async def _promise(session: AsyncSession, *, node: CasesNode, case: Case, kind: PromiseKind) -> None:
    await promises.make(
        session, node=node, kind=kind, case_id=case.id, feed=case.id, title=case.title, responsible=case.broker
    )


async def tell_change(
    session: AsyncSession, *, node: CasesNode, case: Case, by: str | None, kind: EntryKind, **details: str
) -> None:
    """One change: a new version, an entry, a hint to open pages."""
    case.version += 1
    await timeline.tell(session, feed=case.id, kind=kind, region=node.region, by=by, details=details)
    await hints.changed(session, case=case.id)
