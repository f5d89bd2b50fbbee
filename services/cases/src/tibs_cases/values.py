"""Values as people enter them, and what routes are given."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import StringConstraints

from tibs_cases.node import CasesNode
from tibs_chassis.text import Line, line, prose

Short = Annotated[str, *line(80)]
Summary = Annotated[str, *prose(500, min_length=1)]
Description = Annotated[str, *prose(4_000)]
Note = Annotated[str, *prose(2_000)]
Words = Annotated[str, *prose(2_000, min_length=1)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
PersonId = Line

Cursor = Annotated[UUID | None, Query(description="`next` of the page before")]


def next_cursor(ids: list[UUID], *, limit: int) -> str | None:
    """The cursor after a full page."""
    return str(ids[-1]) if len(ids) == limit else None


async def _node(request: Request) -> CasesNode:
    node: CasesNode = request.app.state.node
    return node


Here = Annotated[CasesNode, Depends(_node)]
"""This node."""
