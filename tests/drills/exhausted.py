"""What a machine can run out of: room on the broker's volume, connections of the database, the right time."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import psycopg

from drills.ground import AWAY, HOME, Ground

FULL_SECONDS, SHORT_SECONDS = 60, 8


async def no_connections_left(ground: Ground, more: dict[str, Any]) -> None:
    """Somebody else takes every connection that PostgreSQL has to give, and keeps them for a while."""
    seconds = SHORT_SECONDS if ground.short else FULL_SECONDS
    # As a service's own role: the server keeps a few back for superusers, and those are not what runs out.
    url = ground.stack.environment(HOME, "matching")["TIBS_DATABASE_URL"]
    taken: list[psycopg.Connection[Any]] = []
    async with ground.working() as load:
        await ground.work_for(1, load)
        try:
            await asyncio.to_thread(_take_all, url, taken)
            more["taken"] = len(taken)
            # Those that are open already are lost one by one, and cannot be opened again.
            with ground.stack.postgres.admin() as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'tibs-%' AND pid <> pg_backend_pid()"
                )
            await asyncio.to_thread(_take_all, url, taken)
            await ground.work_for(seconds, load)
        finally:
            for one in taken:
                one.close()
        await ground.work_for(2, load)
    more["seconds"] = seconds


def _take_all(url: str, taken: list[psycopg.Connection[Any]]) -> None:
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            taken.append(psycopg.connect(url, connect_timeout=5))


async def disk_full(ground: Ground, more: dict[str, Any]) -> None:
    """The volume of Kymenlaakso's broker fills up; later there is room again."""
    volume = ground.volumes.get(AWAY)
    if volume is None:
        more["skipped"] = "a volume of its own needs root"
        return
    seconds = SHORT_SECONDS if ground.short else FULL_SECONDS
    ballast = volume / "ballast"
    restarts = ground.stack.part(f"{AWAY} kafka").restarts
    async with ground.working() as load:
        await ground.work_for(2, load)
        await asyncio.to_thread(_fill, ballast)
        await ground.work_for(seconds, load)
        more["broker_ended"] = ground.stack.part(f"{AWAY} kafka").restarts - restarts
        ballast.unlink()
        # A broker whose only volume has failed ends; who watches it has tried to start it ever since.
        await ground.stack.kill_kafka(AWAY)
        await ground.stack.start_kafka(AWAY)
        await ground.work_for(2, load)
    more["seconds"] = seconds
    if not more["broker_ended"]:
        more["failures"] = ["the broker did not notice that its volume was full"]


async def clock_two_hours_fast(ground: Ground, more: dict[str, Any]) -> None:
    """All services of Kymenlaakso live two hours ahead; Podlaskie's clock is right."""
    if not ground.services.turn_clock(AWAY, hours=2):
        more["skipped"] = "libfaketime is not installed"
        return
    # Those that write down when something happened, and tell it.
    names = [name for name in ground.stack.processes(AWAY) if name.startswith(("registry", "cases"))]
    async with ground.working() as load:
        try:
            await asyncio.gather(*(_restart(ground, name) for name in names))
            await ground.work_for(SHORT_SECONDS if ground.short else FULL_SECONDS, load)
        finally:
            ground.services.turn_clock(AWAY, hours=0)
            await asyncio.gather(*(_restart(ground, name) for name in names))
    await ground.agree()
    ahead = (
        "SELECT count(*) FROM introduction_message WHERE direction = 'in' AND sent_at > now() + interval '90 minutes'"
    )
    [(more["messages_from_the_future"],)] = ground.ledger.rows((HOME, "cases"), ahead)
    if not more["messages_from_the_future"]:
        more["failures"] = ["no message came from a clock that was wrong"]


async def _restart(ground: Ground, name: str) -> None:
    await ground.stack.stop(AWAY, name)
    await ground.stack.start(AWAY, name)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(os.urandom(1024 * 1024))
            file.flush()
