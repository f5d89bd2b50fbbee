"""Keeping verdicts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal
from tibs_chassis.problems import NotFound
from tibs_matching.index.model import IndexedProfile
from tibs_matching.verdicts.model import Verdict, VerdictAnswer, VerdictEntry


async def give(session: AsyncSession, *, entry: VerdictEntry, principal: Principal) -> VerdictAnswer:
    """Keeps a person's verdict. Raises NotFound for a profile that is not published."""
    if await session.get(IndexedProfile, entry.profile_id) is None:
        raise NotFound("published profile", entry.profile_id)
    values = {"verdict": entry.verdict.value, "reason": entry.reason, "at": clock.now()}
    statement = insert(Verdict).values(
        need_id=entry.need_id, profile_id=entry.profile_id, person=principal.person, **values
    )
    await session.execute(
        statement.on_conflict_do_update(index_elements=["need_id", "profile_id", "person"], set_=values)
    )
    await audit.record(
        session,
        principal=principal,
        action=f"verdict.{entry.verdict.value}",
        subject=str(entry.need_id),
        detail={"profile_id": str(entry.profile_id)},
    )
    held = await of_need(session, need_id=entry.need_id, profiles=[entry.profile_id], person=principal.person)
    return held[0]


async def of_need(
    session: AsyncSession, *, need_id: UUID, profiles: Sequence[UUID] | None = None, person: str | None = None
) -> list[VerdictAnswer]:
    """What was thought of proposals for a need, newest first."""
    statement = select(Verdict).where(_column("need_id") == need_id).order_by(_column("at").desc(), _column("person"))
    if profiles is not None:
        statement = statement.where(_column("profile_id").in_(profiles))
    if person is not None:
        statement = statement.where(_column("person") == person)
    found = (await session.execute(statement)).scalars()
    return [VerdictAnswer.model_validate(verdict) for verdict in found]


async def erase(session: AsyncSession, *, profile_id: UUID) -> None:
    """Forgets what was thought of a profile whose client asked to be forgotten."""
    await session.execute(delete(Verdict).where(_column("profile_id") == profile_id))


def _column(name: str) -> Any:
    return Verdict.__table__.c[name]  # type: ignore[attr-defined]
