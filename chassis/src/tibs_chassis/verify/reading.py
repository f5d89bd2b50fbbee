"""Reads a Kafka's copy of a topic from its beginning, and later on from where it stood."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tibs_chassis.verify.copies import Copy
from tibs_contracts.topics import LARGEST_PULLED

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


class Reader:
    """Some topics of one Kafka, and what was read of them: `copies`, by topic."""

    def __init__(self, consumer: AIOKafkaConsumer, cluster: Cluster, topics: Iterable[str], progress: Progress) -> None:
        self.copies = {name: Copy(name) for name in topics}
        self._consumer = consumer
        self._partitions = [
            TopicPartition(name, number) for name in self.copies for number in cluster.partitions.get(name, [])
        ]
        self._progress = progress
        self._seen: set[TopicPartition] = set()
        self._begun = False

    async def read_on(self, *, late: bool = False) -> None:
        """Up to the present end. `late` marks what comes as newer than what the other side was asked for."""
        if not self._partitions:
            return
        if not self._begun:
            self._begun = True
            self._consumer.assign(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        starts = await self._consumer.beginning_offsets(self._partitions)
        total = sum(ends[one] - starts[one] for one in self._partitions)
        # By position, not by record: compaction leaves gaps, and the last offset may be one of them.
        left = {one for one in self._partitions if starts[one] < ends[one]}
        while left := {one for one in left if await self._consumer.position(one) < ends[one]}:
            for part, records in (await self._consumer.getmany(*left, timeout_ms=500)).items():
                copy = self.copies[part.topic]
                if part not in self._seen and starts[part] > 0 and copy.retention is not None:
                    copy.forgotten[part.partition] = records[0].timestamp
                self._seen.add(part)
                for record in records:
                    copy.add(record, late=late)
                self._progress(part.topic, sum(one.records for one in self.copies.values()), total)
        for part in self._partitions:
            retention = self.copies[part.topic].retention
            if retention is not None and starts[part] > 0 and part not in self._seen:
                # Nothing is left, so the time of what was deleted is only known by the rule for deleting.
                self.copies[part.topic].forgotten[part.partition] = int(time.time() * 1000) - retention


@asynccontextmanager
async def reading(cluster: Cluster, topics: Iterable[str], *, progress: Progress = silent) -> AsyncIterator[Reader]:
    """A reader of topics; of one that the Kafka does not have, it finds nothing."""
    # Without a group: nobody's place in the topic is moved. `earliest` makes it begin at the beginning.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.address,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # At the end of a topic nothing is waited for: there is nothing to come that would be wanted.
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=LARGEST_PULLED,
    )
    await consumer.start()
    try:
        yield Reader(consumer, cluster, topics, progress)
    finally:
        await consumer.stop()
