"""Keeping the copies up to date. All events carry the whole state, so only the newest of each profile is applied."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_cases import hints
from tibs_cases.desk import service as desk
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known.model import KnownProfile, OwnProfile
from tibs_chassis.auth import Role
from tibs_chassis.inbox import Consumer, Received, Untrusted, handles
from tibs_contracts.events import ProfileMoved, ProfilePublished, ProfileWithdrawn
from tibs_contracts.topics import Channel, every_region, local


async def on_profile_published(session: AsyncSession, received: Received[ProfilePublished]) -> None:
    """A region published a profile, or changed it."""
    event = received.data
    profile = await session.get(KnownProfile, event.profile_id)
    if profile is not None and profile.region != received.region:
        raise Untrusted(
            f"profile {event.profile_id} belongs to region '{profile.region}', but '{received.region}' published it"
        )
    await session.merge(
        KnownProfile(
            id=event.profile_id,
            region=received.region,
            reference=event.reference,
            profile_type=event.profile_type,
            title=event.title,
            summary=event.summary,
            language=event.language,
            sectors=[sector.value for sector in event.sectors],
            client=event.client.model_dump(mode="json", exclude_none=True),
            desk=event.desk,
            published_at=event.published_at,
            valid_until=event.valid_until,
            open_for_interest=event.open_for_interest,
            withdrawn_at=None,
        )
    )


async def on_profile_withdrawn(session: AsyncSession, received: Received[ProfileWithdrawn]) -> None:
    """A region no longer offers a profile. Its title stays where a case speaks of it."""
    profile = await session.get(KnownProfile, received.data.profile_id)
    if profile is None:
        return
    if profile.region != received.region:
        raise Untrusted(
            f"profile {profile.id} belongs to region '{profile.region}', but '{received.region}' withdrew it"
        )
    profile.withdrawn_at = received.data.withdrawn_at


async def on_profile_moved(session: AsyncSession, received: Received[ProfileMoved]) -> None:
    """One of our own profiles took a step."""
    event = received.data
    await session.merge(
        OwnProfile(
            id=event.profile_id,
            actor_id=event.actor_id,
            reference=event.reference,
            profile_type=event.profile_type,
            title=event.title,
            state=event.state,
            author=event.author,
            moved_by=event.moved_by,
            moved_at=event.moved_at,
        )
    )
    await hints.changed(session, people=(event.author, *await desk.holders(session, role=Role.REVIEWER)))


async def forget_known(session: AsyncSession) -> None:
    """Empties the copies of published profiles, to be built anew."""
    await session.execute(delete(KnownProfile))


async def forget_own(session: AsyncSession) -> None:
    """Empties what is known of our own profiles, to be built anew."""
    await session.execute(delete(OwnProfile))


def consumers(node: CasesNode) -> list[Consumer]:
    return [
        Consumer(
            "known-profiles",
            topics=every_region(Channel.REGISTRY),
            handlers=[
                handles(ProfilePublished, on_profile_published, latest_only=True),
                handles(ProfileWithdrawn, on_profile_withdrawn, latest_only=True),
            ],
            reset=forget_known,
        ),
        Consumer(
            "own-profiles",
            topics=local(node.region, "registry"),
            handlers=[handles(ProfileMoved, on_profile_moved, latest_only=True)],
            reset=forget_own,
        ),
    ]
