"""Notices in the application."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from tibs_notify.notices.rules import NoticeKind
from tibs_notify.tables import PERSONAL, Table, moment


class Notice(Table, table=True):
    """One person should hear of one event. The text is made when it is read, in the reader's language."""

    __tablename__ = "notice"
    __table_args__ = (
        # The same event raises the same notice once, however often it is handled.
        UniqueConstraint("person", "event_id", "kind", name="notice_once"),
        Index("notice_of_person", "person", "id"),
        Index("notice_unseen", "person", postgresql_where=text("seen_at IS NULL AND shown")),
    )

    id: UUID = Field(primary_key=True)
    person: str = Field(sa_column_kwargs={"info": PERSONAL})
    event_id: UUID
    kind: str
    critical: bool
    shown: bool
    """Whether the person wants to see it in the application; else it is there for its mail alone."""
    link: str
    parameters: dict[str, str] = Field(sa_type=JSONB)
    raised_at: datetime = Field(sa_type=moment())
    seen_at: datetime | None = Field(default=None, sa_type=moment())

    @property
    def what(self) -> NoticeKind:
        return NoticeKind(self.kind)
