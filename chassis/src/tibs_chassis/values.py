"""Values as people enter them, the same in every API: each type says in a sentence what is wrong with what it got."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime
from pydantic_core import PydanticCustomError

from tibs_chassis import clock
from tibs_chassis.text import Output
from tibs_contracts.codes import OpenCode

C = TypeVar("C", bound=OpenCode)
T = TypeVar("T")


def _listed(value: C) -> C:
    if value.name == "UNKNOWN":
        codes = [code.value for code in type(value) if code.name != "UNKNOWN"]
        raise PydanticCustomError("enum", "should be one of {expected}", {"expected": ", ".join(codes)})
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

PastMoment = Annotated[AwareDatetime, AfterValidator(_past)]

Limit = Annotated[int, Query(ge=1, le=100)]


class Page(Output, Generic[T]):
    """One page of a list. `next` is the cursor of the following page, `total` counts all pages."""

    items: list[T]
    next: str | None = None
    total: int | None = None
