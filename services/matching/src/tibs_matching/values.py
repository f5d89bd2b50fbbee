"""Values as brokers enter them: each type says what is wrong with what it was given."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from tibs_chassis.text import Line, prose
from tibs_contracts.codes import CountryCode, LanguageCode, OpenCode, RegionCode

C = TypeVar("C", bound=OpenCode)


def _listed(value: C) -> C:
    if value.name == "UNKNOWN":
        codes = [code.value for code in type(value) if code.name != "UNKNOWN"]
        raise ValueError(f"should be one of {', '.join(codes)}")
    return value


Known = Annotated[C, AfterValidator(_listed)]
"""A code that is on the list; what a reader would take for `unknown` is refused."""

Summary = Annotated[str, *prose(2_000).__metadata__]
Prose = Annotated[str, *prose(20_000).__metadata__]
Words = Annotated[str, *prose(5_000, min_length=1).__metadata__]
Title = Annotated[str, *prose(300).__metadata__]
Keywords = Annotated[list[Annotated[Line, Field(max_length=80)]], Field(max_length=30)]
Countries = Annotated[list[CountryCode], Field(max_length=250)]
Languages = Annotated[list[LanguageCode], Field(max_length=30)]
RegionCodes = Annotated[list[RegionCode], Field(min_length=1, max_length=100)]
