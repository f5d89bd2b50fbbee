"""What all tables of this service share."""

from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Enum, Sequence
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

PERSONAL = {"personal": True}
"""`info` of a column that names a person: export, erasure and the tests of both find it by this mark."""


class Table(SQLModel, registry=registry()):
    """Base of this service's tables: a registry of its own, so that two services can live in one process."""

    __abstract__ = True


RECEIPTS = Sequence("case_receipt", metadata=Table.metadata)
"""Numbers the receipts. Gaps are fine, repetition is not."""


def code(values: type[StrEnum]) -> Enum:
    """A column type for a value list: stored as its text, so that a longer list needs no change of the table."""
    return Enum(
        values,
        native_enum=False,
        create_constraint=False,
        length=40,
        values_callable=lambda members: [member.value for member in members],
    )


def moment() -> Any:
    """A column type for an aware time."""
    return DateTime(timezone=True)
