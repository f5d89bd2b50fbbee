"""Promises of this node."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field

from tibs_cases.promises.rules import PromiseKind
from tibs_cases.tables import Table, code, moment
from tibs_contracts.events import PromiseState


class Promise(Table, table=True):
    """Something that this region owes by a day."""

    __tablename__ = "promise"

    id: UUID = Field(primary_key=True)
    version: int = 0
    kind: PromiseKind = Field(sa_type=code(PromiseKind))
    state: PromiseState = Field(sa_type=code(PromiseState), index=True)
    case_id: UUID = Field(index=True)
    """Of the home region; at the counterpart a case that it knows by id only."""
    introduction_id: UUID | None = Field(default=None, index=True)
    feed: UUID = Field(index=True)
    """The timeline that tells of it."""
    title: str
    responsible: str | None = Field(default=None, index=True)
    supervisor: str | None = None
    made_at: datetime = Field(sa_type=moment())
    due: date
    settled_at: datetime | None = Field(default=None, sa_type=moment())
