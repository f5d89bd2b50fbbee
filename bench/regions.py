"""Two whole regions: from nothing to ready, their memory, and how soon one finds what the other published.

First on one Kafka for both, whose floor is the same broker alone; then on a cluster each, as regions really are, whose
floor is the mirror alone.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.figures import Figure, median_of_pairs, percentile
from tibs_chassis.auth import Principal, Role
from tibs_chassis.client import ServiceClient
from tibs_chassis.testing import record_of
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.topics import SERVICES, Channel, topic_name
from tibs_devstack.stack import Stack

PROFILES = 200
MIRRORED = 20_000
HOME, AWAY = "pl84", "fi1c"
MEGABYTE = 1024 * 1024
RUBRIC = (
    "right_type",
    "specific",
    "problem_and_solution_clear",
    "partner_role_concrete",
    "advantage_quantified",
    "keywords_fit",
    "anonymous",
)

MAKES = ("boat hulls", "oat drinks", "wood pellets", "pulse monitors", "route planners", "glass fibre moulds")
FOR = ("small yards", "city kitchens", "district heating", "home care", "port logistics", "cold climates")


def _principal(name: str, *roles: Role) -> Principal:
    return Principal(person=name, name=name, roles=frozenset(roles), region=HOME)


async def _publishable(registry: ServiceClient, count: int) -> list[tuple[str, str]]:
    """Profiles that lie in review: their ids and the ETags that the review needs."""
    author = _principal("bench-author", Role.BROKER)
    body = {"name": "Bench Works", "kind": "sme", "country": "PL", "listed": False}
    actor = (await registry.post("/api/v1/actors", principal=author, json=body)).json()
    waiting = []
    for number in range(count):
        make, use = MAKES[number % len(MAKES)], FOR[number // len(MAKES) % len(FOR)]
        text = f"A maker of {make} for {use} seeks a partner abroad who distributes series {number} of its goods. "
        profile = {
            "actor_id": actor["id"],
            "profile_type": "BO",
            "title": f"{make.capitalize()} for {use}, series {number}",
            "summary": text,
            "description": text * 3,
            "advantages": "Delivered in five days instead of twenty.",
            "cooperation": ["business.distribution"],
            "sectors": ["materials"],
            "technology_keywords": [make],
            "languages": ["en"],
            "partner_sought": {"kinds": ["sme"], "field": "wholesale", "task": "Distribute the goods in its country"},
        }
        drafted = await registry.post("/api/v1/profiles", principal=author, json=profile)
        path = f"/api/v1/profiles/{drafted.json()['id']}"
        headers = {"If-Match": drafted.headers["etag"]}
        submitted = await registry.post(f"{path}/submission", principal=author, headers=headers)
        waiting.append((drafted.json()["id"], submitted.headers["etag"]))
    return waiting


async def _findable(stack: Stack) -> list[float]:
    """Milliseconds from asking to publish in one region to being in the other's search index."""
    key = stack.folder.path / "keys" / HOME / "node.jwk"
    registry = ServiceClient(
        stack.url(HOME, "registry"), audience="registry", minter=TokenMinter(region=HOME, key_file=key), timeout=30
    )
    reviewer = _principal("bench-reviewer", Role.REVIEWER)
    took = []
    waiting = await _publishable(registry, PROFILES)
    url = stack.environment(AWAY, "matching")["TIBS_DATABASE_URL"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as index:
        for profile_id, etag in waiting:
            started = time.perf_counter()
            await registry.post(
                f"/api/v1/profiles/{profile_id}/review",
                principal=reviewer,
                headers={"If-Match": etag},
                json={"decision": "publish", "rubric": dict.fromkeys(RUBRIC, True)},
            )
            while True:
                found = await index.execute("SELECT 1 FROM indexed_profile WHERE profile_id = %s", (profile_id,))
                if await found.fetchone():
                    break
                await asyncio.sleep(0.002)
            took.append((time.perf_counter() - started) * 1000)
    await registry.close()
    return took


async def _raw(source: str, target: str, topic: str) -> list[float]:
    """Milliseconds from producing a record of that size on one broker to reading it on the other, or on the same."""
    record = record_of(published(), region=HOME, service="registry", subject=new_id(), sequence=1)
    producer = AIOKafkaProducer(bootstrap_servers=source, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=target, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    took = []
    # The first one waits until the mirror has seen the topic.
    for _ in range(PROFILES + 1):
        started = time.perf_counter()
        await producer.send_and_wait(
            topic, value=record.value, key=record.key, headers=list(record.headers), partition=0
        )
        await consumer.getone()
        took.append((time.perf_counter() - started) * 1000)
    await producer.stop()
    await consumer.stop()
    return took[1:]


async def _mirrored(stack: Stack) -> tuple[float, float]:
    """Records a second that a mirror carries, and that a plain client copies from the one broker to the other."""
    topic = topic_name(Channel.CATALOGUE, HOME)
    record = record_of(published(), region=HOME, service="registry", subject=new_id(), sequence=1)
    stack.mirror(AWAY).pause(HOME)
    async with AIOKafkaProducer(
        bootstrap_servers=stack.kafka(HOME).address, acks="all", enable_idempotence=True
    ) as producer:
        for _ in range(MIRRORED):
            await producer.send(topic, value=record.value, key=record.key, headers=list(record.headers), partition=1)
        await producer.flush()
    here, there = TopicPartition(topic, 1), stack.kafka(AWAY).address
    floor = await _copied(stack.kafka(HOME).address, there, here)
    async with AIOKafkaConsumer(bootstrap_servers=there, auto_offset_reset="earliest") as consumer:
        consumer.assign([here])
        stack.mirror(AWAY).resume(HOME)
        await consumer.getone()
        started, left = time.perf_counter(), MIRRORED - 1
        while left:
            left -= sum(len(batch) for batch in (await consumer.getmany(timeout_ms=1000)).values())
    return (MIRRORED - 1) / (time.perf_counter() - started), floor


async def _copied(source: str, target: str, partition: TopicPartition) -> float:
    admin = AIOKafkaAdminClient(bootstrap_servers=target)
    await admin.start()
    await admin.create_topics([NewTopic("bench-copied", 1, 1)])
    await admin.close()
    async with (
        AIOKafkaConsumer(bootstrap_servers=source, auto_offset_reset="earliest") as consumer,
        AIOKafkaProducer(bootstrap_servers=target, acks="all", enable_idempotence=True) as producer,
    ):
        consumer.assign([partition])
        started, left = time.perf_counter(), MIRRORED
        while left:
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                for one in batch:
                    await producer.send("bench-copied", one.value, key=one.key, headers=list(one.headers))
                left -= len(batch)
        await producer.flush()
        return MIRRORED / (time.perf_counter() - started)


def _memory(stack: Stack, region: str) -> dict[str, float]:
    """Resident megabytes of each service, children included."""
    held = {}
    for service in SERVICES:
        child = stack.service(region, service).child
        if child is None:
            raise RuntimeError(f"{region} {service} does not run")
        process = psutil.Process(child.pid)
        family = [process, *process.children(recursive=True)]
        held[service] = sum(one.memory_info().rss for one in family) / MEGABYTE
    return held


def _memory_of_parts(stack: Stack, region: str) -> float:
    """Resident megabytes of a region's Kafka and mirror."""
    pids = [stack.kafka(region).pid, stack.mirror(region).pid]
    return sum(psutil.Process(pid).memory_info().rss for pid in pids if pid is not None) / MEGABYTE


async def measure() -> list[Figure]:
    """On stacks of their own."""
    return [*await _on_one_cluster(), *await _on_own_clusters()]


async def _on_one_cluster() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tibs-bench-") as folder:
        async with Stack(regions=[HOME, AWAY], state_dir=Path(folder), shared_kafka=True) as stack:
            ready = stack.state.seconds or 0.0
            kafka = stack.kafka(HOME).address
            raw = await _raw(kafka, kafka, topic_name(Channel.CATALOGUE, HOME))
            took = await _findable(stack)
            memory = _memory(stack, AWAY)
    return [
        *_latencies("publish_to_findable", took, raw),
        *(Figure(f"memory_{name}", held, "MB") for name, held in memory.items()),
        Figure("memory_node", sum(memory.values()), "MB", 900.0, "≤ 900 (as floor: the aim)"),
        Figure("up_to_ready", ready, "s", 40.0, "≤ 40 (as floor: the aim)"),
    ]


async def _on_own_clusters() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tibs-bench-") as folder:
        async with Stack(regions=[HOME, AWAY], state_dir=Path(folder)) as stack:
            ready = stack.state.seconds or 0.0
            raw = await _raw(stack.kafka(HOME).address, stack.kafka(AWAY).address, topic_name(Channel.CATALOGUE, HOME))
            took = await _findable(stack)
            rates = [await _mirrored(stack)]
            memory = _memory_of_parts(stack, AWAY)
    return [
        *_latencies("cross_cluster_publish_to_findable", took, raw),
        median_of_pairs("mirror_throughput", rates, unit="records/s", aim="beside a plain copying client"),
        Figure("memory_kafka_and_mirror", memory, "MB"),
        Figure("own_clusters_up_to_ready", ready, "s"),
    ]


def _latencies(name: str, took: Sequence[float], raw: Sequence[float]) -> list[Figure]:
    return [
        _latency(f"{name}_p50", took, raw, statistics.median),
        _latency(f"{name}_p95", took, raw, lambda values: percentile(values, 0.95)),
    ]


def _latency(name: str, took: Sequence[float], raw: Sequence[float], of: Any) -> Figure:
    return Figure(name, of(took), "ms", of(raw), f"{len(took)} profiles", spread=(min(took), max(took)))


if __name__ == "__main__":
    from bench.figures import table

    print(table(asyncio.run(measure())))
