"""Publishes the outbox: in order, once confirmed, by one active relay a service.

Why not a library: see docs/adr on the outbox. In short, events of one aggregate must reach the topic in the order of
their sequence after every failure, and none of the job queues over PostgreSQL keeps order past a failed row.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads

from tibs_chassis import metrics
from tibs_chassis.database import Database
from tibs_chassis.log import logger
from tibs_chassis.outbox import CHANNEL, RETENTION_DAYS
from tibs_chassis.regions import Regions
from tibs_chassis.restored import detection

BATCH = 1000
POLL_SECONDS = 1.0
STANDBY_SECONDS = 1.0
SILENCE_SECONDS = 2.0
"""How long a batch may be on its way before the relay says that it waits for Kafka."""
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HOLD_SECONDS = 10.0
"""How often a relay that holds back looks whether it may go on."""

_WAITING = """
SELECT seq, topic, subject, headers, payload FROM outbox_waiting JOIN outbox USING (seq)
WHERE seq <> ALL(%s) ORDER BY seq LIMIT %s
"""
_CONFIRMED = "DELETE FROM outbox_waiting WHERE seq = ANY(%s)"
_NEWEST_AGAIN = """
INSERT INTO outbox_waiting (seq)
SELECT max(newest.seq) FROM outbox AS sent
JOIN outbox AS newest USING (topic, aggregate, subject)
WHERE sent.seq = ANY(%s) GROUP BY sent.topic, sent.aggregate, sent.subject
ON CONFLICT DO NOTHING
"""
_LAG = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox_waiting JOIN outbox USING (seq)
"""
_FAILS = """
INSERT INTO relay_state AS held (failing, since, next_attempt_at)
VALUES (%s, now(), now() + make_interval(secs => %s::float8))
ON CONFLICT (one_row) DO UPDATE SET failing = excluded.failing, since = coalesce(held.since, excluded.since),
    next_attempt_at = excluded.next_attempt_at
"""
_WORKS = "UPDATE relay_state SET failing = NULL, since = NULL, next_attempt_at = NULL WHERE failing IS NOT NULL"
_TIDY = """
DELETE FROM outbox WHERE created_at < now() - make_interval(days => %s)
AND NOT EXISTS (SELECT FROM outbox_waiting AS waiting WHERE waiting.seq = outbox.seq)
"""


