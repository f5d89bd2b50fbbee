"""Kafka by FastStream, set up so that no record is lost: each setting here answers a trap that was measured.

- `NACK_ON_ERROR` with one worker is the only policy that redelivers in order; FastStream's default commits first.
- The parser must not decode headers: one that is not UTF-8 would lose the record before any policy sees it.
- `earliest`: a topic's first events are often written before its readers have found it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber
from prometheus_client import Gauge

from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.log import logger

MAX_POLL_INTERVAL_MS = 300_000
"""How long one record may take, waiting for the database included, before the group gives its partition away."""
METADATA_MAX_AGE_MS = 5_000
"""How soon a pattern sees a topic that is new."""
STALLED_SECONDS = 120

LAG = Gauge("tibs_consumer_lag", "Records not yet finished.", ["consumer", "topic", "partition"])


async def tolerant_parser(record: ConsumerRecord, original: Any) -> KafkaMessage:
    """The raw record as a message: whatever its headers hold is the inbox's concern."""
    return KafkaAckableMessage(
        body=record.value or b"",
        headers={},
        raw_message=record,
        message_id=f"{record.topic}-{record.partition}-{record.offset}",
        content_type=None,
        consumer=original.__self__._consumer,
    )


async def record_itself(message: KafkaMessage) -> ConsumerRecord:
    """Handlers get the record as it is; it is parsed inside their transaction."""
    record = message.raw_message
    assert isinstance(record, ConsumerRecord)
    return record


def consumer_broker(
    *, kafka: str, service: str, region: str, consumers: Sequence[Consumer], database: Database
) -> KafkaBroker:
    """A broker with one subscriber for each consumer, all under the same settings."""
    broker = KafkaBroker(
        kafka,
        client_id=f"tibs-{region}-{service}",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        allow_auto_create_topics=False,
        enable_idempotence=True,
        acks="all",
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        parser=tolerant_parser,
        decoder=record_itself,
        apply_types=False,
        # Not the library's own: that one writes coloured lines past everybody else's handlers.
        logger=logging.getLogger("tibs.faststream"),
        graceful_timeout=10.0,
    )
    for consumer in consumers:
        _subscribe(broker, consumer, group_id=group_id(region, service, consumer), database=database)
    return broker


def group_id(region: str, service: str, consumer: Consumer) -> str:
    return f"tibs-{region}-{service}-{consumer.name}"


def _subscribe(broker: KafkaBroker, consumer: Consumer, *, group_id: str, database: Database) -> None:
    subscriber = broker.subscriber(
        *consumer.topics.names,
        pattern=consumer.topics.pattern,
        group_id=group_id,
        auto_offset_reset="earliest",
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        max_workers=1,
        no_reply=True,
        title=consumer.name,
    )

    @subscriber
    async def take(record: ConsumerRecord) -> None:
        await consumer.take(record, database=database)


@dataclass(frozen=True)
class Progress:
    """How one consumer fares. `stalled` is the reason why it makes no progress though there is work."""

    consumer: str
    partitions: int
    lag: int
    stalled: str | None


class ConsumerHost:
    """Runs the consumers: starts them when Kafka can be reached, and anew when their heart has stopped.

    aiokafka's consumer can die while its connection stays green, so being connected proves nothing: what counts is
    that records are finished or that there are none.
    """

    def __init__(
        self, *, kafka: str, service: str, region: str, consumers: Sequence[Consumer], database: Database
    ) -> None:
        self._kafka = kafka
        self._service = service
        self._region = region
        self._database = database
        self._consumers = {group_id(region, service, consumer): consumer for consumer in consumers}
        self._broker: KafkaBroker | None = None
        self.connected = False

    async def run(self) -> None:
        """Works until cancelled."""
        pause = 0.5
        while True:
            broker = consumer_broker(
                kafka=self._kafka,
                service=self._service,
                region=self._region,
                consumers=list(self._consumers.values()),
                database=self._database,
            )
            try:
                await broker.start()
                self._broker, self.connected = broker, True
                pause = 0.5
                logger.info("consumers.started", groups=sorted(self._consumers))
                await self._watch(broker)
            except (KafkaError, OSError) as error:
                logger.warning("consumers.waiting", reason=type(error).__name__, seconds=pause)
            finally:
                self._broker, self.connected = None, False
                with contextlib.suppress(KafkaError, OSError):
                    await broker.stop()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)

    async def _watch(self, broker: KafkaBroker) -> None:
        while True:
            await asyncio.sleep(2.0)
            for subscriber in _subscribers(broker):
                if any(task.done() for task in subscriber.tasks):
                    logger.error("consumers.died", consumer=subscriber.group_id)
                    return
                coordinator = getattr(subscriber.consumer, "_coordinator", None)
                beat = getattr(coordinator, "_coordination_task", None)
                if beat is not None and beat.done():
                    logger.error("consumers.coordinator_died", consumer=subscriber.group_id)
                    return
            self.progress()

    def progress(self) -> list[Progress]:
        """Of each consumer, from what the client library knows without asking the broker."""
        if self._broker is None:
            return []
        found = []
        for subscriber in _subscribers(self._broker):
            consumer = self._consumers[str(subscriber.group_id)]
            client = subscriber.consumer
            assignment: set[TopicPartition] = client.assignment() if client is not None else set()
            lag = 0
            for partition in assignment:
                behind = _behind(client, partition)
                LAG.labels(consumer.name, partition.topic, partition.partition).set(behind)
                lag += behind
            stalled = None
            idle = time.monotonic() - consumer.finished_at
            if lag and idle > STALLED_SECONDS:
                reason = consumer.waiting_for or "no reason known"
                stalled = f"{lag} records wait, none was finished for {idle:.0f} s ({reason})"
            elif not lag:
                consumer.finished_at = time.monotonic()
            found.append(Progress(consumer.name, len(assignment), lag, stalled))
        return found


def _subscribers(broker: KafkaBroker) -> list[LogicSubscriber[Any]]:
    return [subscriber for subscriber in broker.subscribers if isinstance(subscriber, LogicSubscriber)]


def _behind(client: Any, partition: TopicPartition) -> int:
    end = client.highwater(partition)
    state = client._subscription.subscription.assignment.state_value(partition)
    if end is None or state is None or not state.has_valid_position:
        return 0
    return max(0, int(end - state.position))
