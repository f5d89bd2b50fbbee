"""Two relays of one service at once: one stands still with a batch in its hands while the other does its work."""

import asyncio
import os
import signal
import time
from typing import Any

from drills.ground import Ground

FULL, SHORT = 20, 2
_HELD = """
SELECT locks.pid FROM pg_locks AS locks JOIN pg_database AS held ON held.oid = locks.database
WHERE locktype = 'advisory' AND granted AND held.datname = %s
"""


async def two_relays(ground: Ground, more: dict[str, Any]) -> None:
    """The first has read its batch and is stopped; its lock is lost; the second publishes that batch and what comes
    after; then the first goes on with what it holds."""
    more["rounds"] = 0
    async with ground.working(pace=40) as load:
        for _ in range(SHORT if ground.short else FULL):
            region, service = ground.dice.choice(ground.stack.regions), ground.dice.choice(("registry", "cases"))
            name = f"{service}-relay"
            ordered = ground.services.order(region, service, "relay", point="before_publish", after=3, stops=True)
            await ground.stack.kill(region, name)
            await ground.stack.start(region, name)
            first = ground.stack.service(region, name).child
            assert first is not None
            await ground.until(lambda file=ordered: not file.exists(), "a relay that stops", load=load)
            second = ground.stack.spawn(region, service, "relay", f"{name}-second")
            try:
                await asyncio.to_thread(_take_lock_away, ground, f"{region}_{service}")
                await ground.until(
                    lambda second=second: "relay.active" in second.output(), "the second relay's turn", load=load
                )
                await ground.work_for(3, load)
                os.kill(first.pid, signal.SIGCONT)
                await ground.work_for(2, load)
            finally:
                second.kill()
            more["rounds"] += 1


def _take_lock_away(ground: Ground, database: str) -> None:
    """As a firewall that forgets a connection: the server ends the session, its holder does not hear of it."""
    deadline = time.monotonic() + 10
    with ground.stack.postgres.admin() as connection:
        while not (held := connection.execute(_HELD, [database]).fetchall()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no relay of {database} holds its lock")
        for (pid,) in held:
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
