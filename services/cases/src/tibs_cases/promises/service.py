"""Making, keeping and watching promises."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases import hints
from tibs_cases.desk import service as desk
from tibs_cases.node import CasesNode
from tibs_cases.promises import rules
from tibs_cases.promises.model import Promise
from tibs_cases.promises.rules import PromiseKind
from tibs_cases.timeline import service as timeline
from tibs_cases.timeline.model import EntryKind
from tibs_chassis import clock
from tibs_contracts.events import PromiseMoved, PromiseState
from tibs_contracts.ids import new_id

_BATCH = 200


async def make(
    session: AsyncSession,
    *,
    node: CasesNode,
    kind: PromiseKind,
    case_id: UUID,
    feed: UUID,
    title: str,
    responsible: str | None,
    introduction_id: UUID | None = None,
    made_at: datetime | None = None,
) -> Promise:
    """Promises something from now on, or from `made_at`, by this region's working days."""
    at = made_at or clock.now()
    promise = Promise(
        id=new_id(),
        kind=kind,
        state=PromiseState.MADE,
        case_id=case_id,
        introduction_id=introduction_id,
        feed=feed,
        title=title,
        responsible=responsible,
        supervisor=await desk.supervisor_of(session, broker=responsible),
        made_at=at,
        due=rules.due_on(kind, made_at=at, calendar=desk.calendar_of(node), terms=node.terms),
    )
    session.add(promise)
    await _tell(session, node=node, promise=promise, at=at)
    return promise


async def settle(
    session: AsyncSession,
    *,
    node: CasesNode,
    feed: UUID,
    kinds: Iterable[PromiseKind] = tuple(PromiseKind),
    state: PromiseState = PromiseState.KEPT,
    introduction_id: UUID | None = None,
) -> None:
    """What was promised has happened (or fell away, with state DROPPED). Nothing if nothing was promised."""
    query = select(Promise).where(
        col(Promise.feed) == feed, col(Promise.kind).in_(list(kinds)), col(Promise.state).in_(list(rules.RUNNING))
    )
    if introduction_id is not None:
        query = query.where(col(Promise.introduction_id) == introduction_id)
    for promise in await session.scalars(query.with_for_update()):
        now = clock.now()
        promise.settled_at = now
        await _move(session, node=node, promise=promise, state=state, at=now)


async def hand_over(
    session: AsyncSession, *, feed: UUID, responsible: str | None, introduction_id: UUID | None = None
) -> None:
    """Running promises of a feed go to another broker; the clocks run on."""
    query = select(Promise).where(col(Promise.feed) == feed, col(Promise.state).in_(list(rules.RUNNING)))
    if introduction_id is not None:
        query = query.where(col(Promise.introduction_id) == introduction_id)
    supervisor = await desk.supervisor_of(session, broker=responsible)
    for promise in await session.scalars(query.with_for_update()):
        promise.responsible = responsible
        promise.supervisor = supervisor


async def check_clocks(session: AsyncSession, *, node: CasesNode, now: datetime) -> int:
    """Reminds of promises that are due soon and names those that are overdue, each once. Returns how many moved.

    Call it again while it returns something: it works in batches, beside other processes that do the same.
    """
    calendar = desk.calendar_of(node)
    horizon = calendar.add(calendar.local_day(now), node.terms.reminder) + timedelta(days=7)
    states = [PromiseState.MADE, PromiseState.REMINDED]
    found = await session.scalars(
        select(Promise)
        .where(col(Promise.state).in_(states), col(Promise.due) <= horizon)
        .order_by(col(Promise.due), col(Promise.id))
        .with_for_update(skip_locked=True)
    )
    moved = 0
    for promise in found:
        state = rules.clock_state(promise.state, due=promise.due, now=now, calendar=calendar, terms=node.terms)
        if state is promise.state:
            continue
        await _move(session, node=node, promise=promise, state=state, at=now)
        kind = EntryKind.PROMISE_OVERDUE if state is PromiseState.OVERDUE else EntryKind.PROMISE_REMINDED
        await timeline.tell(
            session,
            feed=promise.feed,
            kind=kind,
            region=node.region,
            introduction_id=promise.introduction_id,
            details={"promise": promise.kind.value, "due": promise.due.isoformat()},
            at=now,
        )
        moved += 1
        if moved == _BATCH:
            break
    return moved


async def running(
    session: AsyncSession,
    *,
    feed: UUID | None = None,
    responsible: Iterable[str] | None = None,
    introduction_id: UUID | None = None,
) -> list[Promise]:
    """Promises that are not settled, the earliest due first. With `responsible` None those of everybody."""
    query = select(Promise).where(col(Promise.state).in_(list(rules.RUNNING)))
    if feed is not None:
        query = query.where(col(Promise.feed) == feed)
    if introduction_id is not None:
        query = query.where(col(Promise.introduction_id) == introduction_id)
    if responsible is not None:
        query = query.where(col(Promise.responsible).in_(list(responsible)))
    return list((await session.scalars(query.order_by(col(Promise.due), col(Promise.id)))).all())


async def _move(session: AsyncSession, *, node: CasesNode, promise: Promise, state: PromiseState, at: datetime) -> None:
    if not rules.may_move(promise.state, state):
        return
    promise.state = state
    await _tell(session, node=node, promise=promise, at=at)


async def _tell(session: AsyncSession, *, node: CasesNode, promise: Promise, at: datetime) -> None:
    promise.version += 1
    responsible = promise.responsible
    if responsible is not None:
        # Who is away hears nothing; the deputy does.
        responsible = (await desk.in_charge(session, node=node, broker=responsible)).acting
    await node.emit(
        session,
        PromiseMoved(
            promise_id=promise.id,
            kind=promise.kind.value,
            state=promise.state,
            case_id=promise.case_id,
            introduction_id=promise.introduction_id,
            title=promise.title,
            responsible=responsible,
            supervisor=promise.supervisor,
            due=promise.due,
            moved_at=at,
        ),
        subject=promise.id,
        sequence=promise.version,
        correlation_id=promise.case_id,
    )
    await hints.changed(session, people=[person for person in {responsible, promise.supervisor} if person])
