"""Processes die at named points: between a commit and what should follow it, and just before."""

from typing import Any

from drills.crashing import POINTS
from drills.ground import Ground
from tibs_devstack.process import DidNotStart

FULL, SHORT = 20, 1


async def crash_at_named_points(ground: Ground, more: dict[str, Any]) -> None:
    """At each point so many times, each time after as many passes as the dice say."""
    crashes: dict[str, int] = {}
    async with ground.working() as load:
        for _ in range(SHORT if ground.short else FULL):
            for role, points in POINTS.items():
                for point in points:
                    region = ground.dice.choice(ground.stack.regions)
                    service = ground.dice.choice(("registry", "cases"))
                    name = service if role == "web" else f"{service}-{role}"
                    file = ground.services.order(region, service, role, point=point, after=ground.dice.randrange(0, 5))
                    await ground.stack.kill(region, name)
                    try:
                        await ground.stack.start(region, name)
                    except DidNotStart:
                        # It died before it had said that it was ready: nobody watches it yet.
                        await ground.stack.start(region, name)
                    await ground.until(lambda file=file: not file.exists(), f"a death at {role}.{point}", load=load)
                    crashes[f"{role}.{point}"] = crashes.get(f"{role}.{point}", 0) + 1
        await ground.until(lambda: not _down(ground), "the processes to come back", load=load)
    more["kills"] = sum(crashes.values())
    more["crashes_by_point"] = crashes


def _down(ground: Ground) -> list[tuple[str, str]]:
    return [one for one in ground.processes() if ground.stack.service(*one).condition != "ready"]
