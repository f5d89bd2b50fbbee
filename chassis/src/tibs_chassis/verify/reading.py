"""Reads a Kafka's copy of a topic from its beginning, and later on from where it stood."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tibs_chassis.verify.copies import Copy

Progress = Callable[[str, int, int], None]
"""Takes what is read, how many records were, and about how many there are."""


def silent(what: str, done: int, total: int) -> None:
    """Shows nothing."""


@dataclass(frozen=True)
class Cluster:
    """A Kafka: where it is, which one it is, and the partitions of its topics."""

    address: str
    id: str
    partitions: dict[str, list[int]]


async def look_at(address: str) -> Cluster:
    """Raises KafkaError when nobody answers there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(("tibs.", "tibs-local."))]
        described = await admin.describe_topics(sorted(names)) if names else []
        about = await admin.describe_cluster()
    finally:
        await admin.close()
    partitions = {one["topic"]: [part["partition"] for part in one["partitions"]] for one in described}
    return Cluster(address, about["cluster_id"], partitions)


class TopicReader:
    """One topic of one Kafka, and what was read of it: `copy`."""

    def __init__(self, consumer: AIOKafkaConsumer, copy: Copy, partitions: Iterable[int], progress: Progress) -> None:
        self.copy = copy
        self._consumer = consumer
        self._partitions = [TopicPartition(copy.topic, number) for number in partitions]
        self._progress = progress
        self._seen: set[int] = set()
        self._begun = False

    async def read_on(self, *, late: bool = False) -> Copy:
        """Up to the present end. `late` marks what comes as newer than what the other side was asked for."""
        if not self._partitions:
            return self.copy
        if not self._begun:
            self._begun = True
            self._consumer.assign(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        starts = await self._consumer.beginning_offsets(self._partitions)
        total = sum(ends[one] - starts[one] for one in self._partitions)
        left = {one for one in self._partitions if await self._consumer.position(one) < ends[one]}
        while left:
            for part, records in (await self._consumer.getmany(*left, timeout_ms=500)).items():
                if part.partition not in self._seen and starts[part] > 0 and self.copy.retention is not None:
                    self.copy.forgotten[part.partition] = records[0].timestamp
                self._seen.add(part.partition)
                for record in records:
                    self.copy.add(record, late=late)
            self._progress(self.copy.topic, self.copy.records, total)
            # By position, not by record: compaction leaves gaps, and the last offset may be one of them.
            left = {one for one in left if await self._consumer.position(one) < ends[one]}
        if self.copy.retention is not None:
            for part in self._partitions:
                if starts[part] > 0 and part.partition not in self._seen:
                    # Nothing is left, so the time of what was deleted is only known by the rule for deleting.
                    self.copy.forgotten[part.partition] = int(time.time() * 1000) - self.copy.retention
        return self.copy


@asynccontextmanager
async def reading(cluster: Cluster, topic: str, *, progress: Progress = silent) -> AsyncIterator[TopicReader]:
    """A reader of a topic; of one that the Kafka does not have, it finds nothing."""
    # Without a group: nobody's place in the topic is moved. `earliest` makes it begin at the beginning.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.address,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # At the end of a topic nothing is waited for: there is nothing to come that would be wanted.
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        yield TopicReader(consumer, Copy(topic), cluster.partitions.get(topic, []), progress)
    finally:
        await consumer.stop()
