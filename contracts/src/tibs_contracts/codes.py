"""Value lists that regions share.

They follow the vocabulary of the Enterprise Europe Network's partnering database, so that a broker feels at home and an
exchange with an EEN partner is direct. Lists grow: a reader that meets a value it does not know gets `UNKNOWN`
instead of an error, a writer can never send that one.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints


class OpenCode(StrEnum):
    """A value list that may grow. Reading a value that is not listed gives the list's `UNKNOWN`."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenCode | None":
        return cls.__members__.get("UNKNOWN") if isinstance(value, str) else None


class ActorKind(OpenCode):
    SME = "sme"
    LARGE_COMPANY = "large_company"
    RESEARCH = "research"
    CLUSTER = "cluster"
    INTERMEDIARY = "intermediary"
    AUTHORITY = "authority"
    OTHER = "other"
    UNKNOWN = "unknown"


class SizeClass(OpenCode):
    """EU definition (Recommendation 2003/361/EC): staff and turnover or balance sheet."""

    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    UNKNOWN = "unknown"


class ProfileType(OpenCode):
    """Who pays, requests: money flows to the offer."""

    BUSINESS_OFFER = "BO"
    BUSINESS_REQUEST = "BR"
    TECHNOLOGY_OFFER = "TO"
    TECHNOLOGY_REQUEST = "TR"
    RESEARCH_REQUEST = "RDR"
    UNKNOWN = "unknown"


class Stage(OpenCode):
    CONCEPT = "concept"
    LAB_TESTED = "lab_tested"
    PROTOTYPE = "prototype"
    FIELD_TESTED = "field_tested"
    DEMONSTRATION = "available_for_demonstration"
    ON_THE_MARKET = "on_the_market"
    UNKNOWN = "unknown"


class IprStatus(OpenCode):
    GRANTED = "granted"
    APPLIED = "applied"
    SECRET_KNOW_HOW = "secret_know_how"  # noqa: S105 - a status of intellectual property, not a password
    COPYRIGHT = "copyright"
    DESIGN = "design"
    TRADE_MARK = "trade_mark"
    NONE = "none"
    UNKNOWN = "unknown"


class Cooperation(OpenCode):
    """Kinds of cooperation; the part before the dot is the family."""

    COMMERCIAL_AGENCY = "business.commercial_agency"
    DISTRIBUTION = "business.distribution"
    FRANCHISE = "business.franchise"
    BUSINESS_JOINT_VENTURE = "business.joint_venture"
    BUSINESS_LICENCE = "business.licence"
    BUSINESS_MANUFACTURING = "business.manufacturing"
    OUTSOURCING = "business.outsourcing"
    RECIPROCAL_PRODUCTION = "business.reciprocal_production"
    SERVICES = "business.services"
    SUBCONTRACTING = "business.subcontracting"
    ACQUISITION = "business.acquisition"
    INVESTMENT = "business.investment"
    TECHNICAL_ASSISTANCE = "technology.commercial_agreement_with_technical_assistance"
    TECHNICAL_COOPERATION = "technology.technical_cooperation"
    TECHNOLOGY_LICENCE = "technology.licence"
    TECHNOLOGY_JOINT_VENTURE = "technology.joint_venture"
    TECHNOLOGY_MANUFACTURING = "technology.manufacturing"
    RESEARCH_COOPERATION = "research.research_cooperation"
    UNKNOWN = "unknown"

    @property
    def family(self) -> str:
        """`business`, `technology`, `research` or `unknown`."""
        return self.value.partition(".")[0]


class Sector(OpenCode):
    """The seventeen sector groups of the Enterprise Europe Network."""

    AERONAUTICS_SPACE = "aeronautics_space"
    AGROFOOD = "agrofood"
    AUTOMOTIVE_TRANSPORT_LOGISTICS = "automotive_transport_logistics"
    BIOCHEMTECH_PHARMA = "biochemtech_pharma"
    CREATIVE_INDUSTRIES = "creative_industries"
    ENVIRONMENT = "environment"
    HEALTHCARE = "healthcare"
    ICT = "ict"
    INTELLIGENT_ENERGY = "intelligent_energy"
    MARITIME = "maritime"
    MATERIALS = "materials"
    NANO_MICRO = "nano_micro"
    SERVICES_RETAIL = "services_retail"
    SUSTAINABLE_CONSTRUCTION = "sustainable_construction"
    TEXTILE_FASHION = "textile_fashion"
    TOURISM_HERITAGE = "tourism_heritage"
    WOMEN_ENTREPRENEURSHIP = "women_entrepreneurship"
    UNKNOWN = "unknown"


class TransS3(OpenCode):
    """Smart-specialisation priorities that the regions share."""

    ADVANCED_MANUFACTURING = "advanced_manufacturing"
    CIRCULAR_ECONOMY = "circular_economy"
    BIOECONOMY = "bioeconomy"
    RESOURCE_EFFICIENCY = "resource_efficiency_rehabilitation"
    WATER_MANAGEMENT = "sustainable_water_management"
    SMART_HEALTH = "smart_health"
    SMART_CITIES = "smart_cities"
    DIGITALISATION_CYBERSECURITY = "digitalisation_cybersecurity"
    UNKNOWN = "unknown"


class DeclineReason(OpenCode):
    """Why a counterpart says no to an introduction."""

    NOT_FITTING = "not_fitting"
    CAPACITY = "capacity"
    ALREADY_FOUND = "already_found"
    GEOGRAPHY = "geography"
    COMPETITOR = "competitor"
    TRUST = "trust"
    CLIENT_NOT_REACHABLE = "client_not_reachable"
    OTHER = "other"
    UNKNOWN = "unknown"


class WithdrawalReason(OpenCode):
    """Why a published profile is no longer offered."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    ERASED = "erased"
    UNKNOWN = "unknown"


class ClosingReason(OpenCode):
    """Why a case ended."""

    AGREEMENT_REACHED = "agreement_reached"
    NO_SUITABLE_PARTNER = "no_suitable_partner"
    CLIENT_WITHDREW = "client_withdrew"
    NOT_READY = "not_ready"
    FUNDED_ELSEWHERE = "funded_elsewhere"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class ConsentMethod(OpenCode):
    """How a client said yes."""

    MEETING = "meeting"
    PHONE = "phone"
    MAIL = "mail"
    FORM = "form"
    UNKNOWN = "unknown"


RegionCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}[a-z0-9]{0,8}$")]
"""A node's stable code: it stands in topic names and addresses and is never looked up as a NUTS code."""

CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""ISO 639-1."""
