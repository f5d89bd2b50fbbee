"""Compares two regions of a running stack: their Kafkas with each other, and each service's database with its Kafka.

Each service is put together from the environment of its process, as its own command `verify` would: only it knows which
events it takes in. Here it happens in one process for all of them, for to load Python and its libraries for each takes
several times as long as to compare.
"""

import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tibs_chassis.app import Service
from tibs_chassis.verify.mirrors import between
from tibs_chassis.verify.reading import Progress
from tibs_chassis.verify.report import Report
from tibs_chassis.verify.service import own
from tibs_devstack.state import StackState, StateFolder

Step = Callable[[str, str, str], None]
"""Takes a step's name, its condition (starting, ready) and a word more."""


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
    """Raises KafkaError or psycopg.Error when something to compare with does not answer."""
    report = Report()
    for region in pair:
        for service in state.regions[region].services:
            name = f"{region} {service}"
            step(name, "starting", "")
            found = await _own(_put_together(folder, region, service), wait=wait, progress=_shown(name, step))
            step(name, "ready", _outcome(found))
            report += found
    name = " and ".join(pair)
    step(name, "starting", "")
    first, second = [(region, _kafka(folder, state, region)) for region in pair]
    mirrored = await between(first, second, wait=wait, progress=_shown(name, step))
    step(name, "ready", _outcome(mirrored))
    return mirrored + report


async def _own(service: Service, *, wait: float, progress: Progress) -> Report:
    try:
        return await own(
            node=service.node,
            database=service.database,
            kafka=service.settings.kafka,
            consumers=service.consumers,
            wait=wait,
            progress=progress,
        )
    finally:
        await service.database.close()


def _outcome(report: Report) -> str:
    count = len(report.differences)
    return "equal" if not count else f"{count} difference{'' if count == 1 else 's'}"


def _shown(name: str, step: Step) -> Progress:
    return lambda what, done, total: step(name, "starting", f"{what}: {done} of {total}")


def _environment(folder: StateFolder, region: str, service: str) -> dict[str, str]:
    held: dict[str, str] = json.loads(folder.environment_file(region, service).read_text(encoding="utf-8"))
    return held


def _kafka(folder: StateFolder, state: StackState, region: str) -> str:
    """As the region's services reach it."""
    return _environment(folder, region, next(iter(state.regions[region].services)))["TIBS_KAFKA"]


def _put_together(folder: StateFolder, region: str, service: str) -> Service:
    module = importlib.import_module(f"tibs_{service}.app")
    with _surroundings(_environment(folder, region, service)):
        built: Service = module.build()
    return built


@contextmanager
def _surroundings(variables: Mapping[str, str]) -> Iterator[None]:
    """Just these TIBS_ variables, for as long as it lasts."""
    before = {name: value for name, value in os.environ.items() if name.startswith("TIBS_")}
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)
