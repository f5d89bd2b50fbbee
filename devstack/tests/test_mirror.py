"""The mirror between two real clusters: it takes what it was told to take, as it is, and goes on where it was."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tibs_chassis.testing import eventually
from tibs_contracts.topics import LARGEST_PULLED, PARTITIONS, declared, pulled
from tibs_devstack.parts.kafka import Kafka, find_kafka
from tibs_devstack.parts.mirror import Mirror, find_mirror
from tibs_devstack.pytest_plugin import MakeFolder
from tibs_devstack.topics import declare_topics

pytestmark = pytest.mark.integration

HERE, PEER = "pl84", "fi1c"
REGISTRY = f"tibs.{PEER}.registry.v1"


class Pair:
    """Two clusters and the mirror of one of them."""

    def __init__(self, here: Kafka, peer: Kafka, mirror: Mirror) -> None:
        self.here, self.peer, self.mirror = here, peer, mirror

    async def write(self, topic: str, *values: bytes | None, key: bytes = b"k", headers: Any = ()) -> None:
        """At the peer."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.peer.address, enable_idempotence=True, max_request_size=LARGEST_PULLED
        ) as out:
            for value in values:
                await out.send_and_wait(topic, value, key=key, headers=list(headers))

    async def read(self, topic: str, count: int) -> list[ConsumerRecord]:
        """The first `count` records that arrive here."""
        reader = AIOKafkaConsumer(bootstrap_servers=self.here.address, auto_offset_reset="earliest")
        await reader.start()
        try:
            reader.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            async with asyncio.timeout(60):
                return [await reader.getone() for _ in range(count)]
        finally:
            await reader.stop()

    async def topics(self) -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.here.address)
        await admin.start()
        try:
            return set(await admin.list_topics())
        finally:
            await admin.close()


@pytest.fixture(scope="module")
def clusters(make_folder: MakeFolder) -> Iterator[tuple[Kafka, Kafka, Path]]:
    folder = make_folder("mirror")
    here, peer = find_kafka(folder / HERE), find_kafka(folder / PEER)
    for cluster in (here, peer):
        cluster.start()
    yield here, peer, folder
    for cluster in (here, peer):
        cluster.stop()


@pytest.fixture(scope="module")
async def pair(clusters: tuple[Kafka, Kafka, Path]) -> Any:
    here, peer, folder = clusters
    await declare_topics(peer.address, declared(PEER, [HERE, "dk03"]))
    await declare_topics(here.address, [*declared(HERE, [PEER]), *pulled(HERE, PEER)])
    mirror = find_mirror(folder / "mirror", region=HERE, kafka=here.address)
    mirror.start()
    mirror.pull(PEER, peer.address, [topic.name for topic in pulled(HERE, PEER)])
    yield Pair(here, peer, mirror)
    mirror.stop()


async def _runs(pair: Pair) -> None:
    await eventually(
        lambda: asyncio.to_thread(pair.mirror.states),
        until=lambda states: states == {PEER: "running"},
        within=60,
        what="the mirror",
    )


async def test_a_record_arrives_as_it_was_written(pair: Pair) -> None:
    headers = [("ce_id", b"1"), ("broken", b"\xff\xfe\x00"), ("none", None)]
    await pair.write(REGISTRY, b'{"a": 1}', None, key=b"subject", headers=headers)

    first, tombstone = await pair.read(REGISTRY, 2)

    assert (first.key, first.value, list(first.headers)) == (b"subject", b'{"a": 1}', headers)
    assert tombstone.value is None
    assert first.partition == tombstone.partition
    await _runs(pair)


async def test_it_takes_what_is_addressed_to_its_region_and_nothing_else(pair: Pair) -> None:
    await pair.write(f"tibs.{PEER}.to.dk03.cases.v1", b"not for us")
    await pair.write(f"tibs-local.{PEER}.cases.v1", b"nobody's business")
    await pair.write(f"tibs.{PEER}.to.{HERE}.cases.v1", b"for us")

    [record] = await pair.read(f"tibs.{PEER}.to.{HERE}.cases.v1", 1)

    assert record.value == b"for us"
    foreign = {name for name in await pair.topics() if name.startswith((f"tibs.{PEER}.", f"tibs-local.{PEER}."))}
    assert foreign == {topic.name for topic in pulled(HERE, PEER)}