def producer_for(kafka: str, *, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas."""
    return AIOKafkaProducer(
        bootstrap_servers=kafka,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=256 * 1024,
        max_request_size=1024 * 1024,
        request_timeout_ms=15_000,
        metadata_max_age_ms=30_000,
    )


class Row(NamedTuple):
    """An outbox row on its way out."""

    seq: int
    topic: str
    key: bytes
    headers: list[tuple[str, bytes]]
    payload: bytes | None

    @classmethod
    def of(cls, row: TupleRow) -> "Row":
        seq, topic, subject, headers, payload = row
        return cls(seq, topic, subject.encode(), [(name, value.encode()) for name, value in headers], payload)


class Relay:
    """One service's relay. Start as many as you like: a session lock in the database lets one of them work.

    `regions` lets it tell its region's records from a stranger's on its own topics; `versions` names the tables that
    count the versions of aggregates.
    """

    def __init__(
        self,
        *,
        database: Database,
        kafka: str,
        service: str,
        region: str,
        regions: Regions | None = None,
        versions: Mapping[str, str] | None = None,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        self._database = database
        self._kafka = kafka
        self._service = service
        self._region = region
        self._regions = regions
        self._versions = versions or {}
        self._hold_seconds = hold_seconds
        self._client_id = f"tibs-{region}-{service}-relay"
        self.active = False
        self.failing: str | None = None
        """Why nothing leaves at the moment; None while all is well."""
        self._told_failing = True
        """Whether the table may still say so, perhaps of a relay before this one."""
        self._unproven: set[int] = set()
        """Rows handed to Kafka whose note is not in the database yet."""
        self.held = False
        """It holds back, for the database is older than what it has published."""

    async def run(self) -> None:
        """Works until cancelled. No failure of Kafka or of the database ends it."""
        failures = 0
        while True:
            try:
                async with self._database.direct() as connection:
                    await self._tell_newest_again(connection)
                    await self._until_ours(connection)
                    await self.prepare(connection)
                    await self._until_in_step(connection)
                    producer = producer_for(self._kafka, client_id=self._client_id)
                    try:
                        await producer.start()
                        failures = 0
                        await self._work(connection, producer)
                    finally:
                        self.active = False
                        await producer.stop()
            except (KafkaError, psycopg.Error, OSError, TimeoutError) as error:
                self.active = False
                # A producer that failed for good cannot be used again: the next turn makes a new one and begins at
                # the first row that was not confirmed, so nothing is skipped and nothing overtakes.
                self.failing = f"{type(error).__name__}: {error}"
                pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                logger.warning("relay.waiting", reason=type(error).__name__, seconds=pause, failures=failures)
                await self._tell_unheld(None if isinstance(error, psycopg.Error) else type(error).__name__, pause)
                await asyncio.sleep(pause)

    async def _until_ours(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtext('tibs-relay'))")
            row = await cursor.fetchone()
            if row is not None and row[0]:
                self.active = True
                logger.info("relay.active")
                return
            await asyncio.sleep(STANDBY_SECONDS)

    async def _tell_newest_again(self, connection: psycopg.AsyncConnection) -> None:
        """After a batch whose lock may have been lost while it was on its way.

        A process that stood still can wake after another has published the same rows and newer ones. What it then
        sends has no effect on readers, but compaction keeps the last record of each key: that has to be the newest.
        """
        if self._unproven:
            await connection.execute(_NEWEST_AGAIN, (list(self._unproven),))
            self._unproven.clear()

    async def _until_in_step(self, connection: psycopg.AsyncConnection) -> None:
        """Holds everything back while the topics hold what the database does not know: see docs/adr/0010.

        A restored database would use numbers again that readers have seen, and what it tells would be passed over.
        """
        while True:
            reason = await self._reason_to_hold(connection)
            if reason is None:
                if self.held:
                    logger.info("relay.in_step")
                self._show_held(False)
                self.failing = None
                return
            if reason != self.failing:
                logger.error("relay.held", reason=reason)
            self.failing = reason
            self._show_held(True)
            await self._show_lag(connection)
            await asyncio.sleep(self._hold_seconds)

    async def _reason_to_hold(self, connection: psycopg.AsyncConnection) -> str | None:
        """None leaves the lock with us: who reconciles waits until this relay is gone."""
        cursor = await connection.execute(detection.TAKE)
        if (row := await cursor.fetchone()) is None or not row[0]:
            return "the database is being reconciled with what it has published"
        reason = await detection.reason_to_hold(
            connection,
            kafka=self._kafka,
            region=self._region,
            service=self._service,
            regions=self._regions,
            versions=self._versions,
        )
        if reason is not None:
            await connection.execute(detection.GIVE)
        return reason

    def _show_held(self, held: bool) -> None:
        self.held = held
        metrics.RELAY_HELD.set(held)

    async def prepare(self, connection: psycopg.AsyncConnection) -> None:
        """Makes a connection of the database fit for `drain`."""
        set_json_loads(orjson.loads, connection)
        # What is known of a queue's table is always out of date. Its index in order is always right, and reading by it
        # also clears away the entries of rows that are gone, which a bitmap would read again each time.
        await connection.execute("SET enable_bitmapscan = off; SET enable_seqscan = off")
        await connection.execute(f"LISTEN {CHANNEL}")

    async def _work(self, connection: psycopg.AsyncConnection, producer: AIOKafkaProducer) -> None:
        loop = asyncio.get_running_loop()
        tidied = loop.time()
        while True:
            await self.drain(connection, producer)
            self.failing = None
            if self._told_failing:
                await connection.execute(_WORKS)
                self._told_failing = False
            await self._show_lag(connection)
            async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass
            if loop.time() - tidied > 3600:
                await connection.execute(_TIDY, (RETENTION_DAYS,))
                tidied = loop.time()

    async def drain(self, connection: psycopg.AsyncConnection, producer: AIOKafkaProducer) -> int:
        """Publishes all that waits and returns how many records that were.

        Database and Kafka work at the same time: while one batch is on its way, the one before is marked and the next
        is read. At a failure only what was confirmed before it is marked, then the failure is raised.
        """
        published = 0
        confirmed: list[int] = []
        rows = await self._waiting(connection, besides=[])
        while rows:
            before, confirmed = confirmed, []
            self._unproven.update(row.seq for row in rows)
            on_its_way = asyncio.create_task(self._send(rows, producer, confirmed))
            try:
                await self._mark(connection, before)
                following = await self._waiting(connection, besides=rows) if len(rows) == BATCH else []
                await self._answered(on_its_way, connection)
            except asyncio.CancelledError:
                on_its_way.cancel()
                raise
            except BaseException:
                await asyncio.wait([on_its_way])
                await self._mark(connection, confirmed)
                raise
            published += len(rows)
            rows = following
        await self._mark(connection, confirmed)
        return published

    async def _answered(self, on_its_way: asyncio.Task[None], connection: psycopg.AsyncConnection) -> None:
        """Waits for the answers to a batch. A producer that cannot reach Kafka tries on without a word: we say it."""
        while not (await asyncio.wait([on_its_way], timeout=SILENCE_SECONDS))[0]:
            if self.failing is None:
                self.failing = "Kafka does not answer"
                await self._tell_failing(connection, self.failing, None)
                logger.warning("relay.waiting", reason="no answer", seconds=SILENCE_SECONDS)
            await self._show_lag(connection)
        await on_its_way

    async def _waiting(self, connection: psycopg.AsyncConnection, *, besides: Sequence[Row]) -> list[Row]:
        cursor = await connection.execute(_WAITING, ([row.seq for row in besides], BATCH), binary=True)
        return [Row.of(row) for row in await cursor.fetchall()]

    async def _mark(self, connection: psycopg.AsyncConnection, confirmed: list[int]) -> None:
        if confirmed:
            await connection.execute(_CONFIRMED, (confirmed,))
            metrics.OUTBOX_PUBLISHED.inc(len(confirmed))
            self._unproven.difference_update(confirmed)

    async def _send(self, rows: Sequence[Row], producer: AIOKafkaProducer, confirmed: list[int]) -> None:
        """Fills `confirmed` up to the first failure, which it raises once all answers are in."""
        failure: KafkaError | None = None
        answers: list[asyncio.Future[object]] = []
        try:
            for row in rows:
                # Handed over in order; within a partition the idempotent producer keeps that order through retries.
                answers.append(await producer.send(row.topic, value=row.payload, key=row.key, headers=row.headers))
        except KafkaError as error:
            failure = error
        for row, answer in zip(rows, answers, strict=False):
            try:
                await answer
            except KafkaError as error:
                failure = error
                break
            confirmed.append(row.seq)
        await asyncio.gather(*answers, return_exceptions=True)
        if failure is not None:
            raise failure

    async def _show_lag(self, connection: psycopg.AsyncConnection) -> None:
        cursor = await connection.execute(_LAG)
        row = await cursor.fetchone()
        if row is not None:
            metrics.OUTBOX_WAITING.set(row[0])
            metrics.OUTBOX_AGE.set(float(row[1]))

    async def _tell_failing(self, connection: psycopg.AsyncConnection, reason: str, pause: float | None) -> None:
        """Without a pause the next attempt has no time: the producer goes on trying by itself."""
        self._told_failing = True
        await connection.execute(_FAILS, (reason, pause))

    async def _tell_unheld(self, reason: str | None, pause: float) -> None:
        """What Kafka does to us, and what waits. A database that is away is told by those who ask it themselves."""
        try:
            async with self._database.direct() as connection:
                if reason is not None:
                    await self._tell_failing(connection, reason, pause)
                await self._show_lag(connection)
        except psycopg.Error as error:
            logger.warning("relay.lag_unknown", reason=type(error).__name__)
