"""The regions of the network, from `regions.yaml`: a file in git that every node holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tibs_contracts.codes import CountryCode, LanguageCode, RegionCode


class RegionsError(ValueError):
    """`regions.yaml` is wrong; the message says where, what it held and what would be right."""


class Nuts(BaseModel):
    code: str
    version: str


class Partner(BaseModel):
    """An organisation that runs or supports brokerage in its region."""

    name: str
    role: str
    kind: str


class Specialisation(BaseModel):
    """The smart-specialisation priorities of a period; `verified` if they were read in a public source."""

    period: str
    verified: bool
    priorities: list[str]


class RegionKeys(BaseModel):
    """Public keys (JWK). Contact data for the region are encrypted to the first of `contacts`."""

    contacts: list[dict[str, Any]] = []


class Region(BaseModel):
    """One region of the network."""

    model_config = ConfigDict(frozen=True)

    code: RegionCode
    name: dict[LanguageCode, str]
    country: CountryCode
    nuts: list[Nuts]
    languages: list[LanguageCode] = Field(min_length=1)
    time_zone: str
    holidays: str
    """Country, or country and subdivision, as the `holidays` package names them: `FI`, `DE-HH`."""
    partners: list[Partner] = []
    associated: list[str] = []
    s3: list[Specialisation] = []
    keys: RegionKeys = RegionKeys()
    state: Literal["active", "paused", "retired"] = "active"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a time zone such as Europe/Riga")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def name_in(self, language: str) -> str:
        """The region's name in a language, in English if there is none."""
        return self.name.get(language) or self.name.get("en") or next(iter(self.name.values()))

    @property
    def desk(self) -> str:
        """The organisation that brokers for the region."""
        brokers = [partner.name for partner in self.partners if "broker" in partner.role]
        return brokers[0] if brokers else self.name_in("en")


class Regions:
    """All regions by code."""

    def __init__(self, regions: list[Region]) -> None:
        self._regions: dict[str, Region] = {}
        for region in regions:
            if region.code in self._regions:
                raise RegionsError(f"region code '{region.code}' is used twice; a code belongs to one region for good")
            self._regions[region.code] = region

    @classmethod
    def load(cls, path: Path) -> "Regions":
        """Raises RegionsError."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RegionsError(f"{path} cannot be read: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("regions"), list):
            raise RegionsError(f"{path} should hold a list called 'regions'")
        regions = []
        for number, entry in enumerate(content["regions"], start=1):
            try:
                regions.append(Region.model_validate(entry))
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"])
                raise RegionsError(
                    f"{path}, region {number}: {place} held {first['input']!r}: {first['msg']}"
                ) from error
        return cls(regions)

    def __getitem__(self, code: str) -> Region:
        try:
            return self._regions[code]
        except KeyError:
            raise RegionsError(f"'{code}' is not a region of the network: {', '.join(self._regions)}") from None

    def __contains__(self, code: object) -> bool:
        return code in self._regions

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions.values())

    def others(self, code: str) -> list[Region]:
        """All but one."""
        return [region for region in self if region.code != code]
