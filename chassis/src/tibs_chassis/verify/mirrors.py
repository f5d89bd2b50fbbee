"""Two regions' Kafkas: what each holds of what the other wrote."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tibs_chassis.verify.reading import Cluster, Progress, TopicReader, look_at, reading, silent
from tibs_chassis.verify.report import Line, Report
from tibs_chassis.verify.rules import Comparison, compare
from tibs_contracts.topics import Channel, topic_name

PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Place:
    """A region and its Kafka."""

    region: str
    kafka: Cluster


def mirrored(origin: str, mirror: str) -> list[str]:
    """The topics of one region that another one holds a copy of."""
    return [
        topic_name(channel, origin, to=mirror if channel.bilateral else None)
        for channel in Channel
        if channel.public or channel.bilateral
    ]


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
        *(
            _topic(name, origin, mirror, until=until, progress=progress)
            for origin, mirror in ((one, other), (other, one))
            for name in mirrored(origin.region, mirror.region)
        )
    )
    return sum(reports, start=Report())


async def _topic(name: str, origin: Place, mirror: Place, *, until: float, progress: Progress) -> Report:
    async with AsyncExitStack() as stack:

        def told(what: str, done: int, total: int, *, at: str) -> None:
            progress(f"{what} in {at}", done, total)

        theirs, ours = [
            await stack.enter_async_context(
                reading(place.kafka, name, progress=lambda *figures, at=place.region: told(*figures, at=at))
            )
            for place in (origin, mirror)
        ]
        result = await _settled(theirs, ours, origin=origin.region, mirror=mirror.region, until=until)
    report = Report(
        lines=[Line(part="mirror", where=f"{origin.region} → {mirror.region}", topic=name, figures=result.figures)]
    )
    report.found(result.differences)
    for region, cluster in ((origin.region, origin.kafka), (mirror.region, mirror.kafka)):
        if name not in cluster.partitions:
            report.notes.append(f"The Kafka of {region} has no topic {name}.")
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


async def _settled(theirs: TopicReader, ours: TopicReader, *, origin: str, mirror: str, until: float) -> Comparison:
    """The origin first, then the mirror, then what came to the origin meanwhile.

    So all that the mirror can hold is known when it is judged, and nothing is missed that came after it was read.
    """
    await theirs.read_on()
    await ours.read_on()
    while compare(theirs.copy, ours.copy, there=origin, here=mirror).waits and time.monotonic() < until:
        await asyncio.sleep(PAUSE_SECONDS)
        await ours.read_on()
    await theirs.read_on(late=True)
    return compare(theirs.copy, ours.copy, there=origin, here=mirror)
