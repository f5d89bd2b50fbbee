"""Who writes: a service of a region. The one way by which events come into being."""

from dataclasses import dataclass, field
from uuid import UUID

from opentelemetry.propagate import inject
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import clock, context, outbox
from tibs_chassis.regions import Regions
from tibs_chassis.standings import Standing, Standings
from tibs_contracts.envelope import Envelope, source_of
from tibs_contracts.events import Event
from tibs_contracts.ids import new_id
from tibs_contracts.signatures import Signer
from tibs_contracts.topics import Channel, topic_name


@dataclass(frozen=True)
class Node:
    """A service of a region, and the network it knows."""

    region: str
    service: str
    regions: Regions
    signer: Signer | None = field(default=None, repr=False, kw_only=True)
    """Signs what other regions read. A service that tells the own node alone needs none."""
    standings: Standings | None = field(default=None, repr=False, kw_only=True)
    """Whom this node blocks; None if it blocks nobody, ever."""

    def __post_init__(self) -> None:
        self.regions[self.region]  # A node that is not part of its own network could not tell anybody anything.

    @property
    def source(self) -> str:
        return source_of(self.region, self.service)

    def blocked(self, code: str) -> Standing | None:
        """Since when and why this node blocks a region; None if it does not."""
        return None if self.standings is None else self.standings.blocked(code)

    async def emit(
        self,
        session: AsyncSession,
        event: Event,
        *,
        subject: UUID | str,
        sequence: int,
        to: str | None = None,
        correlation_id: UUID | None = None,
    ) -> UUID:
        """Puts an event into the outbox of the caller's transaction and returns its id.

        `sequence` is the version of the aggregate `subject` after the change, from 1; `to` is the addressed region of a
        bilateral event. Cause and correlation are those of the event being handled, unless the caller knows better.
        """
        cause = context.handling.get()
        if correlation_id is None:
            correlation_id = cause.correlation_id if cause is not None else new_id()
        carrier: dict[str, str] = {}
        inject(carrier)
        envelope = Envelope(
            id=new_id(),
            source=self.source,
            type=event.type,
            subject=str(subject),
            time=clock.now(),
            sequence=sequence,
            correlation_id=correlation_id,
            causation_id=None if cause is None else cause.id,
            traceparent=carrier.get("traceparent"),
        )
        local = event.channel is Channel.LOCAL
        topic = topic_name(event.channel, self.region, to=to, service=self.service if local else None)
        signer = None if local else self.signer
        return await outbox.put(session, topic=topic, envelope=envelope, payload=event.write(), signer=signer)
