"""Two whole regions, started once for all system tests and filled with the sample."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from faults.collector import Collector
from faults.ledger import Ledger
from faults.telling import Noting, Telling

from tibs_devstack.people import Person
from tibs_devstack.stack import Stack
from tibs_devstack.story import SHOWN, Story, fill
from tibs_devstack.visitor import Visitor


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Receives the traces of all services of `stack`."""
    running = Collector()
    yield running
    running.close()


@pytest.fixture(scope="session")
async def stack(collector: Collector) -> AsyncIterator[Stack]:
    """Podlaskie and Kymenlaakso with all their services, on real parts. Tests that break something mend it again."""
    environment = SHOWN | {
        "TIBS_OTLP_ENDPOINT": collector.address,
        "OTEL_BSP_SCHEDULE_DELAY": "1000",
        # A line counts as interrupted after ten probes that did not come.
        "TIBS_PROBE_SECONDS": "2",
    }
    with tempfile.TemporaryDirectory(prefix="tibs-system-") as folder:
        async with Stack(
            regions=["pl84", "fi1c"], state_dir=Path(folder), environment=environment, durable=False
        ) as running:
            await fill(running.folder, running.state, say=lambda _: None)
            yield running


@pytest.fixture
def ledger(stack: Stack) -> Ledger:
    """What the regions hold, counted past every interface."""
    return Ledger(stack)


@pytest.fixture(scope="session")
async def telling(stack: Stack) -> Telling:
    """The main job, told once by people whose forms are noted."""
    sent: list[tuple[str, str, str]] = []
    lines: list[str] = []

    def noting(*, url: str, person: Person) -> Visitor:
        return Visitor(url=url, person=person, transport=Noting(sent, region=person.region))

    story = Story(folder=stack.folder, state=stack.state, say=lines.append, visitor=noting)
    return Telling(await asyncio.to_thread(story.tell), lines, sent)
