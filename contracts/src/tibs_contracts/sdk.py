"""Subscribe to what the regions publish.

    async for event in subscribe("localhost:9092", ProfilePublished):
        print(event.envelope.region, event.data.title)

Delivery is at least once and, for each subject, in order: a reader that keeps state holds each subject's `sequence`
and passes over what is not newer.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError
from pydantic import ValidationError

from tibs_contracts.envelope import Envelope, EnvelopeError
from tibs_contracts.events import Event
from tibs_contracts.signatures import Keyring, SignatureError
from tibs_contracts.topics import Topic, every_region

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Options = Mapping[str, Any]

_NEW_TOPICS_MS = 5_000
_ANSWER_MS = 500
_BATCH = 100


@dataclass(frozen=True)
class Message(Generic[E]):
    """An event as it was read: what is known of it, what it says, and where it stood."""

    envelope: Envelope
    data: E
    topic: Topic


@dataclass(frozen=True)
class Invalid:
    """A record on a topic of ours that is no event. `reason` names header or field, never what the payload held."""

    topic: str
    partition: int
    offset: int
    reason: str


def subscribe(
    kafka: str,
    *events: type[E],
    group: str | None = None,
    until_end: bool = False,
    on_invalid: Callable[[Invalid], None] | None = None,
    keyring: Keyring | None = None,
    options: Options | None = None,
) -> AsyncGenerator[Message[E], None]:
    """The public events of the given kinds, of every region; regions that join later too.

    kafka: bootstrap servers, `host:port` with commas between.
    group: without one, every run begins at the beginning. With one, a run goes on where the group stood; an event
        counts as handled when the loop asks for the next.
    until_end: stop after what was there at the start, instead of waiting for more.
    on_invalid: called with each record that is no event; without it they are logged. Reading goes on either way.
    keyring: the regions' public keys, such as `Keyring.load(Path("regions.yaml"))`: a record that its region did not
        sign is then invalid. Without it every record is taken as it comes.
    options: further arguments of AIOKafkaConsumer, such as `security_protocol` or `sasl_mechanism`.

    Raises ValueError for no event or one that is not public, and aiokafka's errors when Kafka cannot be reached at the
    start. A loop that is left by `break` closes its connection when the iterator is closed: use `contextlib.aclosing`
    to have that at once.
    """
    if not events:
        raise ValueError("subscribe needs at least one event, such as ProfilePublished")
    pattern = "|".join(sorted({_pattern(event) for event in events}))
    wanted = {event.type: event for event in events}
    settings = {
        "group_id": group,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "metadata_max_age_ms": _NEW_TOPICS_MS,
    }
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, **{**settings, **(options or {})})
    consumer.subscribe(pattern=pattern)
    return _messages(
        consumer, _Reader(wanted, keyring), group=group, until_end=until_end, on_invalid=on_invalid or _log
    )


def _pattern(event: type[Event]) -> str:
    if not event.channel.public:
        raise ValueError(f"{event.__name__} is told on the {event.channel.value} channel, which is not public")
    return str(every_region(event.channel).pattern)


async def _messages(
    consumer: AIOKafkaConsumer,
    reader: "_Reader[E]",
    *,
    group: str | None,
    until_end: bool,
    on_invalid: Callable[[Invalid], None],
) -> AsyncGenerator[Message[E], None]:
    done: dict[Any, int] = {}
    try:
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment()) if until_end else {}
        while not (until_end and await _reached(consumer, ends)):
            batches = await consumer.getmany(timeout_ms=_ANSWER_MS, max_records=_BATCH)
            for partition, records in batches.items():
                for record in records:
                    if partition in ends and record.offset >= ends[partition]:
                        break  # Written after the start.
                    match reader.read(record):
                        case Message() as message:
                            yield message
                        case Invalid() as invalid:
                            on_invalid(invalid)
                        case None:
                            pass
                    done[partition] = record.offset + 1
            await _commit(consumer, group, done)
    finally:
        try:
            await _commit(consumer, group, done)
        finally:
            await consumer.stop()


async def _reached(consumer: AIOKafkaConsumer, ends: Mapping[Any, int]) -> bool:
    for partition, end in ends.items():
        if end > 0 and await consumer.position(partition) < end:
            return False
    return True


async def _commit(consumer: AIOKafkaConsumer, group: str | None, done: dict[Any, int]) -> None:
    held = {partition: offset for partition, offset in done.items() if partition in consumer.assignment()}
    done.clear()
    if group is None or not held:
        return
    try:
        await consumer.commit(held)
    except (CommitFailedError, IllegalStateError):
        # The group gave the partition to another member meanwhile; that one reads these events again.
        log.info("offsets not committed: the group was rebalanced")


class _Record(Protocol):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class _Reader(Generic[E]):
    """Takes records apart: the wanted events by type, and whose word counts."""

    wanted: Mapping[str, type[E]]
    keyring: Keyring | None

    def read(self, record: _Record) -> Message[E] | Invalid | None:
        """None for what is meant for other readers: other kinds of events, and tombstones."""
        if record.value is None:
            return None

        def invalid(reason: str) -> Invalid:
            return Invalid(topic=record.topic, partition=record.partition, offset=record.offset, reason=reason)

        try:
            topic = Topic.parse(record.topic)
            envelope = Envelope.from_headers(record.headers)
        except EnvelopeError as error:
            return invalid(str(error))
        if envelope.region != topic.region:
            return invalid(f"header ce_source held '{envelope.source}' on a topic of region '{topic.region}'")
        event = self.wanted.get(envelope.type)
        if event is None:
            return None
        if self.keyring is not None:
            try:
                self.keyring.verify(
                    topic=topic, envelope=envelope, key=record.key, headers=record.headers, value=record.value
                )
            except SignatureError as error:
                return invalid(str(error))
        try:
            return Message(envelope=envelope, data=event.read(record.value), topic=topic)
        except ValidationError as error:
            places = [
                f"/{'/'.join(map(str, each['loc']))} ({each['type']})" for each in error.errors(include_input=False)
            ]
            return invalid(f"the data do not fit {envelope.type}: {', '.join(places)}")


def _log(invalid: Invalid) -> None:
    log.warning(
        "no event at %s, partition %d, offset %d: %s",
        invalid.topic,
        invalid.partition,
        invalid.offset,
        invalid.reason,
    )
