"""A bad line: slow, thin, with connections that are reset and others that go silent half-open."""

from typing import Any

from drills.ground import Ground

FULL_ROUNDS, SHORT_ROUNDS = 30, 2


async def bad_line(ground: Ground, more: dict[str, Any]) -> None:
    """300 ms ± 200 ms and 1 Mbit/s both ways all the time; in between resets, and silence on open connections."""
    rounds = SHORT_ROUNDS if ground.short else FULL_ROUNDS
    proxy, regions = ground.lines.proxy, ground.stack.regions
    async with ground.working() as load:
        for region in regions:
            for stream in ("upstream", "downstream"):
                proxy.poison(region, "latency", stream=stream, latency=300, jitter=200)
                proxy.poison(region, "bandwidth", stream=stream, rate=125)
        try:
            for _ in range(rounds):
                region = ground.dice.choice(regions)
                await ground.work_for(ground.dice.uniform(1, 4), load)
                proxy.poison(region, "reset_peer", timeout=ground.dice.randrange(0, 1500))
                await ground.work_for(ground.dice.uniform(1, 3), load)
                proxy.cure(region, "reset_peer")
                # Half-open: the connection stands, what is sent on it is swallowed.
                proxy.poison(region, "timeout", timeout=0)
                await ground.work_for(ground.dice.uniform(2, 6), load)
                proxy.cure(region, "timeout")
        finally:
            for region in regions:
                proxy.heal(region)
    more["rounds"] = rounds
