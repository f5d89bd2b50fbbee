"""What the composition root gives to the routes."""

from typing import Annotated

from fastapi import Depends, Request

from tibs_chassis.node import Node
from tibs_notify.preferences.links import UnsubscribeLinks


async def _node(request: Request) -> Node:
    node: Node = request.app.state.node
    return node


async def _links(request: Request) -> UnsubscribeLinks:
    links: UnsubscribeLinks = request.app.state.unsubscribe_links
    return links


Here = Annotated[Node, Depends(_node)]
"""This node."""

Links = Annotated[UnsubscribeLinks, Depends(_links)]
