"""What the composition root gives to the routes."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_registry.profiles.rules import Limits


async def _node(request: Request) -> Node:
    node: Node = request.app.state.node
    return node


async def _limits(request: Request) -> Limits:
    limits: Limits = request.app.state.settings.limits
    return limits


async def _audited(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.transaction() as session:
        yield session


Here = Annotated[Node, Depends(_node)]
"""This node."""

ProfileLimits = Annotated[Limits, Depends(_limits)]
"""The region's limits for profiles."""

AuditedRead = Annotated[AsyncSession, Depends(_audited, scope="function")]
"""The session of a read that leaves an audit record: committed before the answer, so that none is seen unrecorded."""
