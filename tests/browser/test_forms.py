"""Forms when something is wrong: the error where it belongs, and nothing typed is lost."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Response, expect

from tibs_chassis.testing import eventually
from tibs_devstack.browser import choose
from tibs_devstack.scenes import CLIENT, Scenes
from tibs_devstack.stack import Stack
from tibs_devstack.story import HOME

pytestmark = pytest.mark.system


async def test_a_refused_form_names_each_field_and_keeps_what_was_typed(desk: Callable) -> None:
    broker = await desk(HOME, "broker")
    broker.expect(422, "/actors$")
    page = await broker.open("/actors/new")
    form = page.locator("#actor-form")
    await form.locator("[name=description]").fill("Glues beams of birch.")
    await form.get_by_label("Year founded").fill("long")
    await form.get_by_label("Town").fill("Kouvola")
    await form.get_by_role("button", name="Register client").click()

    summary = page.locator("#error-summary")
    await expect(summary).to_be_focused()
    await expect(summary.get_by_role("link", name="Legal name")).to_be_visible()
    await summary.get_by_role("link", name="Year founded").click()
    founded = form.get_by_label("Year founded")
    await expect(founded).to_be_focused()
    await expect(founded).to_have_value("long")
    await expect(founded).to_have_attribute("aria-invalid", "true")
    told = (await founded.get_attribute("aria-describedby") or "").split()[-1]
    await expect(page.locator(f"[id='{told}']")).to_have_text(re.compile(r"\w+"))
    await expect(form.get_by_label("Town")).to_have_value("Kouvola")
    await expect(form.locator("[name=description]")).to_have_value("Glues beams of birch.")


async def test_what_was_typed_comes_back_after_leaving_the_page(desk: Callable, scenes: Scenes) -> None:
    broker = await desk(HOME, "broker")
    address = f"/profiles/new?actor_id={scenes.actor.rpartition('/')[2]}"
    page = await broker.open(address)
    await page.get_by_label("Title", exact=True).press_sequentially("Maker of stairs seeks oak")
    await expect(page.locator("#profile-form .kept")).to_have_text(re.compile(r"Kept in this window \d"))
    await broker.open("/today")
    await broker.open(address)
    await expect(page.get_by_label("Title", exact=True)).to_have_value("Maker of stairs seeks oak")
    await page.get_by_role("button", name="Discard").click()
    await expect(page.get_by_label("Title", exact=True)).to_have_value("")


async def test_a_session_that_ended_leads_to_the_gate_and_back(desk: Callable) -> None:
    analyst = await desk(HOME, "analyst", fresh=True)
    analyst.expect(401, "/palette")
    page, bells = analyst.page, list[Response]()
    page.on("response", lambda answer: bells.append(answer) if _rings(answer, on="/directory") else None)
    await analyst.open("/directory?q=wood")
    # The bell asks as the page opens, and when its live line stands; nobody sends an analyst notices after that.
    await _settled(bells)
    await analyst.context.clear_cookies()

    await page.keyboard.press("Control+k")
    await page.keyboard.type("timber")

    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_role("link", name="Sign in with your regional account").click()
    await choose(page, analyst.person)
    await page.wait_for_url(re.compile(r"/directory\?q=wood$"))
    await expect(page.locator("#results")).to_be_visible()


def _rings(answer: Response, *, on: str) -> bool:
    return answer.url.endswith("/notices/bell") and on in answer.request.headers.get("hx-current-url", "")


async def _settled(bells: list[Response]) -> None:
    async def asked() -> int:
        return len(bells)

    await eventually(asked, until=lambda count: count >= 2, what="the bell to have asked twice")


async def test_signing_out_ends_the_session(desk: Callable) -> None:
    broker = await desk(HOME, "broker2", fresh=True)
    page = await broker.open("/today")
    await page.locator("summary", has_text=broker.person.name).click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("You are signed out")).to_be_visible()
    await broker.open("/cases")
    await expect(page.get_by_role("link", name="Sign in with your regional account")).to_be_visible()


async def test_a_form_of_an_earlier_sign_in_is_refused_and_nothing_is_done(desk: Callable, scenes: Scenes) -> None:
    broker = await desk(HOME, "broker")
    broker.expect(403, "/notes$")
    page = await broker.open(f"{scenes.case}/timeline")
    await page.locator("#note-form [name=csrf]").evaluate("(field) => { field.value = 'A' + field.value.slice(1); }")
    await page.get_by_label("Note", exact=True).fill("Not to be kept")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator("#problem[data-status='403']")).to_be_visible()
    await broker.open(f"{scenes.case}/timeline")
    await expect(page.locator("#timeline")).not_to_contain_text("Not to be kept")


@pytest.mark.parametrize("path", ["/actors/new", "{case}"])
async def test_a_role_that_may_not_reads_so_and_whom_to_ask(desk: Callable, scenes: Scenes, path: str) -> None:
    analyst = await desk(HOME, "analyst")
    path = path.format(case=scenes.case)
    analyst.expect(403, path)
    page = await analyst.open(path)
    problem = page.locator("#problem[data-status='403']")
    await expect(problem).to_contain_text(re.compile("role|lead", re.IGNORECASE))
    await expect(page.get_by_role("navigation", name="Main").first).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text(CLIENT)
    await problem.get_by_role("link", name="Go to Today").click()
    await expect(page.get_by_role("heading", name="Today")).to_be_visible()


async def test_an_unknown_page_and_a_foreign_id_are_not_found(desk: Callable) -> None:
    broker = await desk(HOME, "broker")
    for path in ("/nowhere", "/cases/01920000-0000-7000-8000-000000000000", "/actors/not-an-id"):
        broker.expect(404, path)
        page = await broker.open(path)
        await expect(page.locator("#problem[data-status='404']")).to_be_visible()
        await expect(page.get_by_role("navigation", name="Main").first).to_be_visible()


async def test_without_matching_only_its_panel_is_missing(desk: Callable, scenes: Scenes, stack: Stack) -> None:
    broker = await desk(HOME, "broker")
    await stack.kill(HOME, "matching")
    try:
        page = await broker.open(f"{scenes.case}/matches")
        await expect(page.get_by_text("Not available right now")).to_have_count(1)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await page.locator("#tab-overview").click()
        await expect(page.locator("#shortlist .row-title").first).to_be_visible()
        await expect(page.get_by_text("Not available right now")).to_have_count(0)
    finally:
        await stack.start(HOME, "matching")
    await broker.open(f"{scenes.case}/matches")
    await expect(page.locator("#matches .row-title").first).to_be_visible()
