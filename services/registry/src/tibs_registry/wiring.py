"""What the composition root gives to the routes."""

from typing import Annotated

from fastapi import Depends, Request

from tibs_chassis.node import Node
from tibs_registry.profiles.rules import Limits


async def _node(request: Request) -> Node:
    node: Node = request.app.state.node
    return node


async def _limits(request: Request) -> Limits:
    limits: Limits = request.app.state.settings.limits
    return limits


Here = Annotated[Node, Depends(_node)]
"""This node."""

ProfileLimits = Annotated[Limits, Depends(_limits)]
"""The region's limits for profiles."""
