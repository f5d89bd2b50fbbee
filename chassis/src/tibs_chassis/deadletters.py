"""The dead letters of a service: look at them, try them again, or let them go."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import clock
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.tables import dead_letter
from tibs_contracts.topics import Topic


@dataclass(frozen=True)
class DeadLetter:
    """A record that could not be applied, as it came, and why. It has the shape of a Kafka record."""

    id: UUID
    consumer: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None
    kind: str
    reason: str
    trace: str | None
    attempts: int
    state: str
    arrived_at: datetime

    def header(self, name: str) -> str | None:
        """A header's text, for showing."""
        for key, value in self.headers:
            if key == name and value is not None:
                return value.decode(errors="backslashreplace")
        return None


def _of(row: object) -> DeadLetter:
    fields = {name: getattr(row, name) for name in DeadLetter.__dataclass_fields__}
    fields["headers"] = [
        (name, None if value is None else base64.b64decode(value)) for name, value in fields["headers"]
    ]
    return DeadLetter(**fields)


async def find(session: AsyncSession, *, state: str | None = "open", limit: int = 100) -> list[DeadLetter]:
    """The oldest first."""
    query = select(dead_letter).order_by(dead_letter.c.arrived_at).limit(limit)
    if state is not None:
        query = query.where(dead_letter.c.state == state)
    return [_of(row) for row in await session.execute(query)]


@dataclass(frozen=True)
class Quarantine:
    """What of a region is not believed for one reason: how many records, and since when."""

    region: str
    reason: str
    records: int
    since: datetime


async def quarantined(session: AsyncSession) -> list[Quarantine]:
    """What lies in quarantine, by region and reason; the reason with most records first."""
    # A record that several consumers refused is one.
    records = func.count(tuple_(dead_letter.c.partition, dead_letter.c.offset).distinct())
    rows = await session.execute(
        select(dead_letter.c.topic, dead_letter.c.reason, records, func.min(dead_letter.c.arrived_at))
        .where(dead_letter.c.state == "open", dead_letter.c.kind == "untrusted")
        .group_by(dead_letter.c.topic, dead_letter.c.reason)
    )
    found: dict[tuple[str, str], Quarantine] = {}
    for topic, reason, count, since in rows:
        region = Topic.parse(topic).region
        held = found.get((region, reason))
        found[region, reason] = Quarantine(
            region, reason, count + (held.records if held else 0), min(since, held.since) if held else since
        )
    return sorted(found.values(), key=lambda each: (-each.records, each.region, each.reason))


async def get(session: AsyncSession, id: UUID) -> DeadLetter | None:
    row = (await session.execute(select(dead_letter).where(dead_letter.c.id == id))).first()
    return None if row is None else _of(row)


async def settle(session: AsyncSession, id: UUID, *, state: str) -> None:
    await session.execute(update(dead_letter).where(dead_letter.c.id == id).values(state=state, settled_at=clock.now()))


async def replay(database: Database, letter: DeadLetter, *, consumers: Sequence[Consumer]) -> str:
    """Applies the record once more and returns what became of it. Raises what is still wrong; the letter stays open."""
    consumer = next((one for one in consumers if one.name == letter.consumer), None)
    if consumer is None:
        raise LookupError(f"consumer '{letter.consumer}' is not one of {', '.join(one.name for one in consumers)}")
    outcome, _ = await consumer.apply(letter, database=database)
    async with database.transaction() as session:
        await settle(session, letter.id, state="replayed")
    return outcome
