"""Topic names, in one place. A topic is named by the region that writes it, and keeps that name in every mirror."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

REGION = r"[a-z][a-z][a-z0-9]*"  # without braces: frameworks read those as path parameters
SERVICE = r"[a-z]+"
PARTITIONS = 6
"""Fixed at creation: a key must stay in its partition, and the number bounds how many consumers share the work."""

_DAY_MS = 24 * 60 * 60 * 1000


class Channel(StrEnum):
    """What a topic carries and who may read it."""

    REGISTRY = "registry"
    CATALOGUE = "catalogue"
    BROKERAGE = "brokerage"
    CASES = "cases"
    CONTACTS = "contacts"
    PROBES = "probes"
    LOCAL = "local"

    @property
    def public(self) -> bool:
        """Read by every region and every subscriber: no personal data at all."""
        return self in (Channel.REGISTRY, Channel.CATALOGUE, Channel.BROKERAGE)

    @property
    def bilateral(self) -> bool:
        """Between two regions; only the addressed one may read it."""
        return self in (Channel.CASES, Channel.CONTACTS, Channel.PROBES)


@dataclass(frozen=True)
class Topic:
    """A topic name taken apart. `region` writes it; `to` reads it if bilateral; `service` writes it if local."""

    channel: Channel
    region: str
    to: str | None = None
    service: str | None = None

    @property
    def name(self) -> str:
        return topic_name(self.channel, self.region, to=self.to, service=self.service)

    @classmethod
    def parse(cls, name: str) -> "Topic":
        """Raises ValueError for a name that is none of ours."""
        if found := _BILATERAL.fullmatch(name):
            return cls(Channel(found["channel"]), found["region"], to=found["to"])
        if found := _PUBLIC.fullmatch(name):
            return cls(Channel(found["channel"]), found["region"])
        if found := _LOCAL.fullmatch(name):
            return cls(Channel.LOCAL, found["region"], service=found["service"])
        raise ValueError(f"'{name}' is not the name of a TIBS topic, such as 'tibs.pl84.registry.v1'")


_PUBLIC = re.compile(rf"tibs\.(?P<region>{REGION})\.(?P<channel>registry|catalogue|brokerage)\.v1")
_BILATERAL = re.compile(rf"tibs\.(?P<region>{REGION})\.to\.(?P<to>{REGION})\.(?P<channel>cases|contacts|probes)\.v1")
_LOCAL = re.compile(rf"tibs-local\.(?P<region>{REGION})\.(?P<service>{SERVICE})\.v1")


def topic_name(channel: Channel, region: str, *, to: str | None = None, service: str | None = None) -> str:
    """The name of a topic: the one function that builds it.

    Bilateral channels need `to`, the local one needs `service`; ValueError otherwise or for an impossible code.
    """
    for code in (region, to):
        if code is not None and not re.fullmatch(REGION, code):
            raise ValueError(f"'{code}' is not a region code: two letters, then up to eight letters or digits")
    if channel.bilateral:
        if to is None or to == region:
            raise ValueError(f"a {channel.value} topic goes from one region to another, not from '{region}' to '{to}'")
        return f"tibs.{region}.to.{to}.{channel.value}.v1"
    if channel is Channel.LOCAL:
        if service is None or not re.fullmatch(SERVICE, service):
            raise ValueError(f"a local topic is named by its service, not by '{service}'")
        return f"tibs-local.{region}.{service}.v1"
    return f"tibs.{region}.{channel.value}.v1"


@dataclass(frozen=True)
class TopicSelection:
    """Which topics a consumer reads: fixed names, or a pattern anchored at both ends."""

    names: tuple[str, ...] = ()
    pattern: str | None = None

    def matches(self, name: str) -> bool:
        return name in self.names if self.pattern is None else re.fullmatch(self.pattern, name) is not None


def every_region(channel: Channel) -> TopicSelection:
    """A public channel of all regions, those that join later too. The writing region's own topic is among them."""
    if not channel.public:
        raise ValueError(f"{channel.value} is not a public channel")
    return TopicSelection(pattern=rf"^tibs\.{REGION}\.{channel.value}\.v1$")


def incoming(channel: Channel, region: str) -> TopicSelection:
    """A bilateral channel as `region` receives it, from whichever region."""
    if not channel.bilateral:
        raise ValueError(f"{channel.value} is not a bilateral channel")
    topic_name(channel, "xx", to=region)
    return TopicSelection(pattern=rf"^tibs\.{REGION}\.to\.{region}\.{channel.value}\.v1$")


def local(region: str, *services: str) -> TopicSelection:
    """The local topics of the named services of one node."""
    return TopicSelection(names=tuple(topic_name(Channel.LOCAL, region, service=service) for service in services))


@dataclass(frozen=True)
class TopicDeclaration:
    """How a topic is to be created: by its writer, and with the same partitions wherever it is mirrored."""

    name: str
    partitions: int = PARTITIONS
    config: Mapping[str, str] = field(default_factory=dict)


SERVICES = ("registry", "matching", "cases", "notify")

_COMPACTED = {
    "cleanup.policy": "compact",
    # Longer than the longest outage that a region may sleep through, or it would miss that something was erased.
    "delete.retention.ms": str(14 * _DAY_MS),
    "max.compaction.lag.ms": str(_DAY_MS),
}


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)}


CONFIG: Mapping[Channel, Mapping[str, str]] = {
    Channel.REGISTRY: _COMPACTED,
    Channel.CATALOGUE: _COMPACTED,
    Channel.BROKERAGE: _kept(400),
    Channel.CASES: _kept(400),
    Channel.CONTACTS: _kept(14),
    Channel.PROBES: _kept(1),
    Channel.LOCAL: _kept(30),
}


def declared(region: str, others: Iterable[str]) -> list[TopicDeclaration]:
    """Every topic that `region` writes, with a bilateral pair to each of `others`."""
    names = [topic_name(channel, region) for channel in Channel if channel.public]
    names += [topic_name(Channel.LOCAL, region, service=service) for service in SERVICES]
    names += [topic_name(channel, region, to=to) for to in others for channel in Channel if channel.bilateral]
    return [TopicDeclaration(name=name, config=CONFIG[Topic.parse(name).channel]) for name in names]


_TRAVELLING = tuple(channel for channel in Channel if channel is not Channel.LOCAL)

LARGEST_PULLED = 8 * 1024 * 1024
"""Bytes of the largest record that a mirror takes over. A region whose broker lets its writers send more than ours do
(1 MiB) must not stop the flow: what is too large is refused by the readers, one record at a time."""


def pulled(region: str, peer: str) -> list[TopicDeclaration]:
    """The topics that `region` mirrors from `peer`: its public ones, and the bilateral ones addressed to `region`."""
    if region == peer:
        raise ValueError(f"'{region}' does not pull from itself")
    names = [topic_name(channel, peer, to=region if channel.bilateral else None) for channel in _TRAVELLING]
    return [
        TopicDeclaration(
            name=name, config={**CONFIG[Topic.parse(name).channel], "max.message.bytes": str(LARGEST_PULLED)}
        )
        for name in names
    ]
