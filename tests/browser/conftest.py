"""People in real Chromium at the UI of two whole regions."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tibs_devstack.browser import PATIENCE, WIDE, Watch, chromium, open_context, sign_in
from tibs_devstack.people import Person
from tibs_devstack.scenes import Scenes, make
from tibs_devstack.stack import Stack

expect.set_options(timeout=PATIENCE)

FAILED = pytest.StashKey[bool]()


@dataclass
class Desk:
    """A person's browser: `page` is the open page, `url` the region's UI."""

    page: Page
    context: BrowserContext
    person: Person
    url: str
    watch: Watch

    async def open(self, path: str) -> Page:
        await self.page.goto(f"{self.url}{path}")
        return self.page

    def expect(self, status: int, path: str = "") -> None:
        """An answer that would else fail the test."""
        self.watch.expect(status, path)


SignedIn = Callable[..., Awaitable[Desk]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def jar() -> dict[tuple[str, str], Any]:
    """Cookies of those who have signed in already: nobody signs in twice a day."""
    return {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
        report.sections.append(("browser", f"screenshots and HTML of all open pages lie in {_folder(item)}"))
    return report


def _folder(item: pytest.Item) -> Path:
    folder = Path(tempfile.gettempdir()) / "tibs-browser" / re.sub(r"\W+", "-", item.name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
async def desk(
    stack: Stack, browser: Browser, jar: dict[tuple[str, str], Any], request: pytest.FixtureRequest
) -> AsyncIterator[SignedIn]:
    """`await desk("pl84", "broker")` opens a person's browser; what goes wrong in any of them fails the test."""
    opened: list[Desk] = []

    async def open_desk(
        region: str, key: str, *, size: tuple[int, int] = WIDE, dark: bool = False, fresh: bool = False
    ) -> Desk:
        known = jar.get((region, key)) if not fresh else None
        context = await open_context(browser, size=size, dark=dark, state=known)
        one = Desk(
            page=await context.new_page(),
            context=context,
            person=stack.people(region)[key],
            url=stack.url(region),
            watch=Watch(context),
        )
        opened.append(one)
        if known is None:
            await sign_in(one.page, url=one.url, person=one.person)
            if not fresh:
                jar[region, key] = await context.storage_state()
        return one

    yield open_desk
    faults = [f"{one.person.name}: {fault}" for one in opened for fault in one.watch.faults]
    if faults or request.node.stash.get(FAILED, False):
        await _keep(opened, _folder(request.node))
    for one in opened:
        await one.context.close()
    told = "\n".join(faults)
    assert not faults, f"the browser complained (pages in {_folder(request.node)}):\n{told}"


async def _keep(desks: list[Desk], folder: Path) -> None:
    for number, one in enumerate(desks):
        for at, page in enumerate(one.context.pages):
            name = f"{number}-{one.person.sub}-{at}"
            await page.screenshot(path=folder / f"{name}.png")
            (folder / f"{name}.html").write_text(f"<!-- {page.url} -->\n{await page.content()}", encoding="utf-8")


@pytest.fixture(scope="session")
async def scenes(stack: Stack) -> Scenes:
    """Work in every state at the home region's desk."""
    return await asyncio.to_thread(make, stack.folder, stack.state)
