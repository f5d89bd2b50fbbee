"""Tables of cases."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from tibs_cases.cases.rules import CaseState
from tibs_cases.tables import Table, code, moment
from tibs_contracts.codes import ClosingReason, ProfileType


class Case(Table, table=True):
    """A client's need and all that is done for it."""

    __tablename__ = "brokerage_case"

    id: UUID = Field(primary_key=True)
    version: int = 0
    receipt: str = Field(unique=True)
    state: CaseState = Field(sa_type=code(CaseState), index=True)
    held_from: CaseState | None = Field(default=None, sa_type=code(CaseState))
    broker: str | None = Field(default=None, index=True)
    opened_by: str
    opened_at: datetime = Field(sa_type=moment())

    client_actor_id: UUID = Field(index=True)
    client_name: str
    """Copied from the registry; never leaves this node."""
    client: dict[str, Any] = Field(sa_type=JSONB)
    """AnonymousClient: what another region may know before the client said yes."""

    title: str
    summary: str
    description: str = ""
    partner_sought: str = ""
    language: str
    profile_type: ProfileType | None = Field(default=None, sa_type=code(ProfileType))
    sectors: list[str] = Field(sa_type=ARRAY(String))
    profile_id: UUID | None = Field(default=None, index=True)
    profile_reference: str | None = None

    no_conflict_at: datetime | None = Field(default=None, sa_type=moment())
    no_conflict_by: str | None = None
    first_contact_at: datetime | None = Field(default=None, sa_type=moment())
    diagnosis: str = ""
    closing_reason: ClosingReason | None = Field(default=None, sa_type=code(ClosingReason))
    closing_note: str = ""
    closed_at: datetime | None = Field(default=None, sa_type=moment())


class Verdict(StrEnum):
    """What the broker makes of a shortlisted profile."""

    SHORTLISTED = "shortlisted"
    REJECTED = "rejected"


class ShortlistEntry(Table, table=True):
    """A profile that may fit the need. Names of it are copied, so that the entry can be read when it is withdrawn."""

    __tablename__ = "shortlist_entry"

    case_id: UUID = Field(primary_key=True, foreign_key="brokerage_case.id")
    profile_id: UUID = Field(primary_key=True)
    region: str
    reference: str
    title: str
    note: str = ""
    verdict: Verdict = Field(sa_type=code(Verdict))
    reason: str = ""
    added_by: str
    added_at: datetime = Field(sa_type=moment())
