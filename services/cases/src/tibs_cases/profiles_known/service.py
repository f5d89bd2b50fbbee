"""Asking what is known of profiles."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.desk.service import today_in
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known import rules
from tibs_cases.profiles_known.model import KnownProfile, OwnProfile
from tibs_chassis.problems import Conflict, NotFound
from tibs_contracts.events import ProfileState


async def known(session: AsyncSession, *, profile_id: UUID) -> KnownProfile | None:
    return await session.get(KnownProfile, profile_id)


async def many(session: AsyncSession, *, ids: Iterable[UUID]) -> dict[UUID, KnownProfile]:
    """Those that are known, by id."""
    rows = await session.scalars(select(KnownProfile).where(col(KnownProfile.id).in_(list(ids))))
    return {profile.id: profile for profile in rows.all()}


async def require_open(session: AsyncSession, *, node: CasesNode, profile_id: UUID) -> KnownProfile:
    """A profile that can be answered today. Raises NotFound, or Conflict with what stands against it."""
    profile = await session.get(KnownProfile, profile_id)
    if profile is None:
        raise NotFound("published profile", profile_id)
    reason = rules.closed_because(
        withdrawn=profile.withdrawn_at is not None,
        valid_until=profile.valid_until,
        open_for_interest=profile.open_for_interest,
        today=today_in(node, profile.region) if profile.region in node.regions else today_in(node),
    )
    if reason is not None:
        raise Conflict(
            f"Profile {profile.reference} cannot be worked with: {reason}.",
            slug="profile-closed",
            title="The profile is closed",
            reference=profile.reference,
        )
    return profile


async def waiting_for_review(session: AsyncSession, *, reviewer: str) -> list[OwnProfile]:
    """Profiles that somebody else submitted: nobody approves their own."""
    rows = await session.scalars(
        select(OwnProfile)
        .where(col(OwnProfile.state) == ProfileState.INTERNAL_REVIEW, col(OwnProfile.author) != reviewer)
        .order_by(col(OwnProfile.moved_at))
    )
    return [profile for profile in rows.all() if profile.moved_by != reviewer]
