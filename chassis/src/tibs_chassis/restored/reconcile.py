"""Brings a database in step with what it had published before it was restored: no number is told twice."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import audit, clock
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.restored import detection
from tibs_chassis.restored.memory import ask
from tibs_chassis.restored.rules import Beyond, Key, Told, Waiting, is_beyond, key_of, renumbered, shift_of
from tibs_chassis.restored.topics import OwnTopics
from tibs_contracts.signatures import HEADER
from tibs_contracts.topics import Channel, Topic

TellAgain = Callable[[AsyncSession, Node, Beyond], Awaitable[bool]]
"""Tells the present state of what is beyond, with its next version; False for what is left to a person."""

WAIT_SECONDS = 20.0


class NotReconciled(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True)
class Versions:
    """How a service counts: which table's column `version` numbers the events of which aggregate.

    `tell_again` tells once more what readers keep a copy of. Without it all is left for a person to look at.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    tell_again: TellAgain | None = None


@dataclass
class Reconciled:
    """What was done."""

    remembered: int = 0
    """Events written into the outbox as confirmed."""
    renumbered: int = 0
    """Waiting events that had a number which was told already."""
    lifted: int = 0
    """Rows whose version went up."""
    told_again: list[Beyond] = field(default_factory=list)
    left: list[Beyond] = field(default_factory=list)
    """For a person to look at."""


async def look(
    connection: psycopg.AsyncConnection, *, node: Node, kafka: str, tables: Mapping[str, str]
) -> list[Beyond]:
    """All that the service's topics hold beyond its database. Raises KafkaError and psycopg.Error."""
    topics = OwnTopics(kafka=kafka, region=node.region, service=node.service, regions=node.regions)
    now = clock.now()
    found: dict[Key, Beyond] = {}
    greatest: dict[Key, int] = defaultdict(int)
    arrived: dict[Key, set[UUID]] = defaultdict(set)
    async for batch in topics.everything():
        memories = await ask(connection, batch, versions=tables, settled=True)
        for told, memory in zip(batch, memories, strict=True):
            key = key_of(told.aggregate, told.subject, tables)
            greatest[key] = max(greatest[key], told.sequence)
            if memory.waits:
                arrived[key].add(told.id)
            if is_beyond(told, memory, counted=told.aggregate in tables, now=now):
                beyond = found.setdefault(key, Beyond(key, version=memory.version))
                if all(one.id != told.id for one in beyond.told):  # Kafka may hold it twice.
                    beyond.told.append(told)
    for key, beyond in found.items():
        beyond.greatest, beyond.arrived = greatest[key], arrived[key]
        beyond.told.sort(key=lambda one: one.sequence)
    return sorted(found.values(), key=lambda one: one.key)


@asynccontextmanager
async def nobody_publishes(
    database: Database, *, within: float = WAIT_SECONDS
) -> AsyncIterator[psycopg.AsyncConnection]:
    """Raises NotReconciled if the relay publishes. One that holds back looks again now and then: that is waited for."""
    async with database.direct() as connection:
        until = time.monotonic() + within
        while not await _taken(connection):
            if time.monotonic() > until:
                raise NotReconciled(
                    "the relay of this service publishes, it does not find the database older; stop it first"
                )
            await asyncio.sleep(0.2)
        yield connection


async def _taken(connection: psycopg.AsyncConnection) -> bool:
    row = await (await connection.execute(detection.TAKE)).fetchone()
    return row is not None and bool(row[0])


async def apply(session: AsyncSession, found: Sequence[Beyond], *, node: Node, versions: Versions) -> Reconciled:
    """Reconciles in the caller's transaction; hold `nobody_publishes` meanwhile, and from before `look`.

    Writers wait until the transaction ends. `found` gets the versions that the rows have now.
    """
    done = Reconciled()
    if not found:
        return done
    await _lock(session, sorted(set(versions.tables.values())))
    waiting = await _waiting(session, found, tables=versions.tables)
    confirmed = await _confirmed(session, found, tables=versions.tables)
    arrived = set().union(*(beyond.arrived for beyond in found))
    await _confirm(session, [row.seq for rows in waiting.values() for row in rows if row.id in arrived])
    for beyond in found:
        greatest = max(beyond.greatest, confirmed[beyond.key])
        rows = [row for row in waiting[beyond.key] if row.id not in arrived]
        shift = shift_of([row.sequence for row in rows], greatest=greatest)
        if shift:
            await _renumber(session, rows, shift=shift, node=node)
            done.renumbered += len(rows)
        done.lifted += await _lift(session, beyond, shift=shift, greatest=greatest, tables=versions.tables)
        beyond.greatest = max([greatest, *(row.sequence + shift for row in rows)])
    done.remembered = await _remember(session, [told for beyond in found for told in beyond.told])
    for beyond in found:
        again = versions.tell_again is not None and await versions.tell_again(session, node, beyond)
        (done.told_again if again else done.left).append(beyond)
    await audit.record(
        session,
        principal=None,
        action="outbox.reconciled",
        subject=f"service:{node.service}",
        detail={
            "remembered": str(done.remembered),
            "renumbered": str(done.renumbered),
            "lifted": str(done.lifted),
            "told_again": str(len(done.told_again)),
        },
    )
    return done


