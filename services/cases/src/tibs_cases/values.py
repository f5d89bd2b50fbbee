"""Values as people enter them, and what routes are given."""

from collections.abc import AsyncIterator
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, AwareDatetime, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_cases.node import CasesNode
from tibs_chassis import clock
from tibs_chassis.database import Database
from tibs_chassis.text import Line, Output, line, prose
from tibs_contracts.codes import OpenCode

C = TypeVar("C", bound=OpenCode)
T = TypeVar("T")


def _listed(value: C) -> C:
    if value.name == "UNKNOWN":
        codes = [code.value for code in type(value) if code.name != "UNKNOWN"]
        raise ValueError(f"should be one of {', '.join(codes)}")
    return value


def _past(value: AwareDatetime) -> AwareDatetime:
    if value > clock.now():
        raise ValueError("should not lie in the future")
    return value


def _once_each(values: list[T]) -> list[T]:
    return list(dict.fromkeys(values))


Known = Annotated[C, AfterValidator(_listed)]
"""A code that is on the list; what a reader would take for `unknown` is refused."""

Each = Annotated[list[T], AfterValidator(_once_each)]
"""A list in which nothing stands twice."""

Short = Annotated[str, *line(80).__metadata__]
Summary = Annotated[str, *prose(500, min_length=1).__metadata__]
Description = Annotated[str, *prose(4_000).__metadata__]
Note = Annotated[str, *prose(2_000).__metadata__]
Words = Annotated[str, *prose(2_000, min_length=1).__metadata__]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
PersonId = Line
PastMoment = Annotated[AwareDatetime, AfterValidator(_past)]

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[UUID | None, Query(description="`next` of the page before")]


class Page(Output, Generic[T]):
    """One page of a list. `next` is the cursor of the following page, `total` counts all pages."""

    items: list[T]
    next: str | None = None
    total: int | None = None


def next_cursor(ids: list[UUID], *, limit: int) -> str | None:
    """The cursor after a full page."""
    return str(ids[-1]) if len(ids) == limit else None


async def _node(request: Request) -> CasesNode:
    node: CasesNode = request.app.state.node
    return node


async def _audited(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.transaction() as session:
        yield session


Here = Annotated[CasesNode, Depends(_node)]
"""This node."""

AuditedRead = Annotated[AsyncSession, Depends(_audited, scope="function")]
"""The session of a read that leaves an audit record: committed before the answer, so that none is seen unrecorded."""
