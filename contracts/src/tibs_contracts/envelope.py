"""CloudEvents 1.0 over Kafka, binary mode: attributes in `ce_` headers, JSON in the value."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from tibs_contracts.topics import REGION, SERVICE

CONTENT_TYPE = "application/json"
Headers = list[tuple[str, bytes]]

_SOURCE = re.compile(rf"/regions/(?P<region>{REGION})/(?P<service>{SERVICE})")
_TYPE = re.compile(r"eu\.tibs\.(?P<aggregate>[a-z_]+)\.(?P<fact>[a-z_]+)\.v(?P<major>[1-9][0-9]*)")


class EnvelopeError(ValueError):
    """A record whose headers are not those of a TIBS event; the message names the header and what it held."""


def source_of(region: str, service: str) -> str:
    """The `source` attribute of what a service of a region writes."""
    return f"/regions/{region}/{service}"


def aggregate_of(event_type: str) -> str:
    """The aggregate that an event type speaks of: `profile` for `eu.tibs.profile.published.v1`."""
    found = _TYPE.fullmatch(event_type)
    if found is None:
        raise EnvelopeError(f"header ce_type held '{event_type}', not a type such as eu.tibs.profile.published.v1")
    return found["aggregate"]


@dataclass(frozen=True)
class Envelope:
    """What is known of an event besides its data.

    `sequence` is the version of the aggregate `subject` after the change, counted from 1 by the service that owns it.
    `correlation_id` ties all that belongs to one case together, `causation_id` is the event that led to this one.
    """

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    sequence: int
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None

    @property
    def region(self) -> str:
        """The region that wrote the event."""
        return self._source()["region"]

    @property
    def service(self) -> str:
        return self._source()["service"]

    @property
    def aggregate(self) -> str:
        return aggregate_of(self.type)

    def _source(self) -> re.Match[str]:
        found = _SOURCE.fullmatch(self.source)
        if found is None:
            raise EnvelopeError(f"header ce_source held '{self.source}', not a source such as /regions/pl84/registry")
        return found

    def headers(self) -> Headers:
        """As Kafka headers; `time` in RFC 3339, UTC."""
        values: dict[str, str] = {
            "ce_specversion": "1.0",
            "ce_id": str(self.id),
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_subject": self.subject,
            "ce_time": self.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce_sequence": str(self.sequence),
            "ce_correlationid": str(self.correlation_id),
            "content-type": CONTENT_TYPE,
        }
        if self.causation_id is not None:
            values["ce_causationid"] = str(self.causation_id)
        if self.traceparent is not None:
            values["traceparent"] = self.traceparent
        return [(name, value.encode()) for name, value in values.items()]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> "Envelope":
        """Raises EnvelopeError, whatever the headers hold."""
        texts = _texts(headers)
        if (version := _required(texts, "ce_specversion")) != "1.0":
            raise EnvelopeError(f"header ce_specversion held '{version}', not '1.0'")
        causation = texts.get("ce_causationid")
        envelope = cls(
            id=_uuid(texts, "ce_id"),
            source=_required(texts, "ce_source"),
            type=_required(texts, "ce_type"),
            subject=_required(texts, "ce_subject"),
            time=_time(texts),
            sequence=_sequence(texts),
            correlation_id=_uuid(texts, "ce_correlationid"),
            causation_id=None if causation is None else _uuid(texts, "ce_causationid"),
            traceparent=texts.get("traceparent"),
        )
        envelope._source()
        aggregate_of(envelope.type)
        return envelope


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        if not (name.startswith("ce_") or name in ("content-type", "traceparent")):
            continue  # A stranger's header is no concern of ours, whatever it holds.
        if value is None:
            raise EnvelopeError(f"header {name} held nothing")
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError as error:
            raise EnvelopeError(f"header {name} held {value[:40]!r}, which is not UTF-8") from error
    return texts


def _required(texts: Mapping[str, str], name: str) -> str:
    value = texts.get(name)
    if not value:
        raise EnvelopeError(f"header {name} is missing")
    return value


def _uuid(texts: Mapping[str, str], name: str) -> UUID:
    value = _required(texts, name)
    try:
        return UUID(value)
    except ValueError as error:
        raise EnvelopeError(f"header {name} held '{value[:60]}', not a UUID") from error


def _time(texts: Mapping[str, str]) -> datetime:
    value = _required(texts, "ce_time")
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise EnvelopeError(f"header ce_time held '{value[:60]}', not an RFC 3339 time") from error
    if time.tzinfo is None:
        raise EnvelopeError(f"header ce_time held '{value}', which has no time zone")
    return time.astimezone(UTC)


def _sequence(texts: Mapping[str, str]) -> int:
    value = _required(texts, "ce_sequence")
    if not re.fullmatch(r"[1-9][0-9]{0,17}", value):
        raise EnvelopeError(f"header ce_sequence held '{value[:60]}', not a whole number from 1")
    return int(value)
