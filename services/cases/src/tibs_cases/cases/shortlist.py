"""Use cases of a case's shortlist."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.cases.model import Case, ShortlistEntry, Verdict
from tibs_cases.cases.rules import CaseState
from tibs_cases.cases.service import case_for, follow, tell_change, working_case
from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.rules import LIVE_STATES
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known import service as profiles
from tibs_cases.timeline.model import EntryKind
from tibs_chassis import clock
from tibs_chassis.auth import Principal
from tibs_chassis.problems import Conflict, NotFound


async def shortlist_profile(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    case_id: UUID,
    profile_id: UUID,
    note: str = "",
) -> ShortlistEntry:
    """Puts a published, open profile on the shortlist; a second time only changes the note. The case moves along."""
    case = await working_case(session, node=node, principal=principal, case_id=case_id, tried=CaseState.SHORTLIST)
    return await put_on_shortlist(session, node=node, case=case, by=principal.person, profile_id=profile_id, note=note)


async def put_on_shortlist(
    session: AsyncSession, *, node: CasesNode, case: Case, by: str, profile_id: UUID, note: str
) -> ShortlistEntry:
    """The same for a case that is held already."""
    profile = await profiles.require_open(session, node=node, profile_id=profile_id)
    if profile.id == case.profile_id:
        raise Conflict("This is the client's own profile; it cannot be its own partner.", slug="own-profile")
    entry = await session.get(ShortlistEntry, (case.id, profile_id))
    if entry is not None and entry.verdict is Verdict.SHORTLISTED:
        entry.note = note or entry.note
        return entry
    if entry is None:
        entry = ShortlistEntry(
            case_id=case.id,
            profile_id=profile.id,
            region=profile.region,
            reference=profile.reference,
            title=profile.title,
            verdict=Verdict.SHORTLISTED,
            added_by=by,
            added_at=clock.now(),
        )
        session.add(entry)
    entry.verdict, entry.reason, entry.note = Verdict.SHORTLISTED, "", note or entry.note
    await tell_change(session, node=node, case=case, by=by, kind=EntryKind.SHORTLISTED, **_naming(entry), note=note)
    await follow(session, node=node, case=case, target=CaseState.SHORTLIST, by=by)
    return entry


async def judge_profile(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    case_id: UUID,
    profile_id: UUID,
    verdict: Verdict,
    reason: str = "",
    note: str | None = None,
) -> ShortlistEntry:
    """Keeps or rejects a shortlisted profile, with the reason that the client is told."""
    case = await working_case(session, node=node, principal=principal, case_id=case_id, tried=CaseState.SHORTLIST)
    entry = await _entry(session, case=case, profile_id=profile_id)
    entry.verdict, entry.reason = verdict, reason
    if note is not None:
        entry.note = note
    await tell_change(
        session,
        node=node,
        case=case,
        by=principal.person,
        kind=EntryKind.SHORTLIST_JUDGED,
        **_naming(entry),
        verdict=verdict.value,
        reason=reason,
    )
    return entry


async def remove_profile(
    session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID, profile_id: UUID
) -> None:
    """Takes a profile off the shortlist, unless an introduction to it is under way."""
    case = await working_case(session, node=node, principal=principal, case_id=case_id, tried=CaseState.SHORTLIST)
    entry = await _entry(session, case=case, profile_id=profile_id)
    if await live_introduction(session, case_id=case.id, profile_id=profile_id) is not None:
        raise Conflict(
            f"An introduction to {entry.reference} is under way; withdraw it first.", slug="introduction-under-way"
        )
    await session.delete(entry)
    await tell_change(
        session, node=node, case=case, by=principal.person, kind=EntryKind.SHORTLIST_REMOVED, **_naming(entry)
    )


async def shortlist(
    session: AsyncSession, *, node: CasesNode, principal: Principal, case_id: UUID
) -> list[ShortlistEntry]:
    """In the order in which profiles were added."""
    case = await case_for(session, node=node, principal=principal, case_id=case_id)
    rows = await session.scalars(
        select(ShortlistEntry)
        .where(col(ShortlistEntry.case_id) == case.id)
        .order_by(col(ShortlistEntry.added_at), col(ShortlistEntry.profile_id))
    )
    return list(rows.all())


async def live_introduction(session: AsyncSession, *, case_id: UUID, profile_id: UUID) -> Introduction | None:
    """The case's introduction to a profile that is under way or completed."""
    return await session.scalar(
        select(Introduction).where(
            col(Introduction.case_id) == case_id,
            col(Introduction.profile_id) == profile_id,
            col(Introduction.state).in_(list(LIVE_STATES)),
        )
    )


async def _entry(session: AsyncSession, *, case: Case, profile_id: UUID) -> ShortlistEntry:
    entry = await session.get(ShortlistEntry, (case.id, profile_id))
    if entry is None:
        raise NotFound("shortlisted profile", profile_id)
    return entry


def _naming(entry: ShortlistEntry) -> dict[str, str]:
    return {
        "profile_id": str(entry.profile_id),
        "reference": entry.reference,
        "title": entry.title,
        "region": entry.region,
    }
