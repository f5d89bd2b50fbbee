"""What other nodes say of the line between them and this one."""

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_cases.node import CasesNode
from tibs_cases.peers import service
from tibs_chassis.inbox import Consumer, PermanentError, Received, handles
from tibs_contracts.events import PeerProbed
from tibs_contracts.topics import Channel, Topic, incoming


async def on_probed(session: AsyncSession, received: Received[PeerProbed]) -> None:
    """A peer is there."""
    await service.hear(session, region=received.region, probe=received.data)


def consumers(node: CasesNode) -> list[Consumer]:
    async def refused(session: AsyncSession, topic: Topic, error: PermanentError) -> None:
        await service.refuse(session, node=node, region=topic.region, reason=str(error))

    return [
        Consumer(
            service.CONSUMER,
            topics=incoming(Channel.PROBES, node.region),
            # A probe carries all that its sender has to say, so only the newest counts.
            handlers=[handles(PeerProbed, on_probed, latest_only=True)],
            refused=refused,
        )
    ]
