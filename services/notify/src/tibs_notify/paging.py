"""Lists in pages, newest first. The cursor is the id of the last row that was seen."""

from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query

from tibs_chassis.text import Output

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[UUID | None, Query(description="`next` of the page before")]


class Page(Output, Generic[T]):
    """One page. `next` is the cursor of the following one, `total` counts all pages."""

    items: list[T]
    next: UUID | None = None
    total: int | None = None
