"""The ground that drills are held on: two regions whose processes are apart, on lines that can be made bad."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.crashing import CrashingServices
from drills.ledger import SERVICES, Findings, Ledger
from drills.lines import BadLines
from drills.load import Desk, Load, open_desks
from tibs_devstack.stack import Stack
from tibs_devstack.story import SHOWN, fill

HOME, AWAY = "pl84", "fi1c"
CONVERGED_WITHIN = 300.0
VOLUME_MEGABYTES = 1024


@dataclass
class Outcome:
    """What a drill showed."""

    name: str
    findings: Findings
    converged_s: float
    more: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    """What it should have shown besides, and did not."""

    @property
    def passed(self) -> bool:
        return self.findings.clean and not self.failures

    def figures(self) -> dict[str, Any]:
        told = {**self.findings.figures(), "converged_s": round(self.converged_s, 1), **self.more}
        return told | ({"failures": self.failures} if self.failures else {})


class Ground:
    """Two regions at work. `short` is for every change of the code, the full form for a night."""

    def __init__(
        self,
        stack: Stack,
        *,
        lines: BadLines,
        services: CrashingServices,
        volumes: Mapping[str, Path],
        short: bool,
        say: Callable[[str], None],
    ) -> None:
        self.stack = stack
        self.services = services
        self.volumes = volumes
        """Of a region's broker, where it has one of its own."""
        self.lines = lines
        self.short = short
        self.say = say
        self.dice = random.Random(20261126)
        self.ledger = Ledger(
            databases={
                (region, service): stack.environment(region, service)["TIBS_DATABASE_URL"]
                for region in stack.regions
                for service in SERVICES
            },
            kafkas={region: stack.kafka(region).address for region in stack.regions},
        )
        self.desks: list[Desk] = []

    async def open(self) -> None:
        self.desks = await open_desks(self.stack, self.ledger)

    async def close(self) -> None:
        await asyncio.gather(*(desk.close() for desk in self.desks))

    def processes(self) -> list[tuple[str, str]]:
        """Every process of every service: (region, name)."""
        return [(region, name) for region in self.stack.regions for name in self.stack.processes(region)]

    @asynccontextmanager
    async def working(self, *, pace: float = 8.0) -> AsyncIterator[Load]:
        """Both desks write inside; begins a new account."""
        await asyncio.to_thread(self.ledger.begin)
        async with Load(self.desks, pace=pace) as load:
            yield load

    async def drill(self, name: str, work: Callable[["Ground", dict[str, Any]], Awaitable[None]]) -> Outcome:
        """Runs `work`, which opens `working` itself; then waits until all agree, and compares everything."""
        self.say(f"── {name}")
        more: dict[str, Any] = {}
        failures: list[str] = []
        await work(self, more)
        failures += more.pop("failures", [])
        began = time.monotonic()
        left = await self.agree()
        converged = more.pop("converged_s", None) or time.monotonic() - began
        found = await self.ledger.compare()
        while found.lost and time.monotonic() - began < CONVERGED_WITHIN:
            # What follows from the last effects may still be on its way.
            await asyncio.sleep(1)
            found = await self.ledger.compare()
        more["accepted"] = len(self.ledger.organisations) + len(self.ledger.messages)
        if left:
            failures.append(f"after {CONVERGED_WITHIN:.0f} s the regions still differ: {left[0]}")
        outcome = Outcome(name, found, converged, more, failures)
        for sentence in [*found.sentences(), *failures]:
            self.say(f"   ✗ {sentence}")
        self.say(f"   {'✓' if outcome.passed else '✗'} {json.dumps(outcome.figures())}")
        return outcome

    async def agree(self) -> list[str]:
        """Waits until every effect is where it should be; returns what is not, after CONVERGED_WITHIN."""
        deadline = time.monotonic() + CONVERGED_WITHIN
        while True:
            left = await asyncio.to_thread(self.ledger.settled)
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(0.25)

    async def until(self, condition: Callable[[], bool], what: str, *, load: Load, within: float = 60.0) -> None:
        """While the desks work."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not happen within {within:.0f} s")
            await self.work_for(0.05, load)

    async def work_for(self, seconds: float, load: Load) -> None:
        """Lets the desks work; raises what a worker failed of."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(1.0, left))
            load.check()


@contextlib.contextmanager
def _volume(path: Path) -> Iterator[Path | None]:
    """A small volume of its own at `path`; None where that is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MEGABYTES}m", "tibs-drills", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


@asynccontextmanager
async def ground(folder: Path, *, short: bool, say: Callable[[str], None]) -> AsyncIterator[Ground]:
    """Two regions, started and filled."""
    lines = await asyncio.to_thread(BadLines, folder / "lines")
    say(f"lines: {'network namespaces with veth links' if lines.namespaces else 'proxies only'}, Toxiproxy on each")
    environment = SHOWN | {"TIBS_EMBEDDER": "hashing"}
    services = CrashingServices(folder)
    with contextlib.ExitStack() as mounted, contextlib.ExitStack() as undone:
        undone.callback(lines.close)
        volumes = {AWAY: volume} if (volume := mounted.enter_context(_volume(folder / AWAY / "kafka"))) else {}
        async with Stack(
            regions=[HOME, AWAY],
            state_dir=folder,
            environment=environment,
            launch=services,
            lines=lines,
            say=say,
        ) as stack:
            undone.pop_all()
            say(f"ready after {stack.state.seconds} s")
            await fill(stack.folder, stack.state, say=lambda _: None)
            held = Ground(stack, lines=lines, services=services, volumes=volumes, short=short, say=say)
            await held.open()
            try:
                yield held
            finally:
                await held.close()
