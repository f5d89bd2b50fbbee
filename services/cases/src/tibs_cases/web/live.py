"""Live hints for open pages: one listener a process on the database's channel, one bounded queue a page."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import psycopg

from tibs_cases.hints import CHANNEL
from tibs_chassis.database import Database
from tibs_chassis.log import logger

HEARTBEAT = 20.0
"""Seconds of silence after which a comment keeps proxies from closing the line."""
_WAITING = 20
_AGAIN = 1.0


@dataclass(eq=False)
class Watcher:
    """One open page: what it wants to hear of, and what it has not read yet."""

    person: str
    objects: frozenset[str]
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(maxsize=_WAITING))


class Live:
    """Hands hints on to whom they concern. The listener lives as long as somebody watches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: set[Watcher] = set()
        self._listener: asyncio.Task[None] | None = None

    async def events(self, *, person: str, objects: frozenset[str] = frozenset()) -> AsyncIterator[str]:
        """Server-sent events for one page until it closes. A page that reads too slowly is closed: it comes again."""
        watcher = Watcher(person, objects)
        self._watchers.add(watcher)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        try:
            # What happened while nobody listened is looked up, not replayed.
            yield "retry: 3000\nevent: notice\ndata: hello\n\n"
            while watcher in self._watchers:
                try:
                    yield await asyncio.wait_for(watcher.queue.get(), timeout=HEARTBEAT)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._listener is not None:
                self._listener.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._listener
                self._listener = None

    async def _listen(self) -> None:
        while True:
            try:
                async for payload in self._database.listen(CHANNEL):
                    self.hand_on(payload)
            except (psycopg.Error, OSError) as error:
                logger.warning("live.line_broken", reason=type(error).__name__)
            await asyncio.sleep(_AGAIN)

    def hand_on(self, payload: str) -> None:
        """Gives one hint to every page that it concerns."""
        try:
            hint = json.loads(payload)
        except ValueError:
            return
        for watcher in list(self._watchers):
            event = _event(hint, watcher)
            if event is None:
                continue
            try:
                watcher.queue.put_nowait(event)
            except asyncio.QueueFull:
                self._watchers.discard(watcher)


def _event(hint: object, watcher: Watcher) -> str | None:
    match hint:
        case {"person": person} if person == watcher.person:
            return "event: notice\ndata: new\n\n"
        case {"case": object_id} | {"introduction": object_id} if object_id in watcher.objects:
            return "event: changed\ndata: changed\n\n"
        case {"network": _}:
            return "event: network\ndata: changed\n\n"
    return None
