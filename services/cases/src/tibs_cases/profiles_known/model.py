"""Copies of profiles, built from events: they can be thrown away and rebuilt."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from tibs_cases.tables import Table, code, moment
from tibs_contracts.codes import ProfileType
from tibs_contracts.events import ProfileState


class KnownProfile(Table, table=True):
    """What a case needs of a profile that a region published. Withdrawn ones stay, so that old entries can be read."""

    __tablename__ = "known_profile"

    id: UUID = Field(primary_key=True)
    region: str
    reference: str
    profile_type: ProfileType = Field(sa_type=code(ProfileType))
    title: str
    summary: str
    language: str
    sectors: list[str] = Field(sa_type=ARRAY(String))
    client: dict[str, Any] = Field(sa_type=JSONB)
    """AnonymousClient, as the event carried it."""
    desk: str
    published_at: datetime = Field(sa_type=moment())
    valid_until: date
    open_for_interest: bool = True
    withdrawn_at: datetime | None = Field(default=None, sa_type=moment())


class OwnProfile(Table, table=True):
    """A profile of this region: whose it is and who answers for it, as the registry says in this node alone."""

    __tablename__ = "own_profile"

    id: UUID = Field(primary_key=True)
    actor_id: UUID = Field(index=True)
    reference: str
    profile_type: ProfileType = Field(sa_type=code(ProfileType))
    title: str
    state: ProfileState = Field(sa_type=code(ProfileState), index=True)
    author: str = Field(index=True)
    moved_by: str | None = None
    moved_at: datetime = Field(sa_type=moment())
