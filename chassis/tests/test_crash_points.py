"""A process dies between Kafka's answer and its own note of it, or between a handler's commit and the offset's."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition
from sqlalchemy import text

from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, Received, handles
from tibs_chassis.kafka import ConsumerHost, group_id
from tibs_chassis.node import Node
from tibs_chassis.relay import Relay
from tibs_chassis.testing import eventually
from tibs_contracts.events import ProfilePublished
from tibs_contracts.mothers import published
from tibs_contracts.topics import PARTITIONS, Channel, TopicSelection, topic_name

pytestmark = pytest.mark.integration

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
DIED_THERE = 77

RELAY = f"""
import asyncio, os, sys
from tibs_chassis.database import Database
from tibs_chassis.relay import Relay

class Dying(Relay):
    async def _mark(self, connection, confirmed):
        if confirmed:
            os._exit({DIED_THERE})

url, kafka, region = sys.argv[1:]
asyncio.run(Dying(database=Database(url, application="dying"), kafka=kafka, service="registry", region=region).run())
"""

CONSUMER = f"""
import asyncio, os, sys
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, handles
from tibs_chassis.kafka import ConsumerHost
from tibs_contracts.events import ProfilePublished
from tibs_contracts.topics import TopicSelection
sys.path.insert(0, sys.argv[5])
from test_crash_points import write_down

class Dying(Consumer):
    async def take(self, record, *, database):
        await super().take(record, database=database)
        os._exit({DIED_THERE})

url, kafka, region, topic = sys.argv[1:5]
consumer = Dying(
    "titles", topics=TopicSelection(names=(topic,)), handlers=[handles(ProfilePublished, write_down, latest_only=False)]
)
host = ConsumerHost(
    kafka=kafka, service="registry", region=region, consumers=[consumer], database=Database(url, application="dying")
)
asyncio.run(host.run())
"""


async def write_down(session: Any, received: Received[ProfilePublished]) -> None:
    """An effect that shows how often it was done."""
    await session.execute(
        text("INSERT INTO title (id, title) VALUES (:id, :title)"),
        {"id": received.data.profile_id, "title": received.data.title},
    )


async def dies(program: str, *arguments: str) -> None:
    """Runs it until it dies where it should."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, env=os.environ, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode == DIED_THERE, said.decode()


async def emit(database: Database, node: Node, count: int) -> list[ProfilePublished]:
    events = [published(title=f"Seeks number {number}") for number in range(count)]
    for event in events:
        async with database.transaction() as session:
            await node.emit(session, event, subject=event.profile_id, sequence=1)
    return events


async def waiting(database: Database) -> int:
    async with database.transaction() as session:
        return int((await session.execute(text("SELECT count(*) FROM outbox_waiting"))).scalar_one())


async def keys_on(kafka: str, topic: str) -> list[bytes]:
    return [record.key for record in await records_on(kafka, topic)]


async def records_on(kafka: str, topic: str) -> list[ConsumerRecord]:
    """All records of a topic up to its present end, in the order of each partition."""
    reader = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while any([await reader.position(one) < ends[one] for one in partitions]):
            for batch in (await reader.getmany(timeout_ms=200)).values():
                found += batch
        return found
    finally:
        await reader.stop()