async def test_after_kill_9_it_goes_on_and_loses_nothing(pair: Pair) -> None:
    topic = f"tibs.{PEER}.brokerage.v1"
    wanted = [f"{number}".encode() for number in range(200)]
    await pair.write(topic, *wanted[:100])
    await pair.read(topic, 100)
    assert pair.mirror.child is not None
    pair.mirror.child.kill()
    await pair.write(topic, *wanted[100:])
    await asyncio.to_thread(pair.mirror.start)

    async def seen() -> list[bytes]:
        return list(dict.fromkeys(record.value for record in await pair.read(topic, 200)))

    # It may repeat what it had not noted yet, so the first 200 may not be all.
    values = await eventually(seen, until=lambda held: len(held) >= 100, within=60, what="the records")
    assert values == wanted[: len(values)]
    await pair.write(topic, b"last")
    records = await _until_last(pair, topic)
    assert list(dict.fromkeys(records)) == [*wanted, b"last"]


async def _until_last(pair: Pair, topic: str) -> list[bytes]:
    reader = AIOKafkaConsumer(bootstrap_servers=pair.here.address, auto_offset_reset="earliest")
    await reader.start()
    try:
        reader.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        values: list[bytes] = []
        async with asyncio.timeout(60):
            while not values or values[-1] != b"last":
                values.append((await reader.getone()).value)
        return values
    finally:
        await reader.stop()


async def test_a_record_larger_than_ours_may_be_does_not_stop_the_flow(
    pair: Pair, clusters: tuple[Kafka, Kafka, Path]
) -> None:
    # A peer may let its writers send more than we let ours.
    topic = f"tibs.{PEER}.catalogue.v1"
    await _allow(pair.peer.address, topic, LARGEST_PULLED)
    await pair.write(topic, b"x" * (3 * 1024 * 1024), b"after it")

    large, after = await pair.read(topic, 2)

    assert len(large.value) == 3 * 1024 * 1024
    assert after.value == b"after it"


async def _allow(kafka: str, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})]
        )
    finally:
        await admin.close()


async def test_a_paused_peer_waits_and_then_all_of_it_comes(pair: Pair) -> None:
    topic = f"tibs.{PEER}.to.{HERE}.contacts.v1"
    await pair.write(topic, b"before")
    await pair.read(topic, 1)
    await asyncio.to_thread(pair.mirror.pause, PEER)
    await eventually(
        lambda: asyncio.to_thread(pair.mirror.states), until=lambda states: states == {PEER: "paused"}, what="the pause"
    )
    await pair.write(topic, b"meanwhile")
    await asyncio.to_thread(pair.mirror.resume, PEER)

    records = await pair.read(topic, 2)

    assert [record.value for record in records] == [b"before", b"meanwhile"]
    await _runs(pair)


async def test_a_peer_that_does_not_answer_yet_is_asked_until_it_does(pair: Pair, make_folder: MakeFolder) -> None:
    late = find_kafka(make_folder("late"))
    late.start()
    await declare_topics(late.address, declared("lv008", [HERE]))
    late.stop()
    await declare_topics(pair.here.address, pulled(HERE, "lv008"))
    await asyncio.to_thread(pair.mirror.pull, "lv008", late.address, [topic.name for topic in pulled(HERE, "lv008")])
    await asyncio.to_thread(late.start)
    try:
        async with AIOKafkaProducer(bootstrap_servers=late.address) as out:
            await out.send_and_wait("tibs.lv008.registry.v1", b"better late", key=b"k")
        [record] = await pair.read("tibs.lv008.registry.v1", 1)
        assert record.value == b"better late"
    finally:
        await asyncio.to_thread(pair.mirror.drop, "lv008")
        late.stop()
