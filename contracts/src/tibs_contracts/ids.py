"""Identifiers. Every id is a UUIDv7: unique across regions, sortable by time, saying nothing about whom it names."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7."""
    return UUID(int=uuid7().int)
