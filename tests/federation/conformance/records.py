"""Records as they lie on a topic, and what can be read of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from tibs_contracts.envelope import CONTENT_TYPE, Envelope, EnvelopeError
from tibs_contracts.topics import Topic

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Record:
    """A Kafka record with its place."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"

    @cached_property
    def about(self) -> Topic:
        """ValueError for a topic that is none of ours."""
        return Topic.parse(self.topic)

    @cached_property
    def envelope(self) -> Envelope | None:
        """None if the headers give none; `flaw` says why."""
        try:
            return Envelope.from_headers(self.headers)
        except EnvelopeError:
            return None

    @cached_property
    def flaw(self) -> str | None:
        """What is wrong with the headers, as a sentence without its place."""
        names = [name for name, _ in self.headers if name.startswith("ce_")]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            return f"header {doubled[0]} stands twice"
        try:
            envelope = Envelope.from_headers(self.headers)
        except EnvelopeError as error:
            return str(error)
        if envelope.id.version != 7:
            return f"header ce_id held {envelope.id}, which is not a UUIDv7"
        held = dict(self.headers)
        if held.get("content-type") != CONTENT_TYPE.encode():
            return f"header content-type held {held.get('content-type')!r:.60}, not {CONTENT_TYPE}"
        time = (held["ce_time"] or b"").decode()
        if not time.endswith(("Z", "+00:00")):
            return f"header ce_time held '{time}', which is not in UTC"
        return None

    @cached_property
    def data(self) -> Any:
        """The value as JSON; None if it is none."""
        try:
            return json.loads(self.value or b"")
        except ValueError:
            return None

    @property
    def size(self) -> int:
        headers = sum(len(name.encode()) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


def readable(records: Iterable[Record]) -> Iterable[tuple[Record, Envelope]]:
    """The events whose envelope can be read; what cannot is the matter of one rule alone."""
    for record in records:
        if record.value is not None and record.envelope is not None:
            yield record, record.envelope


FACT = "eu.tibs.introduction."
DISCLOSED = "eu.tibs.contacts.disclosed.v1"


@dataclass(frozen=True)
class Told:
    """One fact of an introduction, such as `received`, as a region told it."""

    fact: str
    introduction: str
    record: Record
    envelope: Envelope

    @property
    def id(self) -> UUID:
        return self.envelope.id


def told(records: Iterable[Record]) -> list[Told]:
    """The facts of introductions on bilateral topics, in the order in which they lie; each event once."""
    found: dict[tuple[str, UUID], Told] = {}
    for record, envelope in readable(records):
        if not record.about.channel.bilateral or not isinstance(record.data, dict):
            continue
        if envelope.type.startswith(FACT):
            fact = envelope.type.removeprefix(FACT).rpartition(".")[0]
        elif envelope.type == DISCLOSED:
            fact = "disclosed"
        else:
            continue
        one = Told(fact, str(record.data.get("introduction_id", "")), record, envelope)
        found.setdefault((envelope.source, envelope.id), one)
    return list(found.values())
