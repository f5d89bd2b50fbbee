"""Hints to open pages: that something changed, never what. They leave with the transaction or not at all."""

import json
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.inbox import Consumer, Received, handles
from tibs_chassis.node import Node
from tibs_contracts.events import NoticeRaised
from tibs_contracts.topics import local

CHANNEL = "tibs_hints"
"""Where to LISTEN. A payload is a JSON object with one key: `person`, `case`, `introduction` or `network`."""


async def changed(
    session: AsyncSession,
    *,
    case: UUID | None = None,
    introduction: UUID | None = None,
    people: tuple[str, ...] | list[str] = (),
) -> None:
    """Tells open pages of these to look again. PostgreSQL drops repeated hints of one transaction."""
    hints: list[dict[str, str]] = [{"person": person} for person in people]
    if case is not None:
        hints.append({"case": str(case)})
    if introduction is not None:
        hints.append({"introduction": str(introduction)})
    for hint in hints:
        await session.execute(
            text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": json.dumps(hint)}
        )


async def network_changed(session: AsyncSession) -> None:
    """Tells every open page that the line to another region is better or worse than it was."""
    await session.execute(
        text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": json.dumps({"network": "all"})}
    )


async def on_notice_raised(session: AsyncSession, received: Received[NoticeRaised]) -> None:
    """The notify service has something for a person: the page's bell looks again."""
    await changed(session, people=(received.data.person,))


def consumers(node: Node) -> list[Consumer]:
    return [
        Consumer(
            "notices",
            topics=local(node.region, "notify"),
            handlers=[handles(NoticeRaised, on_notice_raised, latest_only=False)],
        )
    ]
