"""What routes get from the application besides their session."""

from typing import Annotated

from fastapi import Depends, Request

from tibs_chassis.node import Node
from tibs_matching.embedders import QueryCache


def _queries(request: Request) -> QueryCache:
    queries: QueryCache = request.app.state.queries
    return queries


def _node(request: Request) -> Node:
    node: Node = request.app.state.node
    return node


Queries = Annotated[QueryCache, Depends(_queries)]
ThisNode = Annotated[Node, Depends(_node)]
