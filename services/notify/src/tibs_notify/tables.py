"""What all tables of this service share."""

from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

PERSONAL = {"personal": True}
"""`info` of a column that names a person: export, erasure and the tests of both find it by this mark."""


class Table(SQLModel, registry=registry()):
    """Base of this service's tables: a registry of its own, so that two services can live in one process."""

    __abstract__ = True


def moment() -> Any:
    """A column type for an aware time."""
    return DateTime(timezone=True)
