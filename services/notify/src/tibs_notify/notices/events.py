"""What this service hears from its node."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.inbox import Consumer, Received, handles
from tibs_chassis.node import Node
from tibs_contracts.events import IntroductionMoved, ProfileMoved, PromiseMoved
from tibs_contracts.topics import local
from tibs_notify.notices import rules, service
from tibs_notify.notices.rules import Concern
from tibs_notify.notices.service import Cause


def consumer(node: Node) -> Consumer:
    """Facts of registry and cases, told to those whom they concern."""

    async def on_profile_moved(session: AsyncSession, received: Received[ProfileMoved]) -> None:
        moved = received.data
        concern = rules.about_profile(
            profile_id=moved.profile_id,
            title=moved.title,
            state=moved.state,
            author=moved.author,
            moved_by=moved.moved_by,
        )
        await tell(session, received, concern)

    async def on_introduction_moved(session: AsyncSession, received: Received[IntroductionMoved]) -> None:
        moved = received.data
        concern = rules.about_introduction(
            introduction_id=moved.introduction_id,
            title=moved.title,
            side=moved.side,
            step=moved.step,
            here=node.region,
            other_region=moved.other_region,
            concerned=moved.concerned,
            by=moved.by,
            due=moved.due,
        )
        await tell(session, received, concern)

    async def on_promise_moved(session: AsyncSession, received: Received[PromiseMoved]) -> None:
        moved = received.data
        concern = rules.about_promise(
            case_id=moved.case_id,
            introduction_id=moved.introduction_id,
            title=moved.title,
            promise=moved.kind,
            state=moved.state,
            responsible=moved.responsible,
            supervisor=moved.supervisor,
            due=moved.due,
        )
        await tell(session, received, concern)

    async def tell(session: AsyncSession, received: Received[Any], concern: Concern | None) -> None:
        if concern is None:
            return
        envelope = received.envelope
        cause = Cause(event_id=envelope.id, correlation_id=envelope.correlation_id, at=envelope.time)
        await service.tell(session, node=node, concern=concern, cause=cause)

    return Consumer(
        "notices",
        topics=local(node.region, "registry", "cases"),
        # Every step is told, also one that is overtaken by the next: a notice is no state.
        handlers=[
            handles(ProfileMoved, on_profile_moved, latest_only=False),
            handles(IntroductionMoved, on_introduction_moved, latest_only=False),
            handles(PromiseMoved, on_promise_moved, latest_only=False),
        ],
    )
