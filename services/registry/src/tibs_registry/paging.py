"""Lists in pages. A cursor names the last row that was seen, so that nothing is skipped when rows are added."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import TypeAdapter, ValidationError

from tibs_chassis.problems import FieldError, Problem
from tibs_chassis.text import Line
from tibs_registry.values import at_most

T = TypeVar("T")
K = TypeVar("K")

Cursor = Annotated[str | None, Query(max_length=1000)]
Search = Annotated[
    Annotated[Line, at_most(200)] | None, Query(description="words, of which each must be there as a beginning")
]


def cursor_of(*parts: str) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str, parts: type[K]) -> K:
    """What `cursor_of` was given, as the types wanted; a Problem for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        held = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        # Lax on purpose: dates and ids travel as text.
        return TypeAdapter(parts).validate_python(held)
    except (binascii.Error, ValidationError, ValueError, RecursionError) as error:
        wrong = FieldError(pointer="?cursor", reason="should be a cursor as the page before gave it", held=cursor[:80])
        raise Problem(
            status=422, slug="invalid", title="The input is not valid", detail="The cursor is not ours.", errors=[wrong]
        ) from error


@dataclass(frozen=True)
class Found(Generic[T]):
    """One page of what a search found, as use cases return it."""

    items: Sequence[T]
    next: str | None
    total: int
