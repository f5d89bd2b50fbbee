"""What people chose."""

from datetime import time

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from tibs_notify.tables import PERSONAL, Table


class Preference(Table, table=True):
    """One person's choice; a person without a row made none."""

    __tablename__ = "preference"

    person: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    version: int
    muted: list[list[str]] = Field(sa_type=JSONB)
    """Pairs of notice type and channel."""
    quiet_from: time | None = None
    quiet_to: time | None = None
