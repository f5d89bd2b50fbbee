"""The service's own metadata, and columns that hold values of ours rather than bare strings."""

from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import DateTime, Dialect, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

C = TypeVar("C", bound=StrEnum)
M = TypeVar("M", bound=BaseModel)


class Table(SQLModel, registry=registry()):
    """The base of this service's tables: its own registry, so that services can share a process."""

    __abstract__ = True


class Code(TypeDecorator[C], Generic[C]):
    """One code of a value list, kept as text: a list grows without a migration."""

    impl = Text
    cache_ok = True

    def __init__(self, codes: type[C]) -> None:
        super().__init__()
        self.codes = codes

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> C | None:
        return None if value is None else self.codes(value)


class Codes(TypeDecorator[list[C]], Generic[C]):
    """Several codes of a value list, kept as an array of text."""

    impl = ARRAY(Text)
    cache_ok = True

    def __init__(self, codes: type[C]) -> None:
        super().__init__()
        self.codes = codes

    def process_bind_param(self, value: Any, dialect: Dialect) -> list[str] | None:
        return None if value is None else [str(item) for item in value]

    def process_result_value(self, value: Any, dialect: Dialect) -> list[C] | None:
        return None if value is None else [self.codes(item) for item in value]


class Held(TypeDecorator[M], Generic[M]):
    """A value of several parts, kept as JSON."""

    impl = JSONB
    cache_ok = True

    def __init__(self, model: type[M]) -> None:
        super().__init__()
        self.model = model

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else value.model_dump(mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> M | None:
        return None if value is None else self.model.model_validate(value)


class HeldList(TypeDecorator[list[M]], Generic[M]):
    """A list of such values."""

    impl = JSONB
    cache_ok = True

    def __init__(self, model: type[M]) -> None:
        super().__init__()
        self.model = model

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else [item.model_dump(mode="json") for item in value]

    def process_result_value(self, value: Any, dialect: Dialect) -> list[M] | None:
        return None if value is None else [self.model.model_validate(item) for item in value]


def words() -> ARRAY[str]:
    """The type of a list of words."""
    return ARRAY(Text())


def numbers() -> ARRAY[int]:
    """The type of a list of whole numbers."""
    return ARRAY(Integer())


def moment() -> DateTime:
    """The type of a point in time, aware."""
    return DateTime(timezone=True)
