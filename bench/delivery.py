"""Relay throughput beside a bare idempotent producer, handler throughput with the inbox beside without it."""

import asyncio
import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bench.figures import Figure, median_of_pairs
from tibs_chassis import migrations
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, Received, handles
from tibs_chassis.relay import Relay, Row, producer_for
from tibs_chassis.testing import TestRecord, record_of
from tibs_contracts.events import ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.topics import Channel, declared, every_region, topic_name
from tibs_devstack.parts.kafka import find_kafka
from tibs_devstack.parts.postgres import find_postgres

RECORDS = 10_000
HANDLED = 2_000
ROUNDS = 5


async def _relay(database: Database, kafka: str, region: str) -> tuple[float, float]:
    """Records a second: our relay, and the producer alone with the same records."""
    topic = topic_name(Channel.REGISTRY, region)
    record = record_of(published(), region=region, service="registry", subject=new_id(), sequence=1)
    headers = [[name, (value or b"").decode()] for name, value in record.headers]
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE outbox, outbox_waiting"))
        await session.execute(
            text(
                "INSERT INTO outbox (event_id, topic, aggregate, subject, sequence, type, headers, payload)"
                " SELECT gen_random_uuid(), :topic, 'profile', 's' || n, 1, :type, cast(:headers AS jsonb), :payload"
                " FROM generate_series(1, :count) AS n"
            ),
            {
                "topic": topic,
                "type": ProfilePublished.type,
                "headers": json.dumps(headers),
                "payload": record.value,
                "count": RECORDS,
            },
        )
        await session.execute(text("INSERT INTO outbox_waiting SELECT seq FROM outbox"))
    relay = Relay(database=database, kafka=kafka, service="registry", region=region)
    producer = producer_for(kafka, client_id="bench")
    await producer.start()
    try:
        async with database.direct() as connection:
            await relay.prepare(connection)
            started = time.perf_counter()
            await relay.drain(connection, producer)
            ours = RECORDS / (time.perf_counter() - started)
        rows = [
            Row(n, topic, f"s{n}".encode(), [(name, value.encode()) for name, value in headers], record.value)
            for n in range(RECORDS)
        ]
        started = time.perf_counter()
        answers = [await producer.send(one.topic, value=one.payload, key=one.key, headers=one.headers) for one in rows]
        await asyncio.gather(*answers)
        return ours, RECORDS / (time.perf_counter() - started)
    finally:
        await producer.stop()


class Effect:
    """What a projection does: one row written."""

    async def write(self, session: AsyncSession, profile: ProfilePublished) -> None:
        await session.execute(
            text(
                "INSERT INTO effect (id, title) VALUES (:id, :title)"
                " ON CONFLICT (id) DO UPDATE SET title = excluded.title"
            ),
            {"id": profile.profile_id, "title": profile.title},
        )

    async def handle(self, session: AsyncSession, received: Received[ProfilePublished]) -> None:
        await self.write(session, received.data)


async def _handled(database: Database, records: Sequence[TestRecord]) -> float:
    consumer = Consumer(
        f"bench{new_id().hex}",
        topics=every_region(Channel.REGISTRY),
        handlers=[handles(ProfilePublished, Effect().handle, latest_only=True)],
    )
    started = time.perf_counter()
    for record in records:
        await consumer.take(record, database=database)
    return len(records) / (time.perf_counter() - started)


async def _bare(database: Database, records: Sequence[TestRecord]) -> float:
    """The same parsing and the same effect in a transaction, remembering nothing."""
    effect = Effect()
    started = time.perf_counter()
    for record in records:
        async with database.transaction() as session:
            await effect.write(session, ProfilePublished.read(record.value or b""))
    return len(records) / (time.perf_counter() - started)


async def measure() -> list[Figure]:
    """Rounds of us and of the floor in turn, on servers of their own."""
    gc.freeze()  # As every service does at its start.
    with TemporaryDirectory(prefix="tibs-bench-") as folder:
        kafka, postgres = find_kafka(Path(folder) / "kafka"), find_postgres(Path(folder) / "postgres")
        kafka.start()
        postgres.start()
        try:
            url = postgres.create_database("bench")
            await asyncio.to_thread(migrations.upgrade, url, "tibs_chassis")
            database = Database(url, application="bench")
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
            await admin.start()
            await admin.create_topics(
                [NewTopic(one.name, one.partitions, 1, topic_configs=dict(one.config)) for one in declared("pl84", [])]
            )
            await admin.close()
            relay = [await _relay(database, kafka.address, "pl84") for _ in range(ROUNDS)]
            async with database.transaction() as session:
                await session.execute(text("CREATE TABLE effect (id uuid PRIMARY KEY, title text)"))
            handled = []
            for _ in range(ROUNDS):
                events = [published() for _ in range(HANDLED)]
                records = [
                    record_of(one, region="pl84", service="registry", subject=one.profile_id, sequence=1)
                    for one in events
                ]
                handled.append((await _handled(database, records), await _bare(database, records)))
            await database.close()
        finally:
            postgres.stop()
            kafka.stop()
    return [
        median_of_pairs("relay_throughput", relay, unit="events/s", aim="ratio ≥ 0.5"),
        median_of_pairs("handler_throughput", handled, unit="events/s", aim="ratio ≥ 0.6"),
    ]


if __name__ == "__main__":
    from bench.figures import table

    print(table(asyncio.run(measure())))
