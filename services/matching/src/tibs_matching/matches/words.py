"""Codes in words, as a broker would say them to a client."""

from collections.abc import Iterable
from functools import cache

from babel import Locale
from babel.core import UnknownLocaleError

from tibs_contracts.codes import ActorKind, Cooperation, OpenCode, ProfileType, Sector

_ENGLISH = Locale("en")

TYPES = {
    ProfileType.BUSINESS_OFFER: "business offer",
    ProfileType.BUSINESS_REQUEST: "business request",
    ProfileType.TECHNOLOGY_OFFER: "technology offer",
    ProfileType.TECHNOLOGY_REQUEST: "technology request",
    ProfileType.RESEARCH_REQUEST: "R&D request",
}
SECTORS = {
    Sector.AERONAUTICS_SPACE: "aeronautics and space",
    Sector.AGROFOOD: "agriculture and food",
    Sector.AUTOMOTIVE_TRANSPORT_LOGISTICS: "automotive, transport and logistics",
    Sector.BIOCHEMTECH_PHARMA: "bio- and chemical technology, pharmaceuticals",
    Sector.CREATIVE_INDUSTRIES: "creative industries",
    Sector.ENVIRONMENT: "environment",
    Sector.HEALTHCARE: "healthcare",
    Sector.ICT: "information and communication technology",
    Sector.INTELLIGENT_ENERGY: "intelligent energy",
    Sector.MARITIME: "maritime industries",
    Sector.MATERIALS: "materials",
    Sector.NANO_MICRO: "nano and micro technologies",
    Sector.SERVICES_RETAIL: "services and retail",
    Sector.SUSTAINABLE_CONSTRUCTION: "sustainable construction",
    Sector.TEXTILE_FASHION: "textile and fashion",
    Sector.TOURISM_HERITAGE: "tourism and cultural heritage",
    Sector.WOMEN_ENTREPRENEURSHIP: "women entrepreneurship",
}
KINDS = {
    ActorKind.SME: "small or medium-sized company",
    ActorKind.LARGE_COMPANY: "large company",
    ActorKind.RESEARCH: "research organisation",
    ActorKind.CLUSTER: "cluster",
    ActorKind.INTERMEDIARY: "intermediary",
    ActorKind.AUTHORITY: "public authority",
    ActorKind.OTHER: "other organisation",
}


@cache
def label(code: OpenCode) -> str:
    """A code in words."""
    match code:
        case ProfileType():
            return TYPES.get(code, code.value)
        case Sector():
            return SECTORS.get(code, code.value)
        case ActorKind():
            return KINDS.get(code, code.value)
        case Cooperation():
            family, _, kind = code.value.partition(".")
            return f"{kind.replace('_', ' ')} ({family})"
        case _:
            return code.value.replace("_", " ")


def labels(codes: Iterable[OpenCode]) -> list[str]:
    """Several of them, always in the same order."""
    found = list(codes)
    return [label(code) for code in sorted(found, key=lambda code: code.value)]


def a(noun: str) -> str:
    """With its article."""
    return f"an {noun}" if noun[:1] in "aeioAEIOR" else f"a {noun}"


def listed(parts: Iterable[str], joint: str = "and") -> str:
    """`a, b and c`."""
    *most, last = list(parts) or [""]
    return f"{', '.join(most)} {joint} {last}" if most else last


@cache
def country(code: str) -> str:
    """A country's name in English."""
    return str(_ENGLISH.territories.get(code, code))


def countries(codes: Iterable[str]) -> list[str]:
    return sorted(country(code) for code in codes)


@cache
def language(code: str) -> str:
    """A language's name in English."""
    try:
        return str(_ENGLISH.languages.get(code) or Locale(code).english_name or code)
    except UnknownLocaleError:
        return code


def languages(codes: Iterable[str]) -> list[str]:
    return sorted(language(code) for code in codes)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def days(number: int) -> str:
    """How long ago."""
    match number:
        case 0:
            return "today"
        case 1:
            return "yesterday"
        case _:
            return f"{number} days ago"
