"""An event leaves if and only if its transaction committed, in order, whatever fails."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tibs_chassis import outbox
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.relay import Relay, Row, producer_for
from tibs_chassis.testing import eventually
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import ActorUnlisted, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published, unlisted
from tibs_contracts.topics import Channel, topic_name

pytestmark = pytest.mark.integration

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


async def read(kafka: str, topic: str, count: int, *, within: float = 20.0) -> list[Any]:
    """The first `count` records of a topic, and whatever came with them."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    records: list[Any] = []

    async def more() -> int:
        for batch in (await consumer.getmany(timeout_ms=200)).values():
            records.extend(batch)
        return len(records)

    try:
        await eventually(more, until=lambda seen: seen >= count, within=within)
    finally:
        await consumer.stop()
    return records


async def waiting(database: Database) -> int:
    async with database.transaction() as session:
        return int((await session.execute(text("SELECT count(*) FROM outbox_waiting"))).scalar_one())


async def test_a_committed_event_reaches_its_topic_with_its_envelope(
    database: Database, kafka: str, own_region: str, node_of: Callable[[str], Node], background: Start
) -> None:
    node = node_of(own_region)
    event = published()
    async with database.transaction() as session:
        event_id = await node.emit(session, event, subject=event.profile_id, sequence=1)
    background(Relay(database=database, kafka=kafka, service="registry", region=own_region).run())

    [record] = await read(kafka, topic_name(Channel.REGISTRY, own_region), 1)

    envelope = Envelope.from_headers(record.headers)
    assert envelope.id == event_id
    assert (envelope.source, envelope.sequence) == (f"/regions/{own_region}/registry", 1)
    assert record.key == str(event.profile_id).encode()
    assert ProfilePublished.read(record.value) == event
    await eventually(lambda: waiting(database), until=lambda count: count == 0)


async def test_an_event_of_a_transaction_taken_back_never_leaves(
    database: Database, own_region: str, node_of: Callable[[str], Node]
) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await node_of(own_region).emit(session, unlisted(), subject=new_id(), sequence=1)
            raise RuntimeError("taken back")

    with pytest.raises(RuntimeError, match="taken back"):
        await fail()
    assert await waiting(database) == 0


async def test_a_version_of_an_aggregate_is_told_once(
    database: Database, own_region: str, node_of: Callable[[str], Node], fresh_id: str
) -> None:
    async def tell() -> None:
        async with database.transaction() as session:
            await node_of(own_region).emit(session, unlisted(), subject=fresh_id, sequence=1)

    await tell()
    with pytest.raises(IntegrityError):
        await tell()


async def test_an_event_too_large_for_the_broker_is_refused_at_once(
    database: Database, own_region: str, node_of: Callable[[str], Node], fresh_id: str
) -> None:
    event = published(title="x" * 1_000_000)
    async with database.transaction() as session:
        with pytest.raises(ValueError, match="may hold 900000 bytes"):
            await node_of(own_region).emit(session, event, subject=fresh_id, sequence=1)


async def test_two_relays_keep_the_order_of_each_aggregate(
    database: Database, kafka: str, own_region: str, node_of: Callable[[str], Node], background: Start
) -> None:
    node = node_of(own_region)
    subjects = [new_id() for _ in range(5)]
    relays = [Relay(database=database, kafka=kafka, service="registry", region=own_region) for _ in range(2)]
    tasks = [background(relay.run()) for relay in relays]
    for sequence in range(1, 41):
        async with database.transaction() as session:
            for subject in subjects:
                await node.emit(session, unlisted(subject), subject=subject, sequence=sequence)
        if sequence == 20:
            # The active one goes; the other takes over.
            await eventually(lambda: _is_active(relays))
            active = next(index for index, relay in enumerate(relays) if relay.active)
            tasks[active].cancel()

    records = await read(kafka, topic_name(Channel.REGISTRY, own_region), 200)

    for subject in subjects:
        told = [Envelope.from_headers(one.headers).sequence for one in records if one.key == str(subject).encode()]
        first_tellings = list(dict.fromkeys(told))
        assert first_tellings == list(range(1, 41))
    assert {ActorUnlisted.read(one.value).actor_id for one in records} == set(subjects)


async def _is_active(relays: list[Relay]) -> bool:
    return any(relay.active for relay in relays)


class FailsFrom:
    """A producer whose broker refuses everything from the n-th record on."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.sent: list[bytes] = []

    async def send(self, topic: str, *, value: bytes, key: bytes, headers: object) -> asyncio.Future[object]:
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self._left > 0:
            self.sent.append(key)
            answer.set_result(None)
        else:
            answer.set_exception(KafkaError("refused"))
        self._left -= 1
        return answer


async def test_after_a_refusal_only_what_came_before_it_is_marked(
    database: Database, kafka: str, own_region: str, node_of: Callable[[str], Node]
) -> None:
    node = node_of(own_region)
    async with database.transaction() as session:
        for _ in range(5):
            subject = new_id()
            await node.emit(session, unlisted(subject), subject=subject, sequence=1)
    relay = Relay(database=database, kafka=kafka, service="registry", region=own_region)

    async with database.direct() as connection:
        with pytest.raises(KafkaError):
            await relay.drain(connection, FailsFrom(3))  # type: ignore[arg-type]
        rows = await (
            await connection.execute(
                "SELECT w.seq IS NOT NULL FROM outbox LEFT JOIN outbox_waiting AS w USING (seq) ORDER BY seq"
            )
        ).fetchall()

    assert [row[0] for row in rows] == [False, False, False, True, True]


async def test_a_relay_that_cannot_reach_kafka_waits_and_delivers_later(
    database: Database, kafka: str, own_region: str, node_of: Callable[[str], Node], background: Start
) -> None:
    subject = new_id()
    async with database.transaction() as session:
        await node_of(own_region).emit(session, unlisted(subject), subject=subject, sequence=1)
    relay = Relay(database=database, kafka="127.0.0.1:1", service="registry", region=own_region)
    background(relay.run())

    async def failing() -> str | None:
        return relay.failing

    reason = await eventually(failing, within=30)
    assert reason is not None
    assert "KafkaConnectionError" in reason

    async def told() -> outbox.Failure | None:
        async with database.transaction() as session:
            return await outbox.failure(session)

    failure = await eventually(told)
    assert failure is not None
    assert failure.reason == "KafkaConnectionError"
    assert failure.next_attempt_at is not None
    assert failure.next_attempt_at > failure.since
    relay._kafka = kafka

    [record] = await read(kafka, topic_name(Channel.REGISTRY, own_region), 1, within=40)
    assert record.key == str(subject).encode()
    await eventually(told, until=lambda held: held is None)
    async with database.transaction() as session:
        assert await outbox.waiting_seconds(session) == 0


async def test_the_producer_is_idempotent_and_waits_for_all_replicas(kafka: str) -> None:
    producer = producer_for(kafka, client_id="x")
    assert producer._sender._acks == -1
    assert producer._txn_manager is not None
    await producer.start()
    await producer.stop()


def test_a_row_becomes_a_record() -> None:
    row = Row.of((1, "t", "s", [["ce_id", "é"]], b"{}"))
    assert (row.key, row.headers, row.payload) == (b"s", [("ce_id", "é".encode())], b"{}")
