"""Values as people enter them: each type says in a sentence what is wrong with what it was given."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated
from urllib.parse import urlsplit

import pycountry
from pydantic import AfterValidator, Field

from tibs_chassis import clock
from tibs_chassis.text import Line, line, prose


def at_most(length: int) -> AfterValidator:
    """No more than `length` characters, said as a sentence."""

    def check(value: str) -> str:
        if len(value) > length:
            raise ValueError(f"should have at most {length} characters, but has {len(value)}")
        return value

    return AfterValidator(check)


def _fits(pattern: str, wanted: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"should be {wanted}")
        return value

    return check


def _country(value: str) -> str:
    if pycountry.countries.get(alpha_2=value) is None or value != value.upper():
        raise ValueError("should be a country code of two capital letters, such as PL (ISO 3166-1)")
    return value


def _language(value: str) -> str:
    if pycountry.languages.get(alpha_2=value) is None or value != value.lower():
        raise ValueError("should be a language code of two small letters, such as fi (ISO 639-1)")
    return value


def _website(value: str) -> str:
    address = value if "://" in value else f"https://{value}"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        valid = parts.scheme in ("http", "https") and parts.username is None and parts.port != 0
    except ValueError:
        valid, host = False, ""
    if not valid or not re.fullmatch(r"(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}", host) or " " in address:
        raise ValueError("should be a web address such as https://www.company.example")
    return address


def _not_later_than_today(value: date) -> date:
    if value > clock.now().date():
        raise ValueError("should not lie in the future")
    return value


Short = Annotated[Line, at_most(80)]
Prose = Annotated[str, *prose(20_000)]
"""Text of several lines. Far above every limit of ours: those are configured, and checked by the rules."""

MaybeLine = Annotated[str, *line(1000, min_length=0)]
"""One line, or nothing yet. How long it may be is for the rules too."""

Country = Annotated[Line, AfterValidator(_country)]
Language = Annotated[Line, AfterValidator(_language)]
Website = Annotated[Line, AfterValidator(_website)]
Email = Annotated[
    Line,
    AfterValidator(
        _fits(r"[^\s@<>()\[\],;:\"]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}", "one mail address: office@company.example")
    ),
]
Phone = Annotated[
    Line,
    AfterValidator(_fits(r"\+[0-9](?:[ ()/.-]?[0-9]){6,14}", "a number with country code: +358 5 123 4567")),
]
Nace = Annotated[Line, AfterValidator(_fits(r"[A-V]?[0-9]{2}(?:\.[0-9]{1,2})?", "a NACE code such as 28.99"))]
NutsCode = Annotated[
    Line, AfterValidator(_fits(r"[A-Z]{2}[A-Z0-9]{0,3}", "a NUTS code such as PL84: country, then up to three places"))
]
NutsVersion = Annotated[Line, AfterValidator(_fits(r"2003|2006|2010|2013|2016|2021|2024", "a NUTS year such as 2024"))]
Sdg = Annotated[int, Field(ge=1, le=17)]
Year = Annotated[int, Field(ge=1000, le=2200)]
PastDate = Annotated[date, AfterValidator(_not_later_than_today)]
