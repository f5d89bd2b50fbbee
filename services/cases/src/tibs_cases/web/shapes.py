"""What the pages read of the other services' answers: only what is shown; a field that is new breaks nothing."""

from datetime import date, datetime, time
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tibs_contracts.codes import (
    ActorKind,
    ConsentMethod,
    Cooperation,
    IprStatus,
    ProfileType,
    Sector,
    SizeClass,
    Stage,
    TransS3,
)

T = TypeVar("T")


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Page(Shape, Generic[T]):
    """One page of a list."""

    items: list[T] = []
    next: str | None = None
    total: int | None = None


class Directory(Page[T]):
    """A page of the directory; `facets` says how many results each value of a filter would give."""

    facets: dict[str, dict[str, int]] = {}


class AnonymousClient(Shape):
    country: str
    kind: ActorKind
    size: SizeClass | None = None
    founded: int | None = None
    turnover_band: str | None = None
    certificates: list[str] = []
    experience: str | None = None


class PartnerSought(Shape):
    kinds: list[ActorKind] = []
    sizes: list[SizeClass] = []
    field: str = ""
    task: str = ""


class ResearchCall(Shape):
    programme: str
    call: str | None = None
    coordinator_needed: bool = False
    budget_eur: int | None = None
    duration_months: int | None = None
    interest_by: date | None = None
    call_closes: date | None = None


class ProfileText(Shape):
    """What own and foreign profiles have in common."""

    reference: str
    profile_type: ProfileType
    title: str = ""
    summary: str = ""
    description: str = ""
    advantages: str = ""
    language: str = "en"
    stage: Stage | None = None
    trl: int | None = None
    stage_comment: str | None = None
    ipr: IprStatus | None = None
    ipr_comment: str | None = None
    cooperation: list[Cooperation] = []
    partner_sought: PartnerSought = PartnerSought()
    target_countries: list[str] = []
    sectors: list[Sector] = []
    technology_keywords: list[str] = []
    market_keywords: list[str] = []
    nace: list[str] = []
    trans_s3: list[TransS3] = []
    sdgs: list[int] = []
    languages: list[str] = []
    research_call: ResearchCall | None = None
    desk: str = ""
    published_at: datetime | None = None
    valid_until: date | None = None
    open_for_interest: bool = True


class PublicProfile(ProfileText):
    """A published profile of any region."""

    profile_id: UUID
    region: str = ""
    client: AnonymousClient


class FieldComment(Shape):
    field: str
    comment: str


class Review(Shape):
    reviewer: str
    decision: str
    rubric: dict[str, bool] = {}
    comments: list[FieldComment] = []
    decided_at: datetime


class Finding(Shape):
    """A passage that may give the client away."""

    field: str
    text: str
    reason: str
    start: int = 0
    end: int = 0


class Missing(Shape):
    """What a submission still asks for."""

    pointer: str
    reason: str


class OwnProfile(ProfileText):
    """A profile of this region, in whatever state. In a list it comes without its longer texts."""

    id: UUID
    version: int
    state: str
    actor_id: UUID
    actor_name: str = ""
    author: str
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    client: AnonymousClient | None = None
    moves: list[str] = []
    missing: list[Missing] = []
    reviews: list[Review] = []


class Actor(Shape):
    """An organisation of this region, as its broker knows it."""

    id: UUID
    version: int
    name: str
    short_name: str | None = None
    kind: ActorKind
    country: str
    registration_number: str | None = None
    vat: str | None = None
    size: SizeClass | None = None
    founded: int | None = None
    turnover_band: str | None = None
    town: str | None = None
    nuts: str | None = None
    nuts_version: str | None = None
    website: str | None = None
    sectors: list[Sector] = []
    technologies: list[str] = []
    languages: list[str] = []
    certificates: list[str] = []
    experience: str | None = None
    description: str = ""
    description_language: str = "en"
    listed: bool = False
    confirmed_on: date | None = None
    owner: str | None = None
    desk: str = ""


class Duplicate(Shape):
    """A record that may be the organisation that is being entered."""

    actor_id: UUID
    name: str
    alike_in: str = ""
    acceptable: bool = False


class PublicActor(Shape):
    """An organisation of any region that wishes to be found."""

    actor_id: UUID
    region: str = ""
    name: str
    short_name: str | None = None
    kind: ActorKind
    size: SizeClass | None = None
    founded: int | None = None
    country: str
    town: str | None = None
    website: str | None = None
    sectors: list[Sector] = []
    technologies: list[str] = []
    languages: list[str] = []
    description: str = ""
    description_language: str = "en"
    desk: str = ""
    confirmed_on: date | None = None


class Consent(Shape):
    id: UUID
    text_version: str
    method: ConsentMethod
    given_at: datetime
    withdrawn_at: datetime | None = None


class Contact(Shape):
    id: UUID
    version: int = 1
    name: str
    function: str | None = None
    email: str
    phone: str | None = None
    language: str
    purpose: str = ""
    basis: str = ""
    consents: list[Consent] = []


class Reason(Shape):
    """Why a profile fits, or does not, in one respect: `agrees`, `partly` or `differs`."""

    kind: str = ""
    text: str
    agreement: str = "agrees"


class Passage(Shape):
    """Two passages that agree: what is needed and what is offered."""

    need: str = ""
    offer: str = ""


class Verdict(Shape):
    """What a broker thought of a match for this need."""

    verdict: str
    reason: str = ""
    person: str = ""


class Match(Shape):
    rank: int
    profile: PublicProfile
    region: str = ""
    competence: int
    context: int
    reasons: list[Reason] = []
    passages: list[Passage] = []
    why_not: str | None = None
    freshness_days: int | None = None
    verdicts: list[Verdict] = []


class Exposure(Shape):
    """How a region's profiles fared in one search."""

    region: str
    eligible: int = 0
    shown: int = 0


class Matches(Shape):
    candidates: int = 0
    took_ms: float | None = None
    exposure: list[Exposure] = []
    items: list[Match] = []


class Notice(Shape):
    id: UUID
    kind: str = ""
    title: str = ""
    text: str = ""
    link: str | None = None
    raised_at: datetime
    seen_at: datetime | None = None
    critical: bool = False


class NoticePage(Page[Notice]):
    unseen: int | None = None


class Delivery(Shape):
    id: UUID
    person: str = ""
    channel: str = ""
    state: str = ""
    reason: str | None = None
    subject: str = ""
    link: str | None = None
    created_at: datetime | None = None
    next_attempt_at: datetime | None = None
    attempts: int = 0


class Choice(Shape):
    """One type of notices, and by which ways it comes. A critical one always comes by all."""

    type: str
    title: str
    critical: bool = False
    in_app: bool = True
    mail: bool = True


class QuietHours(Shape):
    start: time
    end: time


class Preferences(Shape):
    """What somebody chose to hear of."""

    version: int
    choices: list[Choice] = []
    quiet_hours: QuietHours | None = None


class Unsubscription(Shape):
    """What the link of a mail switches off."""

    type: str
    title: str
