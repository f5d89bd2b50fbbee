"""The line between the regions is silenced: both ways, and one way only."""

import time
from typing import Any

from drills.ground import AWAY, HOME, Ground

FULL_SECONDS, SHORT_SECONDS = 600, 45


async def cut_both_ways(ground: Ground, more: dict[str, Any]) -> None:
    """Nothing passes for a while; both desks go on writing, and neither waits for the other."""
    await _cut(ground, more, HOME, AWAY)


async def cut_one_way(ground: Ground, more: dict[str, Any]) -> None:
    """What Kymenlaakso writes no longer reaches Podlaskie; the other way all passes."""
    await _cut(ground, more, HOME)


async def _cut(ground: Ground, more: dict[str, Any], *deaf: str) -> None:
    seconds = SHORT_SECONDS if ground.short else FULL_SECONDS
    async with ground.working() as load:
        await ground.work_for(2, load)
        ground.lines.cut(*deaf)
        before, longest = load.accepted, max(desk.longest for desk in ground.desks)
        try:
            await ground.work_for(seconds, load)
        finally:
            ground.lines.mend(*deaf)
        more["accepted_while_cut"] = load.accepted - before
        more["longest_write_s"] = round(max(longest, *(desk.longest for desk in ground.desks)), 2)
    healed = time.monotonic()
    await ground.agree()
    more["converged_s"] = time.monotonic() - healed
    more["minutes_cut"] = round(seconds / 60, 2)
    if more["accepted_while_cut"] < seconds:
        more["failures"] = [f"only {more['accepted_while_cut']} writes were accepted in {seconds} s without a line"]
