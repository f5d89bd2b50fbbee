"""A mirror that repeats: the last records of a peer come once more, old ones after new ones."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from drills.ground import AWAY, HOME, Ground

FULL, SHORT = 10_000, 1_000


async def repeat_the_last(ground: Ground, more: dict[str, Any]) -> None:
    """Written into Podlaskie's mirrors of Kymenlaakso's topics as a mirror writes them, while both go on writing.

    A mirror that goes back repeats everything from there on, up to the end: until it is done, nothing new comes.
    """
    count = SHORT if ground.short else FULL
    kafka = ground.stack.kafka(HOME).address
    topics = [f"tibs.{AWAY}.registry.v1", f"tibs.{AWAY}.brokerage.v1", f"tibs.{AWAY}.to.{HOME}.cases.v1"]
    async with ground.working(pace=40) as load:
        await ground.work_for(2, load)
        # In the short form what there is; in the full one, work until there is enough.
        while not ground.short and len(await _last(kafka, topics, count)) < count:
            await ground.work_for(2, load)
        mirror = ground.stack.mirror(HOME)
        await asyncio.to_thread(mirror.pause, AWAY)
        await ground.work_for(1, load)
        last = await _last(kafka, topics, count)
        async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True) as out:
            for record in last:
                await out.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp_ms=record.timestamp,
                )
            await out.flush()
        await asyncio.to_thread(mirror.resume, AWAY)
        await ground.work_for(1, load)
    more["repeated"] = len(last)


async def _last(kafka: str, topics: list[str], count: int) -> list[Any]:
    """The last records of these topics together, in the order of each partition."""
    found: list[Any] = []
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as reader:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(6)]
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        while any([await reader.position(one) < ends[one] for one in partitions]):
            for batch in (await reader.getmany(timeout_ms=500)).values():
                found += batch
    found.sort(key=lambda record: record.timestamp)
    return found[-count:]
