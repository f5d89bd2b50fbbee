"""Asks the database what it knows of events that topics hold."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import psycopg
from psycopg import sql

from tibs_chassis.restored.rules import Memory, Told

# What has a number that another event left with is told twice already; to hold anything back would not help. It is
# settled as soon as a later number has been told.
_KNOWN = """
SELECT asked.id, EXISTS (
    SELECT FROM outbox JOIN outbox_waiting USING (seq) WHERE outbox.event_id = asked.id
) FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[])
    AS asked (id, topic, aggregate, subject, sequence)
WHERE EXISTS (SELECT FROM outbox WHERE outbox.event_id = asked.id)
OR EXISTS (
    SELECT FROM outbox WHERE (outbox.topic, outbox.aggregate, outbox.subject, outbox.sequence)
        = (asked.topic, asked.aggregate, asked.subject, asked.sequence)
    AND NOT EXISTS (SELECT FROM outbox_waiting WHERE outbox_waiting.seq = outbox.seq)
) AND (NOT %s OR EXISTS (
    SELECT FROM outbox WHERE (outbox.topic, outbox.aggregate, outbox.subject)
        = (asked.topic, asked.aggregate, asked.subject) AND outbox.sequence > asked.sequence
))
"""


async def ask(
    connection: psycopg.AsyncConnection,
    told: Sequence[Told],
    *,
    versions: Mapping[str, str],
    settled: bool = False,
) -> list[Memory]:
    """One answer an event. `versions` names the table that counts an aggregate's versions.

    With `settled`, an event whose number another one left with counts as known only when a later one was written.
    """
    columns = [(one.id, one.topic, one.aggregate, one.subject, one.sequence) for one in told]
    cursor = await connection.execute(_KNOWN, (*(list(column) for column in zip(*columns, strict=True)), settled))
    known: dict[UUID, bool] = dict(await cursor.fetchall())
    held = await versions_of(connection, {(one.aggregate, one.subject) for one in told}, versions=versions)
    return [
        Memory(
            known=one.id in known,
            waits=known.get(one.id, False),
            version=held.get((one.aggregate, one.subject)),
        )
        for one in told
    ]


async def versions_of(
    connection: psycopg.AsyncConnection, subjects: set[tuple[str, str]], *, versions: Mapping[str, str]
) -> dict[tuple[str, str], int]:
    """The versions of those that are there, by aggregate and subject."""
    by_table: dict[str, dict[UUID, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for aggregate, subject in subjects:
        if (table := versions.get(aggregate)) is not None and (id := uuid_or_none(subject)) is not None:
            by_table[table][id].append((aggregate, subject))
    found: dict[tuple[str, str], int] = {}
    for table, asked in by_table.items():
        query = sql.SQL("SELECT id, version FROM {} WHERE id = ANY(%s)").format(sql.Identifier(table))
        for id, version in await (await connection.execute(query, (list(asked),))).fetchall():
            found |= {one: int(version) for one in asked[id]}
    return found


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
