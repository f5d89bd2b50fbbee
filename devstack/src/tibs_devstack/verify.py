"""Compares two regions of a running stack: their Kafkas with each other, and each service's database with its Kafka.

Each service compares itself, by its own command and in the surroundings of its process: only it may look into its
database, and only it knows which events it takes in.
"""

import asyncio
import json
import os
from collections.abc import Callable

from tibs_chassis.verify.mirrors import between
from tibs_chassis.verify.reading import Progress
from tibs_chassis.verify.report import Report
from tibs_devstack.launch import InstalledServices, child_environment
from tibs_devstack.state import StackState, StateFolder

Step = Callable[[str, str, str], None]
"""Takes a step's name, its condition (starting, ready) and a word more."""


class NotCompared(Exception):
    """Something to compare with did not answer; the message says what."""


def pair_of(state: StackState, regions: list[str]) -> tuple[str, str]:
    """The two regions that are meant. Raises ValueError with a sentence."""
    there = list(state.regions)
    chosen = regions or there
    if unknown := [code for code in chosen if code not in there]:
        raise ValueError(f"This stack has no region {', '.join(unknown)}; it runs {', '.join(there)}.")
    if len(set(chosen)) != 2:
        example = " ".join(there[:2]) if len(there) > 1 else "pl84 fi1c"
        raise ValueError(
            f"Two regions are compared, such as `tibs verify {example}`; this stack runs {', '.join(there)}."
        )
    return chosen[0], chosen[1]


async def compare_regions(
    folder: StateFolder, state: StackState, pair: tuple[str, str], *, wait: float, step: Step
) -> Report:
    """Raises NotCompared, or KafkaError."""
    services = [(region, service) for region in pair for service in state.regions[region].services]
    # Each is a process that starts Python and its libraries: more at once than there are processors only wait.
    turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def of(region: str, service: str) -> Report:
        name = f"{region} {service}"
        async with turns:
            step(name, "starting", "")
            report = await _own(folder, region, service, wait=wait)
        step(name, "ready", _outcome(report))
        return report

    reports = list(await asyncio.gather(*(of(region, service) for region, service in services)))
    name = " and ".join(pair)
    step(name, "starting", "")
    first, second = [(region, _kafka(folder, region, list(state.regions[region].services))) for region in pair]
    mirrored = await between(first, second, wait=wait, progress=_shown(name, step))
    step(name, "ready", _outcome(mirrored))
    return sum(reports, start=mirrored)


def _outcome(report: Report) -> str:
    count = len(report.differences)
    return "equal" if not count else f"{count} difference{'' if count == 1 else 's'}"


def _shown(name: str, step: Step) -> Progress:
    return lambda what, done, total: step(name, "starting", f"{what}: {done} of {total}")


def _environment(folder: StateFolder, region: str, service: str) -> dict[str, str]:
    held: dict[str, str] = json.loads(folder.environment_file(region, service).read_text(encoding="utf-8"))
    return held


def _kafka(folder: StateFolder, region: str, services: list[str]) -> str:
    """As the region's services reach it."""
    return _environment(folder, region, services[0])["TIBS_KAFKA"]


async def _own(folder: StateFolder, region: str, service: str, *, wait: float) -> Report:
    process = await asyncio.create_subprocess_exec(
        *InstalledServices().command(service),
        *("verify", "--json", "--wait", str(wait)),
        env=child_environment(_environment(folder, region, service)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await process.communicate()
    if process.returncode not in (0, 1) or not said:
        last = wrong.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise NotCompared(f"{region} {service} could not be compared: {last[0]}")
    return Report.model_validate_json(said)