async def written(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list((await session.execute(text("SELECT title FROM title ORDER BY title"))).scalars())


@pytest.fixture
async def titles(database: Database) -> Consumer:
    """Writes each event down. No unique key: a second effect would be seen."""
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE title (id uuid, title text)"))
    return Consumer(
        "titles", topics=TopicSelection(), handlers=[handles(ProfilePublished, write_down, latest_only=False)]
    )


async def test_a_relay_that_dies_after_kafkas_answer_repeats_and_the_repetition_has_no_effect(
    database: Database,
    database_url: str,
    kafka: str,
    own_region: str,
    node_of: Callable[[str], Node],
    background: Start,
    titles: Consumer,
) -> None:
    topic = topic_name(Channel.REGISTRY, own_region)
    events = await emit(database, node_of(own_region), 3)
    for _ in range(2):
        await dies(RELAY, database_url, kafka, own_region)
        assert await waiting(database) == 3

    background(Relay(database=database, kafka=kafka, service="registry", region=own_region).run())
    await eventually(lambda: waiting(database), until=lambda count: count == 0, what="an empty outbox")

    there = await keys_on(kafka, topic)
    assert sorted(there) == sorted(str(event.profile_id).encode() for event in events for _ in range(3))
    reader = Consumer("titles", topics=TopicSelection(names=(topic,)), handlers=list(titles._handlers.values()))
    host = ConsumerHost(kafka=kafka, service="registry", region=own_region, consumers=[reader], database=database)
    background(host.run())
    await eventually(lambda: written(database), until=lambda titles: len(titles) == 3, what="the effects")
    await eventually(_caught_up(kafka, own_region, reader, count=9), what="the end of the topic")
    assert await written(database) == [event.title for event in events]


async def test_a_consumer_that_dies_after_its_commit_takes_the_record_again_without_effect(
    database: Database,
    database_url: str,
    kafka: str,
    own_region: str,
    node_of: Callable[[str], Node],
    background: Start,
    titles: Consumer,
) -> None:
    topic = topic_name(Channel.REGISTRY, own_region)
    events = await emit(database, node_of(own_region), 3)
    background(Relay(database=database, kafka=kafka, service="registry", region=own_region).run())
    await eventually(lambda: waiting(database), until=lambda count: count == 0, what="an empty outbox")
    reader = Consumer("titles", topics=TopicSelection(names=(topic,)), handlers=list(titles._handlers.values()))

    await dies(CONSUMER, database_url, kafka, own_region, topic, str(Path(__file__).parent))

    assert len(await written(database)) == 1
    assert await _committed(kafka, own_region, reader) == 0
    host = ConsumerHost(kafka=kafka, service="registry", region=own_region, consumers=[reader], database=database)
    background(host.run())
    await eventually(_caught_up(kafka, own_region, reader, count=3), within=60, what="the end of the topic")
    assert await written(database) == [event.title for event in events]


class Standing(Relay):
    """Stands still with its first batch in its hands until it is let go."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.stands, self.goes_on = asyncio.Event(), asyncio.Event()

    async def _send(self, rows: Any, producer: Any, confirmed: list[int]) -> None:
        self.stands.set()
        await self.goes_on.wait()
        await super()._send(rows, producer, confirmed)


async def test_a_relay_that_wakes_after_another_took_over_does_not_leave_an_old_state_as_the_last(
    database: Database, kafka: str, own_region: str, node_of: Callable[[str], Node], background: Start
) -> None:
    topic, event = topic_name(Channel.REGISTRY, own_region), published()

    async def tell(sequence: int) -> None:
        async with database.transaction() as session:
            await node_of(own_region).emit(session, event, subject=event.profile_id, sequence=sequence)

    settings = {"database": database, "kafka": kafka, "service": "registry", "region": own_region}
    sleeper = Standing(**settings)
    await tell(1)
    background(sleeper.run())
    await asyncio.wait_for(sleeper.stands.wait(), timeout=30)
    async with database.transaction() as session:
        held = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        await session.execute(
            text(f"{held} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
        )
    background(Relay(**settings).run())
    for sequence in (2, 3):
        await tell(sequence)
    await eventually(lambda: waiting(database), until=lambda count: count == 0, what="the other relay's work")

    sleeper.goes_on.set()

    async def told() -> list[int]:
        return [int(dict(record.headers)["ce_sequence"]) for record in await records_on(kafka, topic)]

    assert (await eventually(told, until=lambda told: len(told) >= 5, what="the newest state again"))[-1] == 3
    assert await told() == [1, 2, 3, 1, 3]


async def _committed(kafka: str, region: str, consumer: Consumer) -> int:
    """How many records of its topics a consumer has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group_id(region, "registry", consumer))
        return sum(max(0, one.offset) for one in offsets.values())
    finally:
        await admin.close()


def _caught_up(kafka: str, region: str, consumer: Consumer, *, count: int) -> Callable[[], Coroutine[Any, Any, bool]]:
    async def ask() -> bool:
        return await _committed(kafka, region, consumer) == count

    return ask
