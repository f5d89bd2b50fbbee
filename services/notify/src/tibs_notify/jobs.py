"""Jobs in PostgreSQL (procrastinate): what has to be done after a transaction, if and only if it was committed."""

import json
from collections.abc import Mapping
from datetime import datetime

from opentelemetry.propagate import inject
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MAIL_QUEUE = "mail"
DESK_QUEUE = "desk"

_DEFER = text(
    """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, 0, :lock, NULL, CAST(:arguments AS jsonb), CAST(:scheduled_at AS timestamptz))
        ::procrastinate_job_to_defer_v1
    ])
    """
)


async def defer(
    session: AsyncSession,
    *,
    queue: str,
    task: str,
    arguments: Mapping[str, object],
    lock: str,
    at: datetime | None = None,
) -> None:
    """Puts a job into the queue, in the caller's transaction. Jobs of one `lock` run one after the other.

    Through procrastinate's own function, on the session's connection: its client would take a connection of its own,
    and a job could then run for something that was never committed.
    """
    carrier: dict[str, str] = {}
    inject(carrier)
    await session.execute(
        _DEFER,
        {
            "queue": queue,
            "task": task,
            "lock": lock,
            "arguments": json.dumps({**arguments, "traceparent": carrier.get("traceparent")}),
            "scheduled_at": at,
        },
    )
