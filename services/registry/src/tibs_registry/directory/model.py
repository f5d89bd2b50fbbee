"""What regions published, as this region keeps it. All of it can be thrown away and rebuilt from events."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Index, text
from sqlmodel import Field as Column

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
from tibs_registry.tables import Held, Table, moment, words


class _Public(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PublicClient(_Public):
    """What is told of the client behind a profile."""

    country: str
    kind: ActorKind
    size: SizeClass | None = None
    founded: int | None = None
    turnover_band: str | None = None
    certificates: list[str] = []
    experience: str | None = None


class PublicPartner(_Public):
    """Whom the client looks for."""

    kinds: list[ActorKind] = []
    sizes: list[SizeClass] = []
    field: str = ""
    task: str = ""


class PublicCall(_Public):
    """The programme and call of an R&D request."""

    programme: str
    call: str | None = None
    coordinator_needed: bool = False
    budget_eur: int | None = None
    duration_months: int | None = None
    interest_by: date | None = None
    call_closes: date | None = None


class PublicProfile(_Public):
    """A published profile. `desk` is the organisation in `region` whose broker answers for it."""

    profile_id: UUID
    region: str
    reference: str
    profile_type: ProfileType
    title: str
    summary: str
    description: str
    advantages: str
    language: str
    stage: Stage | None
    trl: int | None
    stage_comment: str | None
    ipr: IprStatus | None
    ipr_comment: str | None
    cooperation: list[Cooperation]
    partner_sought: PublicPartner
    target_countries: list[str]
    sectors: list[Sector]
    technology_keywords: list[str]
    market_keywords: list[str]
    nace: list[str]
    trans_s3: list[TransS3]
    sdgs: list[int]
    languages: list[str]
    research_call: PublicCall | None
    client: PublicClient
    desk: str
    published_at: datetime
    valid_until: date
    open_for_interest: bool


class PublicActor(_Public):
    """A listed organisation. `desk` is the organisation in `region` that keeps its record."""

    actor_id: UUID
    region: str
    name: str
    short_name: str | None
    kind: ActorKind
    size: SizeClass | None
    founded: int | None
    country: str
    town: str | None
    nuts: str | None
    website: str | None
    sectors: list[Sector]
    technologies: list[str]
    languages: list[str]
    description: str
    description_language: str
    desk: str
    confirmed_on: date | None


class DirectoryProfile(Table, table=True):
    """A row of the directory; what is searched and filtered by stands beside the whole."""

    __tablename__ = "directory_profile"
    __table_args__ = (
        Index("directory_profile_order", "published_at", "profile_id"),
        Index("directory_profile_sectors", "sectors", postgresql_using="gin"),
        Index("directory_profile_words", text("to_tsvector('simple', searched)"), postgresql_using="gin"),
    )

    profile_id: UUID = Column(primary_key=True)
    region: str
    type: str
    kind: str
    sectors: list[str] = Column(sa_type=words())
    searched: str
    published_at: datetime = Column(sa_type=moment())
    valid_until: date
    updated_at: datetime = Column(sa_type=moment())
    public: PublicProfile = Column(sa_type=Held(PublicProfile))


class DirectoryActor(Table, table=True):
    __tablename__ = "directory_actor"
    __table_args__ = (
        Index("directory_actor_order", "name_key", "actor_id"),
        Index("directory_actor_sectors", "sectors", postgresql_using="gin"),
        Index("directory_actor_words", text("to_tsvector('simple', searched)"), postgresql_using="gin"),
    )

    actor_id: UUID = Column(primary_key=True)
    region: str
    kind: str
    sectors: list[str] = Column(sa_type=words())
    name_key: str
    searched: str
    updated_at: datetime = Column(sa_type=moment())
    public: PublicActor = Column(sa_type=Held(PublicActor))
