"""Consuming: a redelivered event has no second effect, an outdated one none at all, a broken one holds nobody up.

One record is one transaction: its inbox row, its effects, the events that follow from it. The offset is committed after
that, so a crash in between repeats the record, and the inbox row makes the repetition harmless.
"""

import asyncio
import base64
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from opentelemetry import trace
from opentelemetry.propagate import extract
from pydantic import ValidationError
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import context, metrics
from tibs_chassis.database import Database
from tibs_chassis.log import logger
from tibs_chassis.records import PermanentError as PermanentError
from tibs_chassis.records import Record as Record
from tibs_chassis.records import Untrusted as Untrusted
from tibs_chassis.trust import Trust
from tibs_contracts.envelope import Envelope, EnvelopeError
from tibs_contracts.events import Event, all_events
from tibs_contracts.ids import new_id
from tibs_contracts.topics import Channel, Topic, TopicSelection

E = TypeVar("E", bound=Event)
tracer = trace.get_tracer("tibs.inbox")

BACKOFF_SECONDS = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30.0)


class RetryLater(Exception):
    """Something that the handler needs is away for now; the record is tried again."""


@dataclass(frozen=True)
class Received(Generic[E]):
    """An event on arrival."""

    envelope: Envelope
    data: E
    topic: Topic

    @property
    def region(self) -> str:
        """The region that wrote it."""
        return self.topic.region

    @property
    def subject(self) -> str:
        return self.envelope.subject

    @property
    def sequence(self) -> int:
        return self.envelope.sequence


@dataclass(frozen=True)
class Handles:
    """A handler and the event it is for."""

    event_class: type[Event]
    handler: Callable[[AsyncSession, Any], Awaitable[None]]
    latest_only: bool


def handles(
    event_class: type[E], handler: Callable[[AsyncSession, Received[E]], Awaitable[None]], *, latest_only: bool
) -> Handles:
    """Binds a handler to an event.

    `latest_only` is for events that carry the whole state of their subject: one that is not newer than what was applied
    is passed over, so that order of arrival does not matter. Such a subject belongs to the region that told of it
    first; what another region tells of it is quarantined.
    """
    return Handles(event_class=event_class, handler=handler, latest_only=latest_only)


_APPLY_ONCE = text(
    "INSERT INTO inbox (consumer, source, event_id) VALUES (:consumer, :source, :event_id) ON CONFLICT DO NOTHING"
)
_NEWER = text(
    """
    INSERT INTO subject_version AS held (consumer, topic, aggregate, subject, sequence)
    VALUES (:consumer, :topic, :aggregate, :subject, :sequence)
    ON CONFLICT (consumer, topic, aggregate, subject)
        DO UPDATE SET sequence = excluded.sequence WHERE held.sequence < excluded.sequence
    """
)
_OWNER = "subject_version_owner"
_OWNED_BY = text(
    """
    SELECT topic FROM subject_version
    WHERE consumer = :consumer AND aggregate = :aggregate AND subject = :subject AND topic <> :topic
    FOR UPDATE
    """
)
_DISOWN = text(
    """
    DELETE FROM subject_version
    WHERE consumer = :consumer AND aggregate = :aggregate AND subject = :subject AND topic <> :topic
    """
)
_BURY = text(
    """
    INSERT INTO dead_letter (id, consumer, topic, partition, "offset", key, headers, value, kind, reason, trace)
    VALUES (:id, :consumer, :topic, :partition, :offset, :key, :headers, :value, :kind, :reason, :trace)
    ON CONFLICT (consumer, topic, partition, "offset") DO UPDATE
        SET kind = excluded.kind, reason = excluded.reason, trace = excluded.trace, attempts = dead_letter.attempts + 1
    """
).bindparams(bindparam("headers", type_=JSONB))


class _Owned(Exception):
    """The subject is held under another topic."""


