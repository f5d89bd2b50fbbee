"""A line between two regions dies and lives again, as a broker sees it: lamp, reasons, what becomes of a message."""

import re

import pytest
from browser.conftest import Desk, SignedIn
from playwright.async_api import Locator, expect

from tibs_chassis.testing import eventually
from tibs_devstack.scenes import Scenes
from tibs_devstack.stack import Stack
from tibs_devstack.story import AWAY, HOME

pytestmark = pytest.mark.system

PATIENT = 90_000
"""Milliseconds: a line is called interrupted only after ten probes have not come."""


async def test_a_broker_sees_that_a_line_is_dead_why_and_that_it_lives_again(
    stack: Stack, desk: SignedIn, scenes: Scenes
) -> None:
    home, away = await desk(HOME, "broker"), await desk(AWAY, "broker")
    page = await home.open("/network")
    await expect(page.locator("#lamp [data-lamp=green]")).to_be_visible(timeout=PATIENT)
    inbound = page.locator(f"#peer-{AWAY} [data-direction=inbound]")
    outbound = page.locator(f"#peer-{AWAY} [data-direction=outbound]")
    await expect(inbound).to_have_attribute("data-line", "Works")
    await expect(outbound).to_have_attribute("data-line", "Works")

    # Nothing of what Podlaskie writes reaches Kymenlaakso any more; the other way it does.
    await stack.kill_mirror(AWAY)
    try:
        await expect(outbound).not_to_have_attribute("data-line", "Works", timeout=PATIENT)
        await expect(inbound).to_have_attribute("data-line", "Works")
        await expect(page.locator("#lamp [data-lamp=green]")).to_have_count(0)
        there = await away.open("/network")
        await expect(there.locator(f"#peer-{HOME} [data-direction=inbound]")).not_to_have_attribute(
            "data-line", "Works", timeout=PATIENT
        )

        introduction = scenes.introductions["requested"]
        page = await home.open(introduction)
        await page.locator("#message-form textarea").fill("Does anything of this arrive?")
        await page.locator("[data-action=send-message]").click()
        sent = page.locator("#messages li", has_text="Does anything of this arrive?").locator("[data-mark]")
        # It has left, so far as this side can know; nobody there has it.
        await expect(sent).to_have_attribute("data-mark", re.compile("queued|sent"))
    finally:
        await stack.start_mirror(AWAY)

    await expect(page.locator("#lamp [data-lamp=green]")).to_be_visible(timeout=PATIENT)
    there = await away.open(introduction)
    await expect(there.get_by_text("Does anything of this arrive?").first).to_be_visible()
    await _marked(home, introduction, sent, "read")


async def _marked(desk: Desk, path: str, mark: Locator, code: str) -> None:
    """Loads the page until a message has come so far."""

    async def seen() -> str | None:
        await desk.open(path)
        return await mark.get_attribute("data-mark")

    await eventually(seen, until=lambda found: found == code, within=60, what=f"a message that is {code}")
