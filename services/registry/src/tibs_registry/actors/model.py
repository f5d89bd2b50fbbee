"""Organisations as they are kept, and as a broker enters them."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import Index, text
from sqlmodel import Field as Column

from tibs_chassis.text import Input, Line
from tibs_chassis.values import Each, Known
from tibs_contracts.codes import ActorKind, Sector, SizeClass
from tibs_registry.tables import Code, Codes, Table, moment, words
from tibs_registry.values import (
    Country,
    Language,
    NutsCode,
    NutsVersion,
    PastDate,
    Prose,
    Short,
    Website,
    Year,
    at_most,
)


class ActorEntry(Input):
    """An organisation as a broker enters it. `listed` is its own wish to stand in the directory of all regions."""

    name: Line
    short_name: Short | None = None
    kind: Known[ActorKind]
    country: Country
    registration_number: Short | None = None
    vat: Short | None = None
    size: Known[SizeClass] | None = None
    founded: Year | None = None
    turnover_band: Short | None = None
    town: Short | None = None
    nuts: NutsCode | None = None
    nuts_version: NutsVersion | None = None
    website: Website | None = None
    sectors: Annotated[Each[Known[Sector]], Field(max_length=17)] = []
    technologies: Annotated[Each[Short], Field(max_length=30)] = []
    languages: Annotated[Each[Language], Field(max_length=20)] = []
    certificates: Annotated[Each[Short], Field(max_length=20)] = []
    experience: Annotated[Prose, at_most(1000)] | None = None
    """What it has done across borders; told of a client in its profiles, so without names."""
    description: Annotated[Prose, at_most(4000)] = ""
    description_language: Language = "en"
    listed: bool = False
    confirmed_on: PastDate | None = None
    """When the organisation last said that this is still true. Left out: today for a new one, as before for another."""
    owner: Short | None = None
    """Person id of the broker who answers for it. Left out: who enters it, or as before."""


class Actor(Table, table=True):
    """An organisation. `version` counts its changes, from 1."""

    __tablename__ = "actor"
    __table_args__ = (
        # Numbers are kept as the registers write them, so one organisation has one.
        Index("actor_registration", "country", "registration_number", unique=True),
        Index("actor_vat", "vat", unique=True),
        Index("actor_domain", "domain"),
        Index("actor_order", "name_key", "id"),
        Index("actor_words", text("to_tsvector('simple', searched)"), postgresql_using="gin"),
    )

    id: UUID = Column(primary_key=True)
    version: int
    name: str
    short_name: str | None
    kind: ActorKind = Column(sa_type=Code(ActorKind))
    country: str
    registration_number: str | None
    vat: str | None
    size: SizeClass | None = Column(sa_type=Code(SizeClass), nullable=True)
    founded: int | None
    turnover_band: str | None
    town: str | None
    nuts: str | None
    nuts_version: str | None
    website: str | None
    sectors: list[Sector] = Column(sa_type=Codes(Sector))
    technologies: list[str] = Column(sa_type=words())
    languages: list[str] = Column(sa_type=words())
    certificates: list[str] = Column(sa_type=words())
    experience: str | None
    description: str
    description_language: str
    listed: bool
    confirmed_on: date
    owner: str
    desk: str
    """The organisation that is controller of this record."""
    created_at: datetime = Column(sa_type=moment())
    updated_at: datetime = Column(sa_type=moment())
    name_key: str
    """The name as it is compared: folded, without its legal form."""
    domain: str | None
    searched: str
    """All that a search may find it by, folded."""
