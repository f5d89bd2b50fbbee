"""Keeps things running: starts them, waits until they answer, starts them again when they crash."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

from tibs_devstack.parts.base import Part
from tibs_devstack.process import Child, DidNotStart

T = TypeVar("T")
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
_SETTLED_AFTER = 60.0
"""Who ran this long crashed for a new reason: the next delay is short again."""


class Condition(StrEnum):
    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    """It will be started again in a moment."""


async def in_thread(work: Callable[[], T]) -> T:
    """Runs blocking work in a thread. When cancelled, waits for it: nothing must be left half-started."""
    task = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def ended(child: Child) -> int:
    """The exit code of a child, when it has one."""
    loop = asyncio.get_running_loop()
    code: asyncio.Future[int] = loop.create_future()

    def tell(value: int) -> None:
        if not code.done():
            code.set_result(value)

    def wait() -> None:
        value = child.wait()
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(tell, value)

    threading.Thread(target=wait, name=f"wait for {child.name}", daemon=True).start()
    return await code


class Supervised:
    """Something that should run until it is told to stop.

    `start` raises DidNotStart when the first attempt fails; after that, a crash is answered by a new attempt, with a
    delay that doubles. `kill` and `stop` hold it down until the next `start`.
    """

    def __init__(self, name: str, *, on_change: Callable[["Supervised"], None]) -> None:
        self.name = name
        self.condition = Condition.DOWN
        self.restarts = 0
        self._on_change = on_change
        self._watcher: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def child(self) -> Child | None:
        """Its process, if it is one of ours."""
        raise NotImplementedError

    async def _launch(self) -> None:
        """Returns when it answers; raises DidNotStart and leaves nothing running."""
        raise NotImplementedError

    def _end(self) -> None:
        """Ends it gracefully, blocking."""
        raise NotImplementedError

    async def start(self) -> None:
        async with self._one_at_a_time:
            if self._watcher is not None and not self._watcher.done():
                return
            self._turn(Condition.STARTING)
            try:
                await self._launch()
            except BaseException:
                self._turn(Condition.DOWN)
                raise
            self._turn(Condition.READY)
            if self.child is not None:
                self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")

    async def stop(self) -> None:
        """Ends it gracefully and holds it down."""
        await self._hold_down(self._end)

    async def kill(self) -> None:
        """Ends it as a crash or a power cut would, and holds it down: for fault tests."""

        await self._hold_down(self._kill)

    def _kill(self) -> None:
        if self.child is not None:
            self.child.kill()

    async def _hold_down(self, end: Callable[[], None]) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None
        await in_thread(end)
        self._turn(Condition.DOWN)

    async def _watch(self) -> None:
        delay = FIRST_DELAY
        while True:
            since = time.monotonic()
            if self.child is not None:
                await ended(self.child)
            if time.monotonic() - since > _SETTLED_AFTER:
                delay = FIRST_DELAY
            self._turn(Condition.CRASHED)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            self.restarts += 1
            self._turn(Condition.STARTING)
            with contextlib.suppress(DidNotStart):
                await self._launch()
                self._turn(Condition.READY)

    def _turn(self, condition: Condition) -> None:
        self.condition = condition
        self._on_change(self)


class SupervisedPart(Supervised):
    """A part, e.g. Kafka. Of some there is one for each region: `name` tells them apart."""

    def __init__(self, part: Part, *, name: str, on_change: Callable[[Supervised], None]) -> None:
        super().__init__(name, on_change=on_change)
        self.part = part

    @property
    def child(self) -> Child | None:
        return self.part.child

    async def _launch(self) -> None:
        await in_thread(self.part.start)

    def _kill(self) -> None:
        self.part.kill()

    def _end(self) -> None:
        self.part.stop()


class SupervisedService(Supervised):
    """A service's process: made by `spawn`, there when `answers` has nothing to complain about."""

    def __init__(
        self,
        name: str,
        *,
        spawn: Callable[[], Child],
        answers: Callable[[], Awaitable[str | None]],
        on_change: Callable[[Supervised], None],
        patience: float = 120.0,
    ) -> None:
        super().__init__(name, on_change=on_change)
        self._spawn = spawn
        self._answers = answers
        self._patience = patience
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        return self._child

    async def _launch(self) -> None:
        child = self._child = self._spawn()
        deadline = time.monotonic() + self._patience
        try:
            while (complaint := await self._answers()) is not None:
                if not child.running:
                    raise DidNotStart(
                        f"{self.name} ended with code {child.returncode}; {child.log} ends with\n{child.tail()}"
                    )
                if time.monotonic() > deadline:
                    raise DidNotStart(
                        f"{self.name} was not ready within {self._patience:.0f} s: {complaint}; "
                        f"{child.log} ends with\n{child.tail()}"
                    )
                await asyncio.sleep(0.2)
        except BaseException:
            await in_thread(child.kill)
            raise

    def _end(self) -> None:
        if self._child is not None:
            self._child.stop()
