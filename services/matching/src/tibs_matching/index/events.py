"""What the index hears: profiles of every region, and, from its own registry, whose they are."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.inbox import Consumer, Received, RetryLater, Untrusted, handles
from tibs_contracts.codes import WithdrawalReason
from tibs_contracts.events import ProfileMoved, ProfilePublished, ProfileState, ProfileWithdrawn
from tibs_contracts.topics import Channel, every_region, local
from tibs_matching.embedders import Embedder, EmbedderAway
from tibs_matching.index import service
from tibs_matching.verdicts import service as verdicts


def consumers(*, region: str, embedder: Embedder) -> list[Consumer]:
    """The consumers of this feature in a node."""
    return [
        Consumer(
            "index",
            topics=every_region(Channel.REGISTRY),
            handlers=[
                handles(ProfilePublished, _on_published(embedder), latest_only=True),
                handles(ProfileWithdrawn, _on_withdrawn, latest_only=True),
            ],
            reset=service.empty,
        ),
        Consumer(
            "clients",
            topics=local(region, "registry"),
            handlers=[handles(ProfileMoved, _on_moved, latest_only=True)],
            reset=service.empty_links,
        ),
    ]


def _on_published(embedder: Embedder) -> Callable[[AsyncSession, Received[ProfilePublished]], Awaitable[None]]:
    async def on_published(session: AsyncSession, received: Received[ProfilePublished]) -> None:
        try:
            await service.hold(session, profile=received.data, region=received.region, embedder=embedder)
        except service.ForeignProfile as error:
            raise Untrusted(str(error)) from None
        except EmbedderAway as error:
            raise RetryLater(str(error)) from error

    return on_published


async def _on_withdrawn(session: AsyncSession, received: Received[ProfileWithdrawn]) -> None:
    try:
        await service.drop(session, profile_id=received.data.profile_id, region=received.region)
    except service.ForeignProfile as error:
        raise Untrusted(str(error)) from None
    if received.data.reason is WithdrawalReason.ERASED:
        await verdicts.erase(session, profile_id=received.data.profile_id)


async def _on_moved(session: AsyncSession, received: Received[ProfileMoved]) -> None:
    event = received.data
    if event.state in (ProfileState.WITHDRAWN, ProfileState.EXPIRED):
        await service.unlink(session, profile_id=event.profile_id)
    else:
        await service.link(session, profile_id=event.profile_id, actor_id=event.actor_id)
