"""Partnership profiles as they are kept, and as a broker enters them."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Column as PlainColumn
from sqlalchemy import ForeignKey, Index, text
from sqlmodel import Field as Column

from tibs_chassis.text import Input, Line
from tibs_chassis.values import Each, Known
from tibs_contracts.codes import (
    ActorKind,
    Cooperation,
    IprStatus,
    ProfileType,
    Sector,
    SizeClass,
    Stage,
    TransS3,
)
from tibs_contracts.events.registry import PartnerSought, ProfileState, ResearchCall
from tibs_registry.profiles.rules import Criterion, Decision
from tibs_registry.tables import Code, Codes, Held, HeldList, Table, moment, numbers, words
from tibs_registry.values import Country, Language, MaybeLine, Nace, Prose, Sdg, Short, at_most


class PartnerSoughtEntry(Input):
    """Whom the client looks for: what kind of organisation, from which field, and what it is to do."""

    kinds: Each[Known[ActorKind]] = []
    sizes: Each[Known[SizeClass]] = []
    field: Annotated[Prose, at_most(1000)] = ""
    task: Annotated[Prose, at_most(2000)] = ""


class ResearchCallEntry(Input):
    """Only in R&D requests: the programme and call that the consortium aims at."""

    programme: Line
    call: Line | None = None
    coordinator_needed: bool = False
    budget_eur: Annotated[int, Field(ge=0, le=10_000_000_000)] | None = None
    duration_months: Annotated[int, Field(ge=1, le=600)] | None = None
    interest_by: date | None = None
    call_closes: date | None = None


Keywords = Annotated[Each[Short], Field(max_length=100)]
Countries = Annotated[Each[Country], Field(max_length=250)]


class ProfileEntry(Input):
    """A profile as a broker drafts it. A draft may be incomplete; what is missing is said on submission."""

    profile_type: Known[ProfileType]
    title: MaybeLine = ""
    summary: Prose = ""
    description: Prose = ""
    advantages: Prose = ""
    language: Language = "en"
    stage: Known[Stage] | None = None
    trl: Annotated[int, Field(ge=1, le=9)] | None = None
    stage_comment: Annotated[Prose, at_most(1000)] | None = None
    ipr: Known[IprStatus] | None = None
    ipr_comment: Annotated[Prose, at_most(1000)] | None = None
    cooperation: Each[Known[Cooperation]] = []
    partner_sought: PartnerSoughtEntry = PartnerSoughtEntry()
    target_countries: Countries = []
    sectors: Each[Known[Sector]] = []
    technology_keywords: Keywords = []
    market_keywords: Keywords = []
    nace: Annotated[Each[Nace], Field(max_length=100)] = []
    trans_s3: Each[Known[TransS3]] = []
    sdgs: Each[Sdg] = []
    languages: Annotated[Each[Language], Field(max_length=20)] = []
    research_call: ResearchCallEntry | None = None
    open_for_interest: bool = True


class FieldComment(Input):
    """What a reviewer says of one field, named as in the profile: `summary`, `partner_sought.task`."""

    field: Short
    comment: Annotated[Prose, Field(min_length=1), at_most(2000)]


class Verdict(Input):
    """A review's outcome. Publishing needs a judgement on every criterion."""

    decision: Decision
    rubric: dict[Criterion, bool] = {}
    comments: Annotated[list[FieldComment], Field(max_length=100)] = []


class Judged(BaseModel):
    """The rubric as it was filled in."""

    criteria: dict[Criterion, bool] = {}


class Profile(Table, table=True):
    """A profile. `version` counts its changes, from 1."""

    __tablename__ = "profile"
    __table_args__ = (
        Index("profile_order", "updated_at", "id"),
        Index("profile_expiry", "valid_until", postgresql_where=text("state = 'published'")),
    )

    id: UUID = Column(primary_key=True)
    reference: str = Column(unique=True)
    version: int
    state: ProfileState = Column(sa_type=Code(ProfileState))
    actor_id: UUID = Column(sa_column=PlainColumn(ForeignKey("actor.id"), nullable=False, index=True))
    author: str
    """Person id of the broker who answers for it."""
    writers: list[str] = Column(sa_type=words())
    """Person ids of all who wrote in it: none of them may review it."""
    profile_type: ProfileType = Column(sa_type=Code(ProfileType))
    title: str
    summary: str
    description: str
    advantages: str
    language: str
    stage: Stage | None = Column(sa_type=Code(Stage), nullable=True)
    trl: int | None
    stage_comment: str | None
    ipr: IprStatus | None = Column(sa_type=Code(IprStatus), nullable=True)
    ipr_comment: str | None
    cooperation: list[Cooperation] = Column(sa_type=Codes(Cooperation))
    partner_sought: PartnerSought = Column(sa_type=Held(PartnerSought))
    target_countries: list[str] = Column(sa_type=words())
    sectors: list[Sector] = Column(sa_type=Codes(Sector))
    technology_keywords: list[str] = Column(sa_type=words())
    market_keywords: list[str] = Column(sa_type=words())
    nace: list[str] = Column(sa_type=words())
    trans_s3: list[TransS3] = Column(sa_type=Codes(TransS3))
    sdgs: list[int] = Column(sa_type=numbers())
    languages: list[str] = Column(sa_type=words())
    research_call: ResearchCall | None = Column(sa_type=Held(ResearchCall), nullable=True)
    open_for_interest: bool
    desk: str
    created_at: datetime = Column(sa_type=moment())
    updated_at: datetime = Column(sa_type=moment())
    submitted_at: datetime | None = Column(sa_type=moment(), nullable=True)
    published_at: datetime | None = Column(sa_type=moment(), nullable=True)
    valid_until: date | None
    ended_at: datetime | None = Column(sa_type=moment(), nullable=True)


class Review(Table, table=True):
    """What a reviewer decided, and why."""

    __tablename__ = "profile_review"

    id: UUID = Column(primary_key=True)
    profile_id: UUID = Column(sa_column=PlainColumn(ForeignKey("profile.id"), nullable=False, index=True))
    profile_version: int
    """The version that was read."""
    reviewer: str
    decision: Decision = Column(sa_type=Code(Decision))
    rubric: Judged = Column(sa_type=Held(Judged))
    comments: list[FieldComment] = Column(sa_type=HeldList(FieldComment))
    decided_at: datetime = Column(sa_type=moment())


class ReferenceCounter(Table, table=True):
    """The last number given to a profile on a day. Locked by who draws the next, so no number comes twice."""

    __tablename__ = "reference_counter"

    day: date = Column(primary_key=True)
    last: int
