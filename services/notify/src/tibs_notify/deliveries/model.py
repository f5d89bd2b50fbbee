"""Deliveries and their attempts. The address itself is never kept: who sends asks for it when it sends."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy import Uuid as UuidColumn
from sqlmodel import Field

from tibs_notify.deliveries.rules import DeliveryState
from tibs_notify.tables import PERSONAL, Table, moment


class Delivery(Table, table=True):
    """One notice on its way by one channel."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "channel", name="delivery_once"),
        Index("delivery_of_person", "person", "id"),
        Index("delivery_failed", "id", postgresql_where=text("state = 'failed'")),
    )

    id: UUID = Field(primary_key=True)
    notice_id: UUID = Field(sa_type=UuidColumn, sa_column_args=[ForeignKey("notice.id", ondelete="CASCADE")])
    person: str = Field(sa_column_kwargs={"info": PERSONAL})
    channel: str
    state: str = DeliveryState.QUEUED.value
    attempts: int = 0
    """How often it was tried and counted."""
    reason: str | None = None
    """Why it is not there yet, or will not be."""
    created_at: datetime = Field(sa_type=moment())
    next_attempt_at: datetime | None = Field(default=None, sa_type=moment())
    sent_at: datetime | None = Field(default=None, sa_type=moment())

    @property
    def stands(self) -> DeliveryState:
        return DeliveryState(self.state)


class Attempt(Table, table=True):
    """One try, with what came of it."""

    __tablename__ = "delivery_attempt"

    delivery_id: UUID = Field(
        primary_key=True, sa_type=UuidColumn, sa_column_args=[ForeignKey("delivery.id", ondelete="CASCADE")]
    )
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=moment())
    address: str | None = None
    """Masked."""
    outcome: str
    reason: str | None = None
