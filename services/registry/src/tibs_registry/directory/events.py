"""Building the directory from what every region tells, the own one included."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.inbox import Consumer, Received, Untrusted, handles
from tibs_contracts.codes import OpenCode
from tibs_contracts.events.registry import ActorListed, ActorUnlisted, ProfilePublished, ProfileWithdrawn
from tibs_contracts.topics import Channel, every_region
from tibs_registry.actors.rules import name_key
from tibs_registry.directory import service
from tibs_registry.directory.model import DirectoryActor, DirectoryProfile, PublicActor, PublicProfile
from tibs_registry.words import fold


def consumer() -> Consumer:
    """The consumer that keeps the directory. It can be emptied and built anew."""
    return Consumer(
        "directory",
        topics=every_region(Channel.REGISTRY),
        handlers=[
            handles(ProfilePublished, on_profile_published, latest_only=True),
            handles(ProfileWithdrawn, on_profile_withdrawn, latest_only=True),
            handles(ActorListed, on_actor_listed, latest_only=True),
            handles(ActorUnlisted, on_actor_unlisted, latest_only=True),
        ],
        reset=service.clear,
    )


async def on_profile_published(session: AsyncSession, received: Received[ProfilePublished]) -> None:
    row = profile_row(received.data, region=received.region, told_at=received.envelope.time)
    _require_own(await service.put(session, row), received.region, received.subject)


async def on_profile_withdrawn(session: AsyncSession, received: Received[ProfileWithdrawn]) -> None:
    await service.remove_profile(session, profile_id=received.data.profile_id, region=received.region)


async def on_actor_listed(session: AsyncSession, received: Received[ActorListed]) -> None:
    row = actor_row(received.data, region=received.region, told_at=received.envelope.time)
    _require_own(await service.put(session, row), received.region, received.subject)


async def on_actor_unlisted(session: AsyncSession, received: Received[ActorUnlisted]) -> None:
    await service.remove_actor(session, actor_id=received.data.actor_id, region=received.region)


def profile_row(event: ProfilePublished, *, region: str, told_at: datetime) -> DirectoryProfile:
    """The row of a published profile."""
    public = PublicProfile(region=region, **{name: getattr(event, name) for name in ProfilePublished.model_fields})
    said = [event.title, event.summary, *event.technology_keywords, *event.market_keywords, event.reference]
    return DirectoryProfile(
        profile_id=event.profile_id,
        region=region,
        type=event.profile_type.value,
        kind=event.client.kind.value,
        sectors=_known(event.sectors),
        searched=fold(" ".join(said)),
        published_at=event.published_at,
        valid_until=event.valid_until,
        updated_at=told_at,
        public=public,
    )


def actor_row(event: ActorListed, *, region: str, told_at: datetime) -> DirectoryActor:
    """The row of a listed organisation."""
    public = PublicActor(region=region, **{name: getattr(event, name) for name in ActorListed.model_fields})
    said = [event.name, event.short_name or "", event.town or "", *event.technologies, event.description]
    return DirectoryActor(
        actor_id=event.actor_id,
        region=region,
        kind=event.kind.value,
        sectors=_known(event.sectors),
        name_key=name_key(event.name),
        searched=fold(" ".join(said)),
        updated_at=told_at,
        public=public,
    )


def _known(codes: Sequence[OpenCode]) -> list[str]:
    # A code that this version does not know yet cannot be filtered by.
    return sorted({code.value for code in codes if code.name != "UNKNOWN"})


def _require_own(kept: bool, region: str, subject: str) -> None:
    if not kept:
        raise Untrusted(f"{subject} was published by another region; '{region}' cannot change it")
