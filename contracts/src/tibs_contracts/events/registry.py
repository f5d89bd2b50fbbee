"""What the registry tells: to every region, what was published; inside its node, how a profile moves."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from tibs_contracts.codes import (
    ActorKind,
    Cooperation,
    CountryCode,
    IprStatus,
    LanguageCode,
    OpenCode,
    ProfileType,
    RegionCode,
    Sector,
    SizeClass,
    Stage,
    TransS3,
    WithdrawalReason,
)
from tibs_contracts.events.base import Event, Part
from tibs_contracts.topics import Channel


class AnonymousClient(Part):
    """What a profile says of the client behind it: enough to judge a fit, too little to find out who it is."""

    country: CountryCode
    kind: ActorKind
    size: SizeClass | None = None
    founded: int | None = Field(default=None, ge=1000, le=2200)
    turnover_band: str | None = None
    certificates: list[str] = []
    experience: str | None = None


class PartnerSought(Part):
    """Whom the client looks for."""

    kinds: list[ActorKind] = []
    sizes: list[SizeClass] = []
    field: str = ""
    task: str = ""


class ResearchCall(Part):
    """Only in R&D requests: the programme and call that the consortium aims at."""

    programme: str
    call: str | None = None
    coordinator_needed: bool = False
    budget_eur: int | None = Field(default=None, ge=0)
    duration_months: int | None = Field(default=None, ge=1)
    interest_by: date | None = None
    call_closes: date | None = None


class ProfilePublished(Event):
    """The whole public profile, as it now stands. Anonymous: no id, name or trace of its client."""

    type: ClassVar[str] = "eu.tibs.profile.published.v1"
    channel: ClassVar[Channel] = Channel.REGISTRY

    profile_id: UUID
    reference: str
    profile_type: ProfileType
    title: str
    summary: str
    description: str
    advantages: str = ""
    language: LanguageCode
    stage: Stage | None = None
    trl: int | None = Field(default=None, ge=1, le=9)
    stage_comment: str | None = None
    ipr: IprStatus | None = None
    ipr_comment: str | None = None
    cooperation: list[Cooperation] = []
    partner_sought: PartnerSought = PartnerSought()
    target_countries: list[CountryCode] = []
    sectors: list[Sector] = []
    technology_keywords: list[str] = []
    market_keywords: list[str] = []
    nace: list[str] = []
    trans_s3: list[TransS3] = []
    sdgs: list[int] = []
    languages: list[LanguageCode] = []
    research_call: ResearchCall | None = None
    client: AnonymousClient
    desk: str
    """The organisation whose broker answers for the profile."""
    published_at: AwareDatetime
    valid_until: date
    open_for_interest: bool = True


class ProfileWithdrawn(Event):
    """The profile is no longer offered; copies of it are to be removed."""

    type: ClassVar[str] = "eu.tibs.profile.withdrawn.v1"
    channel: ClassVar[Channel] = Channel.REGISTRY

    profile_id: UUID
    reference: str
    reason: WithdrawalReason
    withdrawn_at: AwareDatetime


class ActorListed(Event):
    """An organisation that wishes to stand in the directory, as it now stands."""

    type: ClassVar[str] = "eu.tibs.actor.listed.v1"
    channel: ClassVar[Channel] = Channel.REGISTRY

    actor_id: UUID
    name: str
    short_name: str | None = None
    kind: ActorKind
    size: SizeClass | None = None
    founded: int | None = None
    country: CountryCode
    town: str | None = None
    nuts: str | None = None
    website: str | None = None
    sectors: list[Sector] = []
    technologies: list[str] = []
    languages: list[LanguageCode] = []
    description: str = ""
    description_language: LanguageCode = "en"
    desk: str
    confirmed_on: date | None = None


class ActorUnlisted(Event):
    """The organisation no longer stands in the directory."""

    type: ClassVar[str] = "eu.tibs.actor.unlisted.v1"
    channel: ClassVar[Channel] = Channel.REGISTRY

    actor_id: UUID
    unlisted_at: AwareDatetime


class ProfileState(OpenCode):
    DRAFT = "draft"
    INTERNAL_REVIEW = "internal_review"
    RETURNED = "returned"
    PUBLISHED = "published"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class ProfileMoved(Event):
    """A profile took a step of its lifecycle. People are named by id only: who writes to them asks for the rest."""

    type: ClassVar[str] = "eu.tibs.profile.moved.v1"
    channel: ClassVar[Channel] = Channel.LOCAL

    profile_id: UUID
    actor_id: UUID
    """The client behind the profile: known in its own node alone."""
    reference: str
    profile_type: ProfileType
    title: str
    state: ProfileState
    author: str
    """Person id of the broker who answers for it."""
    moved_by: str | None = None
    """Person id of who made the step; none when time did."""
    moved_at: AwareDatetime
    region: RegionCode


__all__ = [
    "ActorListed",
    "ActorUnlisted",
    "AnonymousClient",
    "PartnerSought",
    "ProfileMoved",
    "ProfilePublished",
    "ProfileState",
    "ProfileWithdrawn",
    "ResearchCall",
]
