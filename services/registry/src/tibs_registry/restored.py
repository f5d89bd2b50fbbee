"""After a backup was restored: what counts versions here, and how the present state is told once more."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import clock
from tibs_chassis.node import Node
from tibs_chassis.restored.reconcile import Versions
from tibs_chassis.restored.rules import Beyond
from tibs_contracts.codes import WithdrawalReason
from tibs_contracts.events import Event
from tibs_contracts.events.registry import (
    ActorListed,
    ActorUnlisted,
    ProfileMoved,
    ProfilePublished,
    ProfileState,
    ProfileWithdrawn,
)
from tibs_contracts.topics import Channel
from tibs_registry.actors import events as actor_events
from tibs_registry.actors.model import Actor
from tibs_registry.profiles import events as profile_events
from tibs_registry.profiles import service as profiles
from tibs_registry.profiles.model import Profile

_OVER = (ProfileState.WITHDRAWN, ProfileState.EXPIRED)


async def tell_again(session: AsyncSession, node: Node, beyond: Beyond) -> bool:
    """What the database holds now is what counts: it is told with the next version, or its end if it holds nothing."""
    if beyond.key.counted_by == Actor.__tablename__:
        return await _actor(session, node, beyond)
    return await _profile(session, node, beyond)


async def _actor(session: AsyncSession, node: Node, beyond: Beyond) -> bool:
    actor = await session.get(Actor, UUID(beyond.subject))
    last = beyond.latest(Channel.REGISTRY)
    shown = last is not None and last.type == ActorListed.type
    if actor is None:
        ends = [ActorUnlisted(actor_id=UUID(beyond.subject), unlisted_at=clock.now())] if shown else []
        return await _emit(session, node, beyond, ends, version=beyond.greatest + 1)
    event = actor_events.after_change(actor, was_listed=shown, at=clock.now())
    if event is not None:
        actor.version += 1
    return await _emit(session, node, beyond, [event] if event is not None else [], version=actor.version)


async def _profile(session: AsyncSession, node: Node, beyond: Beyond) -> bool:
    profile = await session.get(Profile, UUID(beyond.subject))
    last, now = beyond.latest(Channel.REGISTRY), clock.now()
    shown = last is not None and last.type == ProfilePublished.type
    told: list[Event] = []
    if profile is None:
        step = beyond.latest(Channel.LOCAL)
        if step is not None and step.value is not None:
            moved = ProfileMoved.read(step.value)
            await profiles.keep_drawn(session, reference=moved.reference)
            if moved.state not in _OVER:
                end = {"state": ProfileState.WITHDRAWN, "moved_by": None, "moved_at": now}
                told.append(moved.model_copy(update=end))
        if shown and last is not None and last.value is not None:
            published = ProfilePublished.read(last.value)
            await profiles.keep_drawn(session, reference=published.reference)
            told.append(_withdrawn(published.profile_id, published.reference))
        return await _emit(session, node, beyond, told, version=beyond.greatest + 1)
    actor = await session.get_one(Actor, profile.actor_id)
    client = profile_events.anonymous_client(actor)
    told = [*profile_events.of_step(profile, client=client, region=node.region, by=None, at=now)]
    if shown and not any(one.channel is Channel.REGISTRY for one in told):
        told.append(_withdrawn(profile.id, profile.reference))
    profile.version += 1
    return await _emit(session, node, beyond, told, version=profile.version)


def _withdrawn(profile_id: UUID, reference: str) -> ProfileWithdrawn:
    return ProfileWithdrawn(
        profile_id=profile_id, reference=reference, reason=WithdrawalReason.WITHDRAWN, withdrawn_at=clock.now()
    )


async def _emit(session: AsyncSession, node: Node, beyond: Beyond, events: Sequence[Event], *, version: int) -> bool:
    subject = UUID(beyond.subject)
    for event in events:
        await node.emit(session, event, subject=subject, sequence=version, correlation_id=subject)
    return True


VERSIONS = Versions(tables={"actor": "actor", "profile": "profile"}, tell_again=tell_again)
