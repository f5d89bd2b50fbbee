"""What all tables of this service share."""

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class Table(SQLModel, registry=registry()):
    """Base of this service's tables: a registry of its own, so that two services can live in one process."""

    __abstract__ = True


def words() -> ARRAY[str]:
    """A column type for a list of words or codes: a value list may grow without a change of the table."""
    return ARRAY(Text())


def moment() -> DateTime:
    """A column type for an aware time."""
    return DateTime(timezone=True)
