"""Which regions this node has blocked: its own decision, in a file of its own that an operator changes at any time.

    - region: dk03
      state: blocked
      since: 2026-11-01
      reason: its signing key was stolen

No file means that nobody is blocked.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tibs_chassis.files import Stamp
from tibs_chassis.log import logger
from tibs_chassis.regions import Regions


class StandingsError(ValueError):
    """The file is wrong; the message says where, what it held and what would be right."""


class Standing(BaseModel):
    """How a region stands with this node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    state: Literal["blocked"]
    since: date
    reason: str = Field(min_length=1, max_length=300)


class Standings:
    """The blocked regions by code. The file is read again when it has changed; one that is wrong changes nothing."""

    def __init__(self, *, region: str, regions: Regions, file: Path | None) -> None:
        """Raises StandingsError."""
        self._region = region
        self._regions = regions
        self._file = file
        self._stamp = None if file is None else Stamp(file)
        self._blocked = self._read()

    def blocked(self, code: str) -> Standing | None:
        """Since when and why a region is blocked; None if it is not."""
        self._refresh()
        return self._blocked.get(code)

    def _refresh(self) -> None:
        if self._stamp is None or not self._stamp.changed():
            return
        try:
            self._blocked = self._read()
        except StandingsError as error:
            logger.error("standings.not_read", reason=str(error))
        else:
            logger.info("standings.read", blocked=sorted(self._blocked))

    def _read(self) -> Mapping[str, Standing]:
        if self._file is None:
            return {}
        try:
            content = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise StandingsError(f"{self._file} cannot be read: {error}") from error
        if not isinstance(content or [], list):
            raise StandingsError(f"{self._file} should hold a list of regions with state, since and reason")
        blocked: dict[str, Standing] = {}
        for number, entry in enumerate(content or [], start=1):
            standing = self._standing(entry, number)
            if standing.region in blocked:
                raise StandingsError(f"{self._file}: region '{standing.region}' stands twice")
            blocked[standing.region] = standing
        return blocked

    def _standing(self, entry: object, number: int) -> Standing:
        try:
            standing = Standing.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise StandingsError(
                f"{self._file}, entry {number}: {place} held {first['input']!r:.80}: {first['msg']}"
            ) from error
        if standing.region == self._region:
            raise StandingsError(f"{self._file}, entry {number}: '{self._region}' cannot block itself")
        if standing.region not in self._regions:
            known = ", ".join(region.code for region in self._regions)
            # A slip of the pen would leave open what was meant to be closed.
            raise StandingsError(
                f"{self._file}, entry {number}: '{standing.region}' is not a region of the network: {known}"
            )
        return standing
