"""One service of one region: its outbox against its topics, and those that it reads against what it took in."""

import asyncio
import base64
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import psycopg

from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.node import Node
from tibs_chassis.outbox import RETENTION_DAYS
from tibs_chassis.verify import rules
from tibs_chassis.verify.copies import Copy, Subject, digest_of, tells_facts
from tibs_chassis.verify.mirrors import PAUSE_SECONDS
from tibs_chassis.verify.reading import Progress, look_at, reading, silent
from tibs_chassis.verify.report import Line, Report
from tibs_contracts.topics import Channel, Topic

_BATCH = 2000
_DAY_MS = 24 * 60 * 60 * 1000

_CONFIRMED = """
SELECT seq, topic, aggregate, subject, sequence, headers, payload, extract(epoch FROM created_at) * 1000
FROM outbox WHERE seq > %s AND NOT EXISTS (SELECT FROM outbox_waiting AS waiting WHERE waiting.seq = outbox.seq)
ORDER BY seq LIMIT %s
"""
_KNOWN = "SELECT event_id FROM outbox WHERE event_id = ANY(%s)"
_VERSIONS = "SELECT topic, aggregate, subject, sequence FROM subject_version WHERE consumer = %s AND topic = ANY(%s)"
_APPLIED = "SELECT source, event_id FROM inbox WHERE consumer = %s AND source = ANY(%s) AND event_id = ANY(%s)"
_LETTERS = "SELECT headers, reason, state FROM dead_letter WHERE consumer = %s AND state IN ('open', 'discarded')"


async def own(
    *,
    node: Node,
    database: Database,
    kafka: str,
    consumers: Sequence[Consumer],
    wait: float = 10.0,
    progress: Progress = silent,
) -> Report:
    """Compares a service's database with its region's Kafka; `wait` seconds for what its readers have before them.

    Raises KafkaError or psycopg.Error when one of them does not answer.
    """
    until = time.monotonic() + wait
    cluster = await look_at(kafka)
    names = [name for name in cluster.partitions if tells_facts(name)]
    written = [name for name in names if _may_write(node, Topic.parse(name))]
    read = [name for name in names if any(one.topics.matches(name) for one in consumers)]
    where = f"{node.region} {node.service}"
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(database.direct())
        reader = await stack.enter_async_context(reading(cluster, sorted({*written, *read}), progress=progress))
        await reader.read_on()
        copies = reader.copies
        suspects = rules.Suspects()
        async for row in _confirmed(connection, node.source):
            if tells_facts(row.topic):
                suspects.add(row, copies)
        report = Report()
        versions: dict[str, Mapping[tuple[str, str, str], int]] = {}
        for consumer in consumers:
            versions[consumer.name] = await _readers(report, connection, consumer, copies, where=where, until=until)
        # What was confirmed or applied while we read came to the topics before: now they show it.
        await reader.read_on(late=True)
        await _outbox(report, connection, node, suspects, {name: copies[name] for name in written}, where=where)
        for consumer in consumers:
            for name, copy in copies.items():
                if consumer.topics.matches(name):
                    gone = rules.applied_but_gone(
                        rules.Reading.of(consumer.name, consumer.handled),
                        copy,
                        where=where,
                        versions=versions[consumer.name],
                    )
                    report.found(gone)
    return report


def _may_write(node: Node, topic: Topic) -> bool:
    if topic.region != node.region:
        return False
    return topic.channel is not Channel.LOCAL or topic.service == node.service


async def _confirmed(connection: psycopg.AsyncConnection, source: str) -> AsyncIterator[rules.Confirmed]:
    last = 0
    while rows := await (await connection.execute(_CONFIRMED, (last, _BATCH))).fetchall():
        for last, topic, aggregate, subject, sequence, headers, payload, at in rows:  # noqa: B007 - read on from it
            yield rules.Confirmed(
                topic=topic,
                subject=Subject(source, aggregate, subject),
                sequence=sequence,
                digest=digest_of(subject.encode(), payload, [(name, value.encode()) for name, value in headers]),
                erased=payload is None,
                written=int(at),
            )


