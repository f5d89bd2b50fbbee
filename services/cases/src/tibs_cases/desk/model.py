"""People of this node's desk."""

from datetime import date, datetime

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from tibs_cases.tables import PERSONAL, Table, moment


class Person(Table, table=True):
    """Somebody who works here. The id is the subject that the region's identity provider names."""

    __tablename__ = "person"

    id: str = Field(primary_key=True, sa_type=String)
    version: int = 1
    name: str = Field(sa_column_kwargs={"info": PERSONAL})
    email: str | None = Field(default=None, sa_column_kwargs={"info": PERSONAL})
    language: str = "en"
    roles: list[str] = Field(sa_type=ARRAY(String))
    absent_until: date | None = None
    """The last day of absence, included."""
    deputy: str | None = None
    seen_at: datetime | None = Field(default=None, sa_type=moment())