async def _lock(session: AsyncSession, tables: Sequence[str]) -> None:
    # Against SELECT … FOR UPDATE too: who has read a version must not write the next one past us.
    for table in (*tables, "outbox", "outbox_waiting"):
        await session.execute(text(f'LOCK TABLE "{table}" IN EXCLUSIVE MODE'))


async def _waiting(
    session: AsyncSession, found: Sequence[Beyond], *, tables: Mapping[str, str]
) -> dict[Key, list[Waiting]]:
    rows = await session.execute(
        text(
            "SELECT seq, event_id, topic, aggregate, subject, sequence FROM outbox_waiting JOIN outbox USING (seq)"
            " WHERE subject = ANY(:subjects) ORDER BY seq"
        ),
        {"subjects": [beyond.subject for beyond in found]},
    )
    by_key: dict[Key, list[Waiting]] = defaultdict(list)
    for row in rows:
        by_key[key_of(row.aggregate, row.subject, tables)].append(Waiting(*row))
    return by_key


async def _confirmed(session: AsyncSession, found: Sequence[Beyond], *, tables: Mapping[str, str]) -> dict[Key, int]:
    """The greatest number that left and that the outbox still remembers: a topic may have compacted it away."""
    rows = await session.execute(
        text(
            "SELECT aggregate, subject, max(sequence) AS last FROM outbox WHERE subject = ANY(:subjects)"
            " AND NOT EXISTS (SELECT FROM outbox_waiting AS waiting WHERE waiting.seq = outbox.seq)"
            " GROUP BY aggregate, subject"
        ),
        {"subjects": [beyond.subject for beyond in found]},
    )
    greatest: dict[Key, int] = defaultdict(int)
    for row in rows:
        key = key_of(row.aggregate, row.subject, tables)
        greatest[key] = max(greatest[key], row.last)
    return greatest


async def _confirm(session: AsyncSession, rows: Sequence[int]) -> None:
    await session.execute(text("DELETE FROM outbox_waiting WHERE seq = ANY(:rows)"), {"rows": list(rows)})


async def _renumber(session: AsyncSession, rows: Sequence[Waiting], *, shift: int, node: Node) -> None:
    # From the last one down, so that none takes a number that another still has.
    for row in sorted(rows, key=lambda one: (one.sequence, one.seq), reverse=True):
        held = (
            await session.execute(text("SELECT headers, payload FROM outbox WHERE seq = :seq"), {"seq": row.seq})
        ).one()
        headers = renumbered(held.headers, row.sequence + shift)
        if Topic.parse(row.topic).channel is not Channel.LOCAL:
            if node.signer is None:
                raise NotReconciled(f"{node.source} has no key to sign its renumbered events with (TIBS_SIGNING_KEY)")
            signed = node.signer.sign(
                topic=row.topic, headers=[(name, value.encode()) for name, value in headers], value=held.payload
            )
            headers.append((HEADER, signed))
        await session.execute(
            _RENUMBER, {"seq": row.seq, "sequence": row.sequence + shift, "headers": [list(one) for one in headers]}
        )


_RENUMBER = text("UPDATE outbox SET sequence = :sequence, headers = :headers WHERE seq = :seq").bindparams(
    bindparam("headers", type_=JSONB)
)
_COUNT = text("SELECT count(*) FROM outbox")
_REMEMBER = text(
    """
    INSERT INTO outbox (event_id, topic, aggregate, subject, sequence, type, headers, payload, created_at)
    VALUES (:event_id, :topic, :aggregate, :subject, :sequence, :type, :headers, :payload, :created_at)
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("headers", type_=JSONB))


async def _lift(session: AsyncSession, beyond: Beyond, *, shift: int, greatest: int, tables: Mapping[str, str]) -> int:
    table = beyond.key.counted_by
    if table not in tables.values():
        return 0
    result: Any = await session.execute(
        text(
            f'UPDATE "{table}" SET version = greatest(version + :shift, :greatest)'  # noqa: S608 - a name of our own
            " WHERE id = CAST(:id AS uuid) AND version < greatest(version + :shift, :greatest)"
        ),
        {"shift": shift, "greatest": greatest, "id": beyond.subject},
    )
    return int(result.rowcount)


async def _remember(session: AsyncSession, told: Sequence[Told]) -> int:
    before = await session.scalar(_COUNT)
    await session.execute(
        _REMEMBER,
        [
            {
                "event_id": one.id,
                "topic": one.topic,
                "aggregate": one.aggregate,
                "subject": one.subject,
                "sequence": one.sequence,
                "type": one.type,
                "headers": [[name, (value or b"").decode(errors="replace")] for name, value in one.headers],
                "payload": one.value,
                "created_at": one.written,
            }
            for one in told
        ],
    )
    return int((await session.scalar(_COUNT)) or 0) - int(before or 0)
