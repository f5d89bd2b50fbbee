"""Two regions' Kafkas: what each holds of what the other wrote."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tibs_chassis.verify.copies import tells_facts
from tibs_chassis.verify.reading import Cluster, Progress, look_at, reading, silent
from tibs_chassis.verify.report import Line, Report
from tibs_chassis.verify.rules import Comparison, compare
from tibs_contracts.topics import pulled

PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Place:
    """A region and its Kafka."""

    region: str
    kafka: Cluster


async def between(
    first: tuple[str, str], second: tuple[str, str], *, wait: float = 10.0, progress: Progress = silent
) -> Report:
    """Compares two regions, each given as code and Kafka address, in both directions.

    What is not there yet is waited for, `wait` seconds in all: mirroring takes its time. Raises KafkaError when one of
    them does not answer.
    """
    places = [Place(region, await look_at(address)) for region, address in (first, second)]
    one, other = places
    if one.kafka.id == other.kafka.id:
        return Report(
            notes=[
                f"{one.region} and {other.region} share one Kafka: there is no copy that could differ from its origin."
            ]
        )
    until = time.monotonic() + wait
    reports = await asyncio.gather(
        _direction(one, other, until=until, progress=progress), _direction(other, one, until=until, progress=progress)
    )
    return reports[0] + reports[1]


async def _direction(origin: Place, mirror: Place, *, until: float, progress: Progress) -> Report:
    """The origin first, then the mirror, then what came to the origin meanwhile.

    So all that the mirror can hold is known when it is judged, and nothing is missed that came after it was read.
    """
    names = [one.name for one in pulled(mirror.region, origin.region) if tells_facts(one.name)]
    async with AsyncExitStack() as stack:
        theirs, ours = [
            await stack.enter_async_context(reading(place.kafka, names, progress=_at(place.region, progress)))
            for place in (origin, mirror)
        ]

        def compared(name: str) -> Comparison:
            return compare(theirs.copies[name], ours.copies[name], there=origin.region, here=mirror.region)

        await theirs.read_on()
        await ours.read_on()
        while any(compared(name).waits for name in names) and time.monotonic() < until:
            await asyncio.sleep(PAUSE_SECONDS)
            await ours.read_on()
        await theirs.read_on(late=True)
        return sum((_told(name, compared(name), origin, mirror) for name in names), start=Report())


def _at(region: str, progress: Progress) -> Progress:
    return lambda what, done, total: progress(f"{what} in {region}", done, total)


def _told(name: str, result: Comparison, origin: Place, mirror: Place) -> Report:
    report = Report(
        lines=[Line(part="mirror", where=f"{origin.region} → {mirror.region}", topic=name, figures=result.figures)]
    )
    report.found(result.differences)
    report.notes += [
        f"The Kafka of {place.region} has no topic {name}."
        for place in (origin, mirror)
        if name not in place.kafka.partitions
    ]
    for count, held, deleted in (
        (result.aged_there, mirror.region, origin.region),
        (result.aged_here, origin.region, mirror.region),
    ):
        if count:
            report.notes.append(
                f"{held} still holds {count} events of {name} that {deleted} may have deleted by their age; "
                "they cannot be compared and are no differences."
            )
    return report
