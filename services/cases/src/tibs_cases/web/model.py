"""Who is signed in at this workbench. The browser holds a random id; only its digest is kept here."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from tibs_cases.tables import PERSONAL, Table, moment


class WebSession(Table, table=True):
    """One sign-in of one person in one browser."""

    __tablename__ = "web_session"
    __table_args__ = (Index("web_session_expires_at", "expires_at"),)

    id_hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    person: str
    name: str = Field(sa_column_kwargs={"info": PERSONAL})
    email: str | None = Field(default=None, sa_column_kwargs={"info": PERSONAL})
    roles: list[str] = Field(sa_type=ARRAY(String))
    language: str = "en"
    csrf_secret: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=moment())
    seen_at: datetime = Field(sa_type=moment())
    expires_at: datetime = Field(sa_type=moment())
