"""The index as kept: built from events alone, so it can be thrown away and rebuilt."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import Field

from tibs_chassis.text import Output
from tibs_matching.embedders import DIMENSIONS
from tibs_matching.tables import Table, moment, words


class IndexedProfile(Table, table=True):
    """A published profile, with what it is searched and compared by taken out into columns."""

    __tablename__ = "indexed_profile"
    __table_args__ = (
        Index("indexed_profile_terms", "terms", postgresql_using="gin"),
        Index("indexed_profile_indexed_at", "indexed_at"),
        Index(
            "indexed_profile_eligible",
            "region",
            "profile_type",
            "valid_until",
            "profile_id",
            postgresql_where=text("open_for_interest"),
        ),
    )

    profile_id: UUID = Field(primary_key=True)
    region: str = Field(sa_type=Text)
    profile_type: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    country: str = Field(sa_type=Text)
    client_kind: str = Field(sa_type=Text)
    client_size: str | None = Field(default=None, sa_type=Text)
    sectors: list[str] = Field(sa_type=words())
    cooperation: list[str] = Field(sa_type=words())
    target_countries: list[str] = Field(sa_type=words())
    languages: list[str] = Field(sa_type=words())
    trans_s3: list[str] = Field(sa_type=words())
    sought_kinds: list[str] = Field(sa_type=words())
    sought_sizes: list[str] = Field(sa_type=words())
    trl: int | None = None
    published_at: datetime = Field(sa_type=moment())
    valid_until: date
    open_for_interest: bool
    profile: dict[str, Any] = Field(sa_type=JSONB)
    """ProfilePublished, as the event carried it."""
    terms: str = Field(sa_column=Column(TSVECTOR, nullable=False))
    """Word stems of the text's own language, and its words as they stand: names and numbers are the same in all."""
    embedding: Any = Field(sa_column=Column(Vector(DIMENSIONS), nullable=False))
    embedded_by: str = Field(sa_type=Text)
    text_hash: str = Field(sa_type=Text)
    """Of the text that was embedded: a profile that comes again with the same text is not embedded again."""
    indexed_at: datetime = Field(sa_type=moment())


class ProfilePassage(Table, table=True):
    """A sentence of a profile, by meaning."""

    __tablename__ = "profile_passage"

    profile_id: UUID = Field(
        sa_column=Column(ForeignKey("indexed_profile.profile_id", ondelete="CASCADE"), primary_key=True)
    )
    number: int = Field(primary_key=True)
    text: str = Field(sa_type=Text)
    embedding: Any = Field(sa_column=Column(Vector(DIMENSIONS), nullable=False))


class PassageWork(Table, table=True):
    """Profiles whose passages are still to be embedded: that is done after the profile can be found already."""

    __tablename__ = "passage_work"

    profile_id: UUID = Field(
        sa_column=Column(ForeignKey("indexed_profile.profile_id", ondelete="CASCADE"), primary_key=True)
    )


class ProfileClient(Table, table=True):
    """Whose a profile of this region is. Other regions never tell."""

    __tablename__ = "profile_client"

    profile_id: UUID = Field(primary_key=True)
    actor_id: UUID = Field(index=True)


class Lexeme(Table, table=True):
    """In how many profiles a word stands: how telling it is."""

    __tablename__ = "lexeme"

    word: str = Field(primary_key=True, sa_type=Text)
    profiles: int


class Corpus(Table, table=True):
    """What is true of the whole index; one row, kept up by upkeep."""

    __tablename__ = "corpus"

    id: int = Field(default=1, primary_key=True)
    profiles: int
    newest: datetime | None = Field(default=None, sa_type=moment())
    """The last change that was counted."""
    embedded: int
    """How many vectors the mean was taken of."""
    embedded_by: str = Field(sa_type=Text)
    mean: Any = Field(default=None, sa_column=Column(Vector(DIMENSIONS), nullable=True))


class RegionHeld(Output):
    """What is held of one region. Times are None while nothing is."""

    region: str
    profiles: int
    open: int
    newest: datetime | None


class IndexAnswer(Output):
    """What the index holds. `waiting` profiles can be found, but their passages are still to be compared by meaning."""

    profiles: int
    open: int
    newest: datetime | None
    embedder: str | None
    waiting: int
    regions: list[RegionHeld]
