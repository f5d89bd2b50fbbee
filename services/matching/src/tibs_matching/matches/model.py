"""What is asked of matching, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from tibs_chassis.text import Input, Output
from tibs_chassis.values import Known
from tibs_contracts.codes import (
    ActorKind,
    Cooperation,
    CountryCode,
    LanguageCode,
    OpenCode,
    ProfileType,
    Sector,
    SizeClass,
    Stage,
    TransS3,
)
from tibs_contracts.events import ProfilePublished
from tibs_matching.values import Countries, Keywords, Languages, Prose, RegionCodes, Summary, Title, Words
from tibs_matching.verdicts.model import VerdictAnswer


class SoughtEntry(Input):
    """Whom the client looks for."""

    kinds: list[Known[ActorKind]] = []
    sizes: list[Known[SizeClass]] = []
    field: Summary = ""
    task: Summary = ""


class NeedEntry(Input):
    """A need, or an offer that looks for takers, told like a profile. All but some text may be left out."""

    type: Known[ProfileType] | None = None
    title: Title = ""
    summary: Summary = ""
    description: Prose = ""
    language: LanguageCode = "en"
    partner_sought: SoughtEntry = SoughtEntry()
    sectors: list[Known[Sector]] = []
    cooperation: list[Known[Cooperation]] = []
    target_countries: Countries = []
    languages: Languages = []
    technology_keywords: Keywords = []
    market_keywords: Keywords = []
    trans_s3: list[Known[TransS3]] = []
    stage: Known[Stage] | None = None
    trl: Annotated[int, Field(ge=1, le=9)] | None = None
    country: CountryCode | None = Field(default=None, description="where the client is; the node's country if left out")
    kind: Known[ActorKind] | None = Field(default=None, description="what kind of organisation the client is")
    size: Known[SizeClass] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.title or self.summary or self.description):
            raise ValueError("needs a title, a summary or a description: there is nothing to search for")
        return self


class MatchRequest(Input):
    """Exactly one of `need`, `text` and `profile_id` says what to search for."""

    need: NeedEntry | None = None
    text: Words | None = Field(default=None, description="free words, in any language; any type of profile fits")
    language: LanguageCode | None = Field(default=None, description="language of `text`; the caller's if left out")
    profile_id: UUID | None = Field(default=None, description="a published profile of whatever region, as the need")
    need_id: UUID | None = Field(
        default=None, description="under what id verdicts on this need are kept; `profile_id` if left out"
    )
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    regions: RegionCodes | None = Field(default=None, description="only profiles of these regions")
    exclude_client: UUID | None = Field(default=None, description="actor id: the client's own profiles are left out")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = [name for name in ("need", "text", "profile_id") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of need, text and profile_id, but has {' and '.join(given) or 'none'}")
        return self


class ReasonKind(OpenCode):
    """What a reason speaks of."""

    MEANING = "meaning"
    WORDS = "words"
    SECTOR = "sector"
    TYPE = "type"
    COOPERATION = "cooperation"
    COUNTRY_SOUGHT = "country_sought"
    COUNTRY_WANTED_BACK = "country_wanted_back"
    PARTNER_SOUGHT = "partner_sought"
    PARTNER_WANTED_BACK = "partner_wanted_back"
    STAGE = "stage"
    LANGUAGE = "language"
    PRIORITY = "priority"
    FRESHNESS = "freshness"
    UNKNOWN = "unknown"


class Agreement(OpenCode):
    """How far the two sides agree in one respect."""

    AGREES = "agrees"
    PARTLY = "partly"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


class Reason(Output):
    """One sentence that a broker can read to the client. `values` are the words or codes that it names."""

    kind: ReasonKind
    text: str
    agreement: Agreement
    values: list[str] = []


class PassagePair(Output):
    """A sentence of the need, and the profile's sentence that comes nearest to it."""

    need: str
    offer: str


class Match(Output):
    """A proposed partner. The three numbers go from 0 to 100; `score` puts them in order."""

    rank: int
    profile: ProfilePublished
    region: str
    score: int
    competence: int = Field(description="how well meaning, words and sector fit")
    context: int = Field(description="how well type, countries, partner sought, stage, languages and age fit")
    reasons: list[Reason]
    passages: list[PassagePair]
    why_not: str | None = Field(description="what stands in the way, and the one smallest change that would mend it")
    freshness_days: int
    verdicts: list[VerdictAnswer] = Field(description="what brokers thought of it for this need")


class Exposure(Output):
    """How a region's profiles fared in one search, so that small regions are seen to have their chance."""

    region: str
    eligible: int
    compared: int
    shown: int


class RankingRule(Output):
    """The rule that made the order: its version and weights."""

    version: str
    weights: dict[str, float]
    verdicts: str


class MatchAnswer(Output):
    """Proposed partners, best first."""

    candidates: int = Field(description="how many profiles could have been proposed")
    took_ms: float
    ranking: RankingRule
    exposure: list[Exposure]
    items: list[Match]


@dataclass(frozen=True, slots=True)
class Sought:
    """Whom a side looks for, as codes."""

    kinds: frozenset[ActorKind] = frozenset()
    sizes: frozenset[SizeClass] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """What one side of a match says of itself, reduced to what can be compared. Nothing told is None or empty."""

    type: ProfileType | None = None
    country: str | None = None
    kind: ActorKind | None = None
    size: SizeClass | None = None
    sectors: frozenset[Sector] = frozenset()
    cooperation: frozenset[Cooperation] = frozenset()
    target_countries: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    """Languages in which the client can work; that of the text is among them."""
    trans_s3: frozenset[TransS3] = frozenset()
    sought: Sought = Sought()
    trl: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile that may be proposed, and how near its text is to the need's."""

    profile_id: UUID
    region: str
    language: str
    told: Told
    published_at: datetime
    similarity: float
    """Cosine of meaning after the background was taken out: 0 for any two profiles, about 0.4 for a good match."""
    words: float
    """Share of what the need's telling words tell that is found in the profile, 0 to 1."""