async def _outbox(
    report: Report,
    connection: psycopg.AsyncConnection,
    node: Node,
    suspects: rules.Suspects,
    copies: Mapping[str, Copy],
    *,
    where: str,
) -> None:
    now = int(time.time() * 1000)
    # An hour of grace: rows are tidied away by the database's clock, events are dated by the service's.
    since = now - RETENTION_DAYS * _DAY_MS + 60 * 60 * 1000
    differences = rules.lost(suspects, copies, where=where, now=now)
    strange = [
        (name, subject, told)
        for name, copy in copies.items()
        for subject, told in rules.unknown(suspects.known, copy, source=node.source, since=since)
    ]
    # What was committed or confirmed since the rows were read is known after all.
    ids = [UUID(bytes=told.id) for _, _, told in strange]
    known = {row[0].bytes for row in await (await connection.execute(_KNOWN, (ids,))).fetchall()} if ids else set()
    by_subject: dict[tuple[str, Subject], set[int]] = defaultdict(set)
    for name, subject, told in strange:
        if told.id not in known:
            by_subject[name, subject].add(told.sequence)
    differences += [
        rules.UnknownToOutbox(where=where, topic=name, subject=subject, sequences=tuple(sorted(sequences)))
        for (name, subject), sequences in sorted(by_subject.items())
    ]
    report.found(differences)
    for name, copy in sorted(copies.items()):
        here = [one for one in differences if one.topic == name]
        events = sum(len(told) for subject, told in copy.subjects.items() if subject.source == node.source)
        if not events and not here:
            continue
        report.lines.append(
            Line(
                part="outbox",
                where=where,
                topic=name,
                figures={
                    "events": events,
                    "lost": sum(len(one.sequences) for one in here if isinstance(one, rules.Lost)),
                    "differing": sum(len(one.sequences) for one in here if isinstance(one, rules.NotAsWritten)),
                    "unknown": sum(len(one.sequences) for one in here if isinstance(one, rules.UnknownToOutbox)),
                },
            )
        )


async def _readers(
    report: Report,
    connection: psycopg.AsyncConnection,
    consumer: Consumer,
    copies: Mapping[str, Copy],
    *,
    where: str,
    until: float,
) -> Mapping[tuple[str, str, str], int]:
    """Reports what a consumer has not taken in, and returns the versions that it holds."""
    topics = [name for name in copies if consumer.topics.matches(name)]
    wanted = [
        one for name in topics for one in rules.due(rules.Reading.of(consumer.name, consumer.handled), copies[name])
    ]
    while True:
        versions = {
            (topic, aggregate, subject): sequence
            for topic, aggregate, subject, sequence in await _all(connection, _VERSIONS, (consumer.name, topics))
        }
        letters, passed_over = await _letters(connection, consumer.name)
        left = list(
            rules.not_applied(
                wanted,
                where=where,
                consumer=consumer.name,
                versions=versions,
                applied=await _applied(connection, consumer.name, [one for one in wanted if not one.latest]),
                letters=letters,
                passed_over=passed_over,
            )
        )
        # Among the dead letters nothing is on its way any more.
        on_its_way = [one for one in left if isinstance(one, rules.NotApplied) and one.reason is None]
        if not on_its_way or time.monotonic() > until:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    report.found(left)
    for name in topics:
        events = sum(one.topic == name for one in wanted)
        late = sum(one.topic == name for one in left)
        report.lines.append(
            Line(
                part="reader",
                where=f"{where}, {consumer.name}",
                topic=name,
                figures={"due": events, "applied": events - late, "not applied": late},
            )
        )
    return versions


async def _applied(
    connection: psycopg.AsyncConnection, consumer: str, wanted: Sequence[rules.Due]
) -> set[tuple[str, bytes]]:
    found: set[tuple[str, bytes]] = set()
    for begin in range(0, len(wanted), _BATCH):
        some = wanted[begin : begin + _BATCH]
        sources = list({one.subject.source for one in some})
        rows = await _all(connection, _APPLIED, (consumer, sources, [UUID(bytes=one.id) for one in some]))
        found.update((source, id.bytes) for source, id in rows)
    return found


async def _letters(connection: psycopg.AsyncConnection, consumer: str) -> tuple[dict[bytes, str], set[bytes]]:
    """The reasons of the open ones, and those that were let go, by event id."""
    open_ones: dict[bytes, str] = {}
    let_go: set[bytes] = set()
    for headers, reason, state in await _all(connection, _LETTERS, (consumer,)):
        id = _event_id(headers)
        if id is not None and state == "open":
            open_ones[id] = reason
        elif id is not None:
            let_go.add(id)
    return open_ones, let_go


def _event_id(headers: Iterable[tuple[str, str | None]]) -> bytes | None:
    for name, value in headers:
        if name == "ce_id" and value is not None:
            try:
                return UUID(base64.b64decode(value).decode()).bytes
            except ValueError:
                return None  # It is among the dead letters for just that.
    return None


async def _all(connection: psycopg.AsyncConnection, statement: str, values: Sequence[object]) -> list[Any]:
    return await (await connection.execute(statement, values)).fetchall()
