"""Values as brokers enter them: each type says what is wrong with what it was given."""

from typing import Annotated

from pydantic import Field

from tibs_chassis.text import Line, prose
from tibs_contracts.codes import CountryCode, LanguageCode, RegionCode

Summary = Annotated[str, *prose(2_000)]
Prose = Annotated[str, *prose(20_000)]
Words = Annotated[str, *prose(5_000, min_length=1)]
Title = Annotated[str, *prose(300)]
Keywords = Annotated[list[Annotated[Line, Field(max_length=80)]], Field(max_length=30)]
Countries = Annotated[list[CountryCode], Field(max_length=250)]
Languages = Annotated[list[LanguageCode], Field(max_length=30)]
RegionCodes = Annotated[list[RegionCode], Field(min_length=1, max_length=100)]
