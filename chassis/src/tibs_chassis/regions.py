"""The regions of the network, from `regions.yaml`: a file in git that every node holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, ValidationError, field_validator

from tibs_chassis.files import Stamp
from tibs_chassis.log import logger
from tibs_contracts.codes import CountryCode, LanguageCode, RegionCode
from tibs_contracts.signatures import Keyring, SigningKey, checked_keys


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


def _signing_key(held: object) -> SigningKey:
    return held if isinstance(held, SigningKey) else SigningKey.of(held)


class RegionKeys(BaseModel):
    """Public keys (JWK). Contact data for the region are encrypted to the first of `contacts`; what it tells the other
    regions is signed with one of `signing`."""

    contacts: list[dict[str, Any]] = []
    signing: list[Annotated[InstanceOf[SigningKey], BeforeValidator(_signing_key)]] = []

    @field_validator("contacts")
    @classmethod
    def _public(cls, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any("d" in key for key in keys):
            raise ValueError("a key for contacts is a private one ('d'): it has been shown to others, make a new one")
        return keys

    @field_validator("signing")
    @classmethod
    def _rotating(cls, keys: list[SigningKey]) -> list[SigningKey]:
        return checked_keys(keys)


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
    state_reason: str = Field(default="", max_length=300)
    """Why it is paused or retired, in words."""

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
    """All regions by code, as the file has them now: it is read again when it has changed."""

    def __init__(self, regions: list[Region]) -> None:
        self._path: Path | None = None
        self._stamp: Stamp | None = None
        self._regions: dict[str, Region] = {}
        for region in regions:
            if region.code in self._regions:
                raise RegionsError(f"region code '{region.code}' is used twice; a code belongs to one region for good")
            self._regions[region.code] = region
        self._keyring = Keyring({region.code: region.keys.signing for region in regions})

    @classmethod
    def load(cls, path: Path) -> "Regions":
        """Raises RegionsError."""
        stamp = Stamp(path)  # before reading: what is written meanwhile is then seen as a change
        loaded = cls._read(path)
        loaded._path, loaded._stamp = path, stamp
        return loaded

    @classmethod
    def _read(cls, path: Path) -> "Regions":
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
                if place.startswith("keys"):
                    # What was held may be a secret.
                    reason = first["msg"].removeprefix("Value error, ")
                    raise RegionsError(f"{path}, region {number}: {place}: {reason}") from None
                raise RegionsError(
                    f"{path}, region {number}: {place} held {first['input']!r}: {first['msg']}"
                ) from error
        return cls(regions)

    def refresh(self) -> None:
        """Reads the file again if it has changed. One that is wrong is told in the log, and what was held stays."""
        if self._path is None or self._stamp is None or not self._stamp.changed():
            return
        try:
            fresh = self._read(self._path)
            if gone := [code for code in self._regions if code not in fresh._regions]:
                raise RegionsError(f"{self._path} lacks region '{gone[0]}'; one that leaves is marked 'state: retired'")
        except RegionsError as error:
            logger.error("regions.not_read", reason=str(error))
            return
        self._regions, self._keyring = fresh._regions, fresh._keyring
        logger.info("regions.read", regions=list(self._regions))

    @property
    def keyring(self) -> Keyring:
        """The keys that the regions sign with."""
        self.refresh()
        return self._keyring

    def __getitem__(self, code: str) -> Region:
        self.refresh()
        try:
            return self._regions[code]
        except KeyError:
            raise RegionsError(f"'{code}' is not a region of the network: {', '.join(self._regions)}") from None

    def __contains__(self, code: object) -> bool:
        self.refresh()
        return code in self._regions

    def __iter__(self) -> Iterator[Region]:
        self.refresh()
        return iter(self._regions.values())

    def others(self, code: str) -> list[Region]:
        """All but one."""
        return [region for region in self if region.code != code]
