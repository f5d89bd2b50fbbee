"""People in a real browser: Chromium, signed in by clicking at their region's identity provider.

It needs Playwright, which only tests and scripts install: nothing else imports this.
"""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
    async_playwright,
)

from tibs_devstack.people import Person

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000
"""Milliseconds: machines with two cores run all this at once."""
WIDE, NARROW = (1440, 900), (390, 844)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The system's own Chromium where there is one, else the one that Playwright brought."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def open_context(
    browser: Browser, *, size: tuple[int, int] = WIDE, dark: bool = False, state: Any = None
) -> BrowserContext:
    """A browser of its own: nothing is shared with the others. `state` are cookies of an earlier one."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Warsaw",
        storage_state=state,
    )
    context.set_default_timeout(PATIENCE)
    return context


async def sign_in(page: Page, *, url: str, person: Person) -> None:
    """From the gate to the provider, there one's own name, and back to Today."""
    await page.goto(f"{url}/sign-in")
    await page.get_by_role("link", name="Sign in with your regional account").click()
    await choose(page, person)
    await page.wait_for_url(f"{url}/today")


async def choose(page: Page, person: Person) -> None:
    """At the provider: who one is."""
    await page.get_by_role("button", name=re.compile(f"^{re.escape(person.name)}")).click()


class Watch:
    """What goes wrong in a browser that a person would not always see."""

    def __init__(self, context: BrowserContext) -> None:
        self.faults: list[str] = []
        self._expected: list[tuple[int, str]] = []
        context.on("console", self._said)
        context.on("weberror", self._broke)
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)

    def expect(self, status: int, path: str) -> None:
        """This answer is part of what is tested. `path` is a pattern for the whole address."""
        self._expected.append((status, path))

    def _said(self, message: ConsoleMessage) -> None:
        # A resource that did not load is told by its answer, with more to it.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            if self._expected and message.text.startswith("Response Status Error Code"):
                return
            self.faults.append(f"console: {message.text} ({message.location.get('url')})")

    def _broke(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

    def _answered(self, response: Response) -> None:
        if response.status < 400:
            return
        if not any(status == response.status and re.search(path, response.url) for status, path in self._expected):
            self.faults.append(f"{response.status} {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        # Who leaves a page leaves its requests too.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.failure}: {request.method} {request.url}")


async def overflow(page: Page) -> str | None:
    """What makes a page wider than its window, or None."""
    told: str | None = await page.evaluate(
        """() => {
            const room = innerWidth, wide = document.scrollingElement.scrollWidth;
            if (wide <= room) return null;
            const guilty = [...document.querySelectorAll("body *")]
                .filter((one) => one.getBoundingClientRect().right > room + 1)
                .slice(0, 5)
                .map((one) => `${one.tagName.toLowerCase()}.${one.className?.baseVal ?? one.className}`);
            return `${wide} px in ${room} px: ${guilty.join(", ")}`;
        }"""
    )
    return told
