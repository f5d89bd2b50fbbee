"""Works off the jobs: mails, and notices for the holders of a role."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
from opentelemetry import trace
from opentelemetry.propagate import extract
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from tibs_chassis import clock
from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_chassis.log import logger
from tibs_chassis.node import Node
from tibs_notify.deliveries.sending import Mailroom
from tibs_notify.deliveries.service import SEND
from tibs_notify.jobs import DESK_QUEUE, MAIL_QUEUE
from tibs_notify.notices import service as notices
from tibs_notify.notices.service import TELL_ROLE
from tibs_notify.people import Desk, DeskAway

tracer = trace.get_tracer("tibs.jobs")

RESCUE_SECONDS = 10.0
STALLED_SECONDS = 30.0
"""How long a worker may be silent (it reports every ten seconds) before its jobs are given to others."""
FIRST_PAUSE = timedelta(seconds=5)
DOUBLINGS = 6
"""A job without a time of its own comes back after 5, 10, 20 … 320 seconds."""


class ComeBack(Exception):
    """The job is not done; it is to run again, at a time if it names one."""

    def __init__(self, at: datetime | None = None) -> None:
        super().__init__("again at " + (at.isoformat() if at is not None else "a later time"))
        self.at = at


class _Again(procrastinate.BaseRetryStrategy):
    """A job ends when it says so: whatever else happens to it, it comes back."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision:
        at = exception.at if isinstance(exception, ComeBack) else None
        if isinstance(exception, asyncio.CancelledError | procrastinate.exceptions.JobAborted):
            at = clock.now()  # This process is ending; the next one goes on at once.
        elif not isinstance(exception, ComeBack):
            logger.error("jobs.failed", job=job.id, task=job.task_name, reason=type(exception).__name__)
        if at is None:
            at = clock.now() + FIRST_PAUSE * 2 ** min(job.attempts, DOUBLINGS)
        return procrastinate.RetryDecision(retry_at=at)


class Worker:
    """The job worker of this service."""

    def __init__(self, *, database: Database, node: Node, mailroom: Mailroom, desk: Desk, parallel: int) -> None:
        self._database = database
        self._node = node
        self._mailroom = mailroom
        self._desk = desk
        self._parallel = parallel
        # What procrastinate logs of a failed job is an error's text; ours is enough, and holds no personal data.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)

    async def work(self) -> None:
        """Works until cancelled; waits for the database when it is away."""
        pause = 0.5
        while True:
            try:
                async with self._app() as app:
                    pause = 0.5
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._run(app))
                        tasks.create_task(self._rescue(app))
            except* (ConnectorException, psycopg.Error, OSError) as error:
                logger.warning("jobs.waiting", reason=type(error.exceptions[0]).__name__, seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)

    async def work_off(self) -> None:
        """Does what is due now, and returns."""
        async with self._app() as app:
            await app.run_worker_async(wait=False, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "queues": [MAIL_QUEUE, DESK_QUEUE],
            "concurrency": self._parallel,
            "install_signal_handlers": False,
            "delete_jobs": "successful",
            "shutdown_graceful_timeout": 5.0,
            "fetch_job_polling_interval": 2.0,
            "stalled_worker_timeout": STALLED_SECONDS,
        }

    async def _run(self, app: procrastinate.App) -> None:
        await app.run_worker_async(**self._options())
        raise ConnectorException("the worker ended by itself")

    async def _rescue(self, app: procrastinate.App) -> None:
        """Jobs whose worker died in the middle go back into the queue."""
        while True:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
                logger.warning("jobs.rescued", job=job.id, task=job.task_name)
                await app.job_manager.retry_job(job)
            await asyncio.sleep(RESCUE_SECONDS)

    @asynccontextmanager
    async def _app(self) -> AsyncIterator[procrastinate.App]:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._database.url,
            min_size=1,
            max_size=self._parallel + 1,
            timeout=10.0,
            kwargs={"application_name": f"{self._node.service}-jobs"},
        )
        app = procrastinate.App(connector=connector)
        app.task(name=SEND, queue=MAIL_QUEUE, retry=_Again())(self._send_mail)
        app.task(name=TELL_ROLE, queue=DESK_QUEUE, retry=_Again())(self._tell_role)
        async with app.open_async():
            yield app

    async def _send_mail(self, *, delivery_id: str, traceparent: str | None = None) -> None:
        with _span(SEND, traceparent):
            again = await self._mailroom.send(UUID(delivery_id))
        if again is not None:
            raise ComeBack(again)

    async def _tell_role(
        self, *, concern: dict[str, Any], cause: dict[str, str], traceparent: str | None = None
    ) -> None:
        with _span(TELL_ROLE, traceparent):
            told = notices.concern_from_json(concern)
            try:
                holders = await self._desk.holders(Role(told.role or ""))
            except DeskAway as error:
                logger.warning("notices.waiting", reason=str(error), role=told.role)
                raise ComeBack from None
            async with self._database.transaction() as session:
                await notices.tell_people(
                    session,
                    node=self._node,
                    concern=told,
                    cause=notices.cause_from_json(cause),
                    people=holders,
                )


@contextlib.contextmanager
def _span(task: str, traceparent: str | None) -> Any:
    """A span that goes on with the trace in which the job was deferred."""
    carrier = {"traceparent": traceparent} if traceparent else {}
    with tracer.start_as_current_span(f"job {task}", context=extract(carrier), kind=trace.SpanKind.CONSUMER):
        yield
