"""Reading topics again from their beginning, while the service serves."""

import re
from collections import Counter
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text

from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer


async def replay(
    consumer: Consumer,
    *,
    database: Database,
    kafka: str,
    topic_pattern: str | None = None,
    rebuild: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[str]:
    """Takes every record up to the present end of the consumer's topics once more; counts what became of them.

    Without `rebuild` only what was never applied has an effect, so a second run changes nothing. With it, what the
    consumer built is emptied first and built anew; ValueError for a consumer that holds more than copies.
    """
    if rebuild:
        if consumer.reset is None:
            raise ValueError(f"consumer '{consumer.name}' holds more than copies of events; it cannot be rebuilt")
        async with database.transaction() as session:
            await consumer.reset(session)
            await session.execute(text("DELETE FROM inbox WHERE consumer = :name"), {"name": consumer.name})
            # Who owns a subject is kept: topics are read in any order now, and a stranger's claim could come first.
            await session.execute(
                text("UPDATE subject_version SET sequence = 0 WHERE consumer = :name"), {"name": consumer.name}
            )
    partitions = await _partitions(kafka, consumer, topic_pattern)
    outcomes: Counter[str] = Counter()
    if not partitions:
        return outcomes
    # `earliest` is also what makes it begin at the beginning: a seek could still be undone by the first look-up.
    reader = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        starts = await reader.beginning_offsets(partitions)
        total = sum(ends[one] - starts[one] for one in partitions)
        open_partitions = {one for one in partitions if starts[one] < ends[one]}
        while open_partitions:
            batches = await reader.getmany(*open_partitions, timeout_ms=1000)
            for records in batches.values():
                for record in records:
                    outcomes[await consumer.take(record, database=database)] += 1
                progress(outcomes.total(), total)
            # By position, not by record: compaction leaves gaps, and the last offset may be one of them.
            open_partitions = {one for one in open_partitions if await reader.position(one) < ends[one]}
    finally:
        await reader.stop()
    return outcomes


async def _partitions(kafka: str, consumer: Consumer, topic_pattern: str | None) -> list[TopicPartition]:
    """All partitions of the topics that the consumer reads."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        names = [
            name
            for name in await admin.list_topics()
            if consumer.topics.matches(name) and (topic_pattern is None or re.fullmatch(topic_pattern, name))
        ]
        described = await admin.describe_topics(sorted(names)) if names else []
    finally:
        await admin.close()
    return [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
