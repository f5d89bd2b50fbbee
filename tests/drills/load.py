"""Two desks at work, without pause, through whatever happens: every write that a service accepts becomes an intent.

What is away is asked again, with the same idempotency key, until it answers; a broker at the UI would do the same. So
each write is accepted exactly once, and the ledger knows of each.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any

from faults.desk import request_introduction, signed_in, unused_profiles
from faults.ledger import Ledger as Counts

from drills.ledger import Ledger, Message, Organisation
from tibs_chassis.auth import Principal
from tibs_chassis.client import ServiceClient
from tibs_chassis.problems import Problem
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.ids import new_id
from tibs_devstack.seed import principal_of
from tibs_devstack.stack import Stack

PATIENCE_SECONDS = 300.0
_RETRY_SECONDS = 0.25
_STALE = 412


class LongLived(TokenMinter):
    """Its tokens are still good where the clock is wrong by hours."""

    def mint(self, principal: Principal, audience: str, *, lifetime: int = 6 * 60 * 60) -> str:
        return super().mint(principal, audience, lifetime=lifetime)


class Desk:
    """One region's broker at the interfaces of registry and cases."""

    def __init__(self, stack: Stack, region: str, ledger: Ledger) -> None:
        self.region = region
        self._ledger = ledger
        self._person = principal_of(stack.people(region)["broker"])
        minter = LongLived(region=region, key_file=stack.folder.path / "keys" / region / "node.jwk")
        self._registry, self._cases = (
            ServiceClient(
                stack.url(region, service).replace("localhost", "127.0.0.1"),
                audience=service,
                minter=minter,
                timeout=10.0,
            )
            for service in ("registry", "cases")
        )
        self.introductions: list[tuple[str, str]] = []
        """Over which it can write to the other side: (id, the other region)."""
        self.refused = 0
        self.longest = 0.0
        """Seconds that one write took from the first attempt to its success."""

    async def register(self, name: str) -> Organisation:
        made = await self._until_accepted(
            self._registry, "POST", "/api/v1/actors", _organisation(name), key=str(new_id())
        )
        return self._keep(made)

    async def rename(self, organisation: Organisation, name: str) -> Organisation:
        """Changes it; an answer that was lost is known by what is held afterwards."""
        path, version = f"/api/v1/actors/{organisation.id}", organisation.version
        while True:
            try:
                made = await self._until_accepted(self._registry, "PUT", path, _organisation(name), etag=f'"{version}"')
                return self._keep(made)
            except Problem as problem:
                if problem.status != _STALE:
                    raise
            held = await self._until_accepted(self._registry, "GET", path, None)
            if held["name"] == name:
                return self._keep(held)
            version = held["version"]

    async def write(self, introduction: str, to: str, text: str) -> None:
        await self._until_accepted(
            self._cases, "POST", f"/api/v1/introductions/{introduction}/messages", {"text": text}, key=str(new_id())
        )
        self._ledger.messages.append(Message(self.region, to, introduction, text))

    def _keep(self, made: dict[str, Any]) -> Organisation:
        kept = Organisation(self.region, str(made["id"]), int(made["version"]), str(made["name"]))
        self._ledger.organisations.append(kept)
        return kept

    async def _until_accepted(
        self,
        client: ServiceClient,
        method: str,
        path: str,
        body: Any,
        *,
        key: str | None = None,
        etag: str | None = None,
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {"If-Match": etag} if etag else {}
        began = time.monotonic()
        while True:
            try:
                answer = await client.request(method, path, principal=self._person, json=body, headers=headers)
                break
            except Problem as problem:
                # 503 and silence: away. 409: the first attempt with this key is still being worked on.
                passing = problem.status >= 500 or (problem.status == 409 and key is not None)
                if not passing or time.monotonic() - began > PATIENCE_SECONDS:
                    raise
                self.refused += 1
                await asyncio.sleep(_RETRY_SECONDS)
        self.longest = max(self.longest, time.monotonic() - began)
        made: dict[str, Any] = answer.json()
        return made

    async def close(self) -> None:
        await self._registry.close()
        await self._cases.close()


class Load:
    """`pace` writes a second at each desk, as long as the context is open.

    One worker a kind: what was asked next is asked after what was asked before, as with a person.
    """

    def __init__(self, desks: Sequence[Desk], *, pace: float = 8.0) -> None:
        self._desks = desks
        self._pause = 2 / pace
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self.accepted = 0

    async def __aenter__(self) -> "Load":
        self._workers = [
            asyncio.create_task(work(desk)) for desk in self._desks for work in (self._organisations, self._messages)
        ]
        return self

    async def __aexit__(self, *error: object) -> None:
        """Each worker ends with the write in its hands, which is waited for."""
        self._stopping.set()
        await asyncio.gather(*self._workers)

    def check(self) -> None:
        """Raises what a worker failed of."""
        for worker in self._workers:
            if worker.done():
                worker.result()

    async def _between(self) -> bool:
        """Waits for the next turn; False when it is over."""
        try:
            await asyncio.wait_for(self._stopping.wait(), self._pause)
        except TimeoutError:
            return True
        return False

    async def _organisations(self, desk: Desk) -> None:
        """New ones, each renamed four times: five versions of one subject."""
        while True:
            name = f"Drilled {desk.region} {new_id()}"
            organisation = await desk.register(f"{name} v1")
            self.accepted += 1
            for version in range(2, 6):
                if not await self._between():
                    return
                organisation = await desk.rename(organisation, f"{name} v{version}")
                self.accepted += 1
            if not await self._between():
                return

    async def _messages(self, desk: Desk) -> None:
        for introduction, to in itertools.cycle(desk.introductions):
            await desk.write(introduction, to, f"Line {new_id()} from {desk.region}")
            self.accepted += 1
            if not await self._between():
                return


async def open_desks(stack: Stack, ledger: Ledger, *, introductions: int = 2) -> list[Desk]:
    """A desk for each of two regions, with introductions asked for by each at the other."""
    home, away = stack.regions[:2]
    desks = [Desk(stack, home, ledger), Desk(stack, away, ledger)]
    counts = Counts(stack)
    for asking, asked in ((desks[0], desks[1]), (desks[1], desks[0])):
        for _ in range(introductions):
            id = await asyncio.to_thread(_introduction, stack, counts, asking.region, asked.region)
            asking.introductions.append((id, asked.region))
            asked.introductions.append((id, asking.region))
    return desks


def _introduction(stack: Stack, counts: Counts, home: str, away: str) -> str:
    need, offer = unused_profiles(counts, home=home, away=away)
    with signed_in(stack, home) as broker, signed_in(stack, away) as partner:
        asked = request_introduction(broker, need=need, offer=offer)
        partner.until("/today", lambda page: page.all(f"main a[href='{asked.path}']"), what="the request")
        return asked.path.rpartition("/")[2]


def _organisation(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "sme",
        "country": "PL",
        "description": "Makes what the drills need.",
        "sectors": ["sustainable_construction"],
        "languages": ["en"],
        "listed": True,
        "accept_duplicate": True,
    }
