"""A broker's verdict on a proposed partner."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import Index, Text
from sqlmodel import Field as Column

from tibs_chassis.text import Input, Output
from tibs_chassis.values import Known
from tibs_contracts.codes import OpenCode
from tibs_matching.tables import Table, moment
from tibs_matching.values import Summary


class Judgement(OpenCode):
    SHORTLISTED = "shortlisted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class VerdictEntry(Input):
    """One verdict a person, need and profile: the later replaces the earlier."""

    need_id: UUID
    profile_id: UUID
    verdict: Known[Judgement]
    reason: Summary = ""

    @model_validator(mode="after")
    def _why_not(self) -> Self:
        if self.verdict is Judgement.REJECTED and not self.reason:
            raise ValueError("a rejection needs a reason: colleagues will meet the same profile again")
        return self


class VerdictAnswer(Output):
    """Who thought what, and when. `person` is a person's id."""

    need_id: UUID
    profile_id: UUID
    verdict: Judgement
    reason: str
    person: str
    at: datetime


class VerdictList(Output):
    items: list[VerdictAnswer]
    next: str | None = None
    total: int | None = None


class Verdict(Table, table=True):
    """As kept."""

    __tablename__ = "verdict"
    __table_args__ = (Index("verdict_profile", "profile_id"),)

    need_id: UUID = Column(primary_key=True)
    profile_id: UUID = Column(primary_key=True)
    person: str = Column(primary_key=True, sa_type=Text)
    verdict: str = Column(sa_type=Text)
    reason: str = Column(sa_type=Text)
    at: datetime = Column(sa_type=moment())
