"""The timeline's table."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from tibs_cases.tables import Table, code, moment


class EntryKind(StrEnum):
    """What an entry tells. `details` of each holds what its sentence needs, never contact data."""

    CASE_OPENED = "case_opened"
    CASE_MOVED = "case_moved"
    CASE_ASSIGNED = "case_assigned"
    CASE_CHANGED = "case_changed"
    NO_CONFLICT_DECLARED = "no_conflict_declared"
    FIRST_CONTACT = "first_contact"
    DIAGNOSIS_WRITTEN = "diagnosis_written"
    NOTE = "note"
    SHORTLISTED = "shortlisted"
    SHORTLIST_REMOVED = "shortlist_removed"
    SHORTLIST_JUDGED = "shortlist_judged"
    INTRODUCTION_REQUESTED = "introduction_requested"
    INTRODUCTION_RECEIVED = "introduction_received"
    INTRODUCTION_DELIVERED = "introduction_delivered"
    INTRODUCTION_ASSIGNED = "introduction_assigned"
    INTRODUCTION_ACKNOWLEDGED = "introduction_acknowledged"
    INTRODUCTION_CONSENTED = "introduction_consented"
    INTRODUCTION_ACCEPTED = "introduction_accepted"
    INTRODUCTION_DECLINED = "introduction_declined"
    INTRODUCTION_WITHDRAWN = "introduction_withdrawn"
    MESSAGE = "message"
    CONTACT_SENT = "contact_sent"
    CONTACT_RECEIVED = "contact_received"
    INTRODUCED = "introduced"
    PROMISE_MADE = "promise_made"
    PROMISE_REMINDED = "promise_reminded"
    PROMISE_OVERDUE = "promise_overdue"
    PROMISE_KEPT = "promise_kept"


class Entry(Table, table=True):
    """One thing that happened. The feed is a case's id at home, an introduction's id at the counterpart."""

    __tablename__ = "timeline_entry"
    __table_args__ = (Index("timeline_entry_feed", "feed", "id"),)

    id: UUID = Field(primary_key=True)
    feed: UUID
    introduction_id: UUID | None = Field(default=None, index=True)
    kind: EntryKind = Field(sa_type=code(EntryKind))
    at: datetime = Field(sa_type=moment())
    by: str | None = None
    """Person id of who did it here; none when time or another region did."""
    region: str
    """Where it happened."""
    details: dict[str, Any] = Field(sa_type=JSONB)
    pinned: bool = False
