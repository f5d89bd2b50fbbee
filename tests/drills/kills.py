"""Every kind of process is killed at random moments, under load."""

from typing import Any

from drills.ground import Ground

FULL, SHORT = 220, 12


async def kill_everything(ground: Ground, more: dict[str, Any]) -> None:
    """kill -9 of a process that is drawn by lot, again and again, with a pause that is drawn too."""
    stack = ground.stack
    kills: dict[str, int] = {}

    async def database() -> None:
        await stack.kill_postgres()
        await stack.start_postgres()

    async with ground.working() as load:
        victims = _victims(ground)
        for number in range(SHORT if ground.short else FULL):
            # In turn by kind, by lot within it: no kind is left out.
            kind = sorted(victims)[number % len(victims)]
            region, name = ground.dice.choice(victims[kind])
            await ground.work_for(ground.dice.uniform(0.1, 1.5), load)
            if kind == "postgres":
                await database()
            elif kind == "broker":
                await stack.kill_kafka(region)
                await ground.work_for(ground.dice.uniform(0, 1.0), load)
                await stack.start_kafka(region)
            elif kind == "mirror":
                await stack.kill_mirror(region)
                await stack.start_mirror(region)
            else:
                await stack.kill(region, name)
                await stack.start(region, name)
            kills[kind] = kills.get(kind, 0) + 1
            load.check()
        await ground.work_for(1.0, load)
    more["kills"] = sum(kills.values())
    more["kills_by_kind"] = kills


def _victims(ground: Ground) -> dict[str, list[tuple[str, str]]]:
    """(region, process) by kind."""
    found: dict[str, list[tuple[str, str]]] = {"postgres": [("", "")]}
    for region in ground.stack.regions:
        found.setdefault("broker", []).append((region, ""))
        found.setdefault("mirror", []).append((region, ""))
    for region, name in ground.processes():
        service, _, role = name.partition("-")
        found.setdefault(role or service, []).append((region, name))
    return found