class Consumer:
    """The handlers of one feature for the topics it reads.

    `name` is unique in the service and never changes: the group's offsets and the inbox hang on it. `reset`, if given,
    empties what the handlers build; only then the consumer can be rebuilt from Kafka. `refused`, if given, is told what
    can never be applied, in place of the table of dead letters: for records that nobody would look at later.
    """

    def __init__(
        self,
        name: str,
        *,
        topics: TopicSelection,
        handlers: Sequence[Handles],
        reset: Callable[[AsyncSession], Awaitable[None]] | None = None,
        refused: Callable[[AsyncSession, Topic, PermanentError], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.topics = topics
        self.reset = reset
        self._refused = refused
        self.trust: Trust | None = None
        """Set by the process for every consumer it runs; without it, signatures are not looked at."""
        self.finished_at = time.monotonic()
        self.waiting_for: str | None = None
        """Why the record in hand is being tried again; None while all is well."""
        self._handlers: dict[str, Handles] = {}
        for each in handlers:
            if self._handlers.setdefault(each.event_class.type, each) is not each:
                raise ValueError(f"consumer {name} has two handlers for {each.event_class.type}")
        _require_one_channel(name, handlers)
        self._known = all_events()

    @property
    def handled(self) -> dict[str, bool]:
        """The types of events that it takes in; true where only the latest of a subject counts."""
        return {name: one.latest_only for name, one in self._handlers.items()}

    async def take(self, record: Record, *, database: Database) -> str:
        """Brings one record to its end: applied, passed over, or among the dead letters.

        Returns only then, saying which (`applied`, `repeated`, `outdated`, `skipped`, `dead`, `quarantined`). What is
        away for now (database, network) is waited for in place: the order of a partition is worth more than its speed.
        """
        attempt = 0
        while True:
            started = time.perf_counter()
            try:
                outcome, event_type = await self.apply(record, database=database)
            except Exception as error:
                if is_transient(error):
                    await self._wait(record, error, attempt=attempt)
                    attempt += 1
                    continue
                if not await self._bury(record, error, database=database):
                    continue
                outcome, event_type = "quarantined" if isinstance(error, Untrusted) else "dead", "unknown"
            self.waiting_for = None
            self.finished_at = time.monotonic()
            metrics.INBOX.labels(self.name, outcome).inc()
            metrics.HANDLER_SECONDS.labels(self.name, event_type).observe(time.perf_counter() - started)
            return outcome

    async def _wait(self, record: Record, error: Exception, *, attempt: int) -> None:
        pause = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
        self.waiting_for = type(error).__name__
        metrics.RETRIES.labels(self.name).inc()
        logger.warning(
            "consumer.waiting",
            consumer=self.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=type(error).__name__,
            seconds=pause,
        )
        await asyncio.sleep(pause)

    async def apply(self, record: Record, *, database: Database) -> tuple[str, str]:
        """One attempt: raises what goes wrong. Returns what became of the record, and the type of its event."""
        if record.value is None:
            return "skipped", "tombstone"
        topic, envelope = self._address(record)
        if self.trust is not None:
            self.trust.check(record, topic=topic, envelope=envelope)
        handler = self._handlers.get(envelope.type)
        if handler is None:
            if envelope.type not in self._known:
                raise PermanentError(
                    f"header ce_type held '{envelope.type}', which this version does not know; "
                    "it can be replayed once the node is updated"
                )
            return "skipped", envelope.type
        try:
            data = handler.event_class.read(record.value)
        except ValidationError as error:
            first = error.errors()[0]
            place = "/".join(str(part) for part in first["loc"])
            # What was held stays out of the reason: it may be somebody's data.
            raise PermanentError(f"the data of {envelope.type} do not fit at /{place}: {first['msg']}") from None
        if handler.latest_only:
            _require_subject(envelope, data)
        token = context.handling.set(envelope)
        try:
            with tracer.start_as_current_span(
                f"handle {envelope.type}",
                context=extract({"traceparent": envelope.traceparent} if envelope.traceparent else {}),
                kind=trace.SpanKind.CONSUMER,
                attributes={"messaging.destination.name": record.topic, "tibs.consumer": self.name},
            ):
                async with database.transaction() as session:
                    if not await self._first_time(session, envelope):
                        return "repeated", envelope.type
                    if handler.latest_only and not await self._newer(session, envelope, topic=record.topic):
                        return "outdated", envelope.type
                    await handler.handler(session, Received(envelope=envelope, data=data, topic=topic))
        except _Owned:
            owner = await self._owner(envelope, topic=topic, database=database)
            if owner is None:
                return await self.apply(record, database=database)
            raise Untrusted(
                f"{envelope.aggregate} {envelope.subject[:60]} belongs to region '{owner}', which told of it first; "
                f"region '{topic.region}' cannot change it"
            ) from None
        finally:
            context.handling.reset(token)
        return "applied", envelope.type

    def _address(self, record: Record) -> tuple[Topic, Envelope]:
        try:
            topic = Topic.parse(record.topic)
            envelope = Envelope.from_headers(record.headers)
        except (EnvelopeError, ValueError) as error:
            raise PermanentError(str(error)) from None
        if envelope.region != topic.region:
            raise Untrusted(
                f"header ce_source held '{envelope.source}', but this topic is written by region '{topic.region}' alone"
            )
        return topic, envelope

    async def _first_time(self, session: AsyncSession, envelope: Envelope) -> bool:
        # The first statement of the transaction: a second owner of the partition waits here for the first to end.
        result = await session.execute(
            _APPLY_ONCE, {"consumer": self.name, "source": envelope.source, "event_id": envelope.id}
        )
        return result.rowcount == 1  # type: ignore[attr-defined, no-any-return]

    async def _newer(self, session: AsyncSession, envelope: Envelope, *, topic: str) -> bool:
        try:
            result = await session.execute(
                _NEWER, {**self._subject(envelope, topic=topic), "sequence": envelope.sequence}
            )
        except IntegrityError as error:
            # Told by the index rather than asked before: two regions that claim a subject at once cannot both win.
            if isinstance(error.orig, psycopg.Error) and error.orig.diag.constraint_name == _OWNER:
                raise _Owned from None
            raise
        return result.rowcount == 1  # type: ignore[attr-defined, no-any-return]

    def _subject(self, envelope: Envelope, *, topic: str) -> dict[str, str]:
        return {
            "consumer": self.name,
            "topic": topic,
            "aggregate": envelope.aggregate,
            "subject": envelope.subject,
        }

    async def _owner(self, envelope: Envelope, *, topic: Topic, database: Database) -> str | None:
        """The region that a subject belongs to; None if to nobody any more. A blocked region owns nothing."""
        subject = self._subject(envelope, topic=topic.name)
        async with database.transaction() as session:
            held = (await session.execute(_OWNED_BY, subject)).scalar_one_or_none()
            if held is None:
                return None
            owner = Topic.parse(held).region
            if self.trust is not None and owner != topic.region and self.trust.blocks(owner):
                await session.execute(_DISOWN, subject)
                return None
            return owner

    async def _bury(self, record: Record, error: Exception, *, database: Database) -> bool:
        known, untrusted = isinstance(error, PermanentError), isinstance(error, Untrusted)
        reason = str(error) if known else f"{type(error).__name__} in the handler"
        try:
            async with database.transaction() as session:
                if self._refused is not None and isinstance(error, PermanentError):
                    await self._refused(session, Topic.parse(record.topic), error)
                else:
                    await self._keep(session, record, error, reason=reason)
        except Exception as second:
            if not is_transient(second):
                raise
            await asyncio.sleep(BACKOFF_SECONDS[2])
            return False
        if untrusted:
            metrics.QUARANTINED.labels(self.name, Topic.parse(record.topic).region).inc()
        else:
            metrics.DEAD_LETTERS.labels(self.name).inc()
        # What nobody has to look at would fill the log, once for each probe of a blocked region.
        log = logger.error if self._refused is None else logger.debug
        log(
            "consumer.quarantined" if untrusted else "consumer.dead_letter",
            consumer=self.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason if known else type(error).__name__,
        )
        return True

    async def _keep(self, session: AsyncSession, record: Record, error: Exception, *, reason: str) -> None:
        known = isinstance(error, PermanentError)
        await session.execute(
            _BURY,
            {
                "id": new_id(),
                "consumer": self.name,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "key": record.key,
                "headers": [
                    [name, None if value is None else base64.b64encode(value).decode()]
                    for name, value in record.headers
                ],
                "value": record.value,
                "kind": "untrusted" if isinstance(error, Untrusted) else "broken",
                "reason": reason.replace("\x00", "\\x00"),
                "trace": None if known else "".join(traceback.format_tb(error.__traceback__)[-6:]),
            },
        )


def _require_one_channel(consumer: str, handlers: Sequence[Handles]) -> None:
    """A subject has one owner, so what is known of it by its latest word comes by one channel."""
    channels: dict[str, Channel] = {}
    for event in (each.event_class for each in handlers if each.latest_only):
        if channels.setdefault(event.aggregate(), event.channel) is not event.channel:
            raise ValueError(f"consumer {consumer} keeps the latest of '{event.aggregate()}' from two channels")


def _require_subject(envelope: Envelope, data: Event) -> None:
    # Age and owner are counted by subject; an event about something else would slip past both.
    about = getattr(data, f"{envelope.aggregate}_id", envelope.subject)
    if str(about) != envelope.subject:
        raise PermanentError(f"header ce_subject held '{envelope.subject[:60]}', but the data speak of {about}")


def is_transient(error: BaseException) -> bool:
    """Whether waiting can help: the database or the network was away, or two transactions were in each other's way."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | RetryLater | OSError | TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        return isinstance(
            error.orig, psycopg.OperationalError | psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected
        )
    return isinstance(error, psycopg.OperationalError)
