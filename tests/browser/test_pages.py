"""Every page: nothing axe objects to in light or dark, nothing wider than a phone, nothing inline."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tibs_devstack.browser import NARROW, WIDE, overflow
from tibs_devstack.scenes import Scenes
from tibs_devstack.story import AWAY, HOME

pytestmark = pytest.mark.system


def _id(path: str) -> str:
    return path.rpartition("/")[2]


PAGES: Mapping[str, tuple[str, str, Callable[[Scenes], str]]] = {
    "today": (HOME, "broker", lambda s: "/today"),
    "today of a reviewer": (HOME, "reviewer", lambda s: "/today"),
    "today of a lead": (HOME, "lead", lambda s: "/today"),
    "today of an analyst": (HOME, "analyst", lambda s: "/today"),
    "today of the other region": (AWAY, "broker", lambda s: "/today"),
    "notices": (HOME, "broker", lambda s: "/notices"),
    "network": (HOME, "broker", lambda s: "/network"),
    "directory": (HOME, "broker", lambda s: "/directory"),
    "directory, filtered": (HOME, "broker", lambda s: f"/directory?region={AWAY}&q=wood"),
    "directory, nothing found": (HOME, "broker", lambda s: "/directory?q=zzzzqqqq"),
    "organisations": (HOME, "broker", lambda s: "/directory/organisations"),
    "organisation": (HOME, "broker", lambda s: s.away_actor),
    "public profile": (HOME, "broker", lambda s: s.away_profile),
    "clients": (HOME, "broker", lambda s: "/actors"),
    "client": (HOME, "broker", lambda s: s.actor),
    "client form": (HOME, "broker", lambda s: f"{s.actor}/edit"),
    "contact form": (HOME, "broker", lambda s: f"{s.actor}/contacts/new"),
    "profiles": (HOME, "broker", lambda s: "/profiles"),
    "profile, naming its client": (HOME, "broker", lambda s: s.draft),
    "profile form": (HOME, "broker", lambda s: f"{s.draft}/edit"),
    "profile in review": (HOME, "broker", lambda s: s.in_review),
    "profile returned": (HOME, "broker", lambda s: s.returned),
    "profile published": (HOME, "broker", lambda s: s.published),
    "review": (HOME, "reviewer", lambda s: f"{s.in_review}/review"),
    "cases": (HOME, "broker", lambda s: "/cases"),
    "case form": (HOME, "broker", lambda s: f"/cases/new?profile_id={_id(s.published)}"),
    "case": (HOME, "lead", lambda s: s.case),
    "case matches": (HOME, "broker", lambda s: f"{s.case}/matches"),
    "case introductions": (HOME, "broker", lambda s: f"{s.case}/introductions"),
    "case timeline": (HOME, "broker", lambda s: f"{s.case}/timeline"),
    "case closed": (HOME, "broker", lambda s: s.closed),
    "introduction form": (HOME, "broker", lambda s: f"{s.case}/introductions/new?profile_id={s.chosen}"),
    "introduction requested": (HOME, "broker", lambda s: s.introductions["requested"]),
    "introduction declined": (HOME, "broker", lambda s: s.introductions["declined"]),
    "introduction, other side": (AWAY, "broker", lambda s: s.introductions["requested"]),
    "matches": (HOME, "broker", lambda s: "/matches?text=planted+walls+for+cities"),
}


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_sound(desk: Callable, scenes: Scenes, name: str) -> None:
    region, key, path = PAGES[name]
    at = await desk(region, key)
    page = await at.open(path(scenes))
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert await page.title() != ""
    await _sound(page)


async def test_the_gate_is_sound(desk: Callable) -> None:
    broker = await desk(HOME, "broker")
    await broker.context.clear_cookies()
    await _sound(await broker.open("/sign-in"))


@pytest.mark.parametrize(("key", "path", "status"), [("analyst", "/actors/new", 403), ("broker", "/nowhere", 404)])
async def test_a_refusal_is_sound(desk: Callable, key: str, path: str, status: int) -> None:
    at = await desk(HOME, key)
    at.expect(status, path)
    await _sound(await at.open(path))


async def test_open_dialogs_and_menus_are_sound(desk: Callable) -> None:
    page = await (await desk(HOME, "broker")).open("/today")
    await page.keyboard.press("Control+k")
    await _sound(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await _sound(page)
    await page.keyboard.press("Escape")
    await page.locator("summary", has_text="Broker, Podlaskie").click()
    await _sound(page)


async def test_a_refused_form_is_sound(desk: Callable) -> None:
    broker = await desk(HOME, "broker")
    broker.expect(422, "/actors$")
    page = await broker.open("/actors/new")
    await page.get_by_role("button", name="Register client").click()
    await expect(page.locator("#error-summary")).to_be_visible()
    await _sound(page)


async def test_on_a_phone_the_ways_are_at_the_bottom(desk: Callable) -> None:
    page = await (await desk(HOME, "broker", size=NARROW)).open("/today")
    bottom = page.locator("nav.bottom")
    await expect(bottom).to_be_in_viewport(ratio=0.99)
    await expect(page.locator("nav.rail")).to_be_hidden()
    for target in await bottom.locator(".bottom-link").all():
        box = await target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, "too small for a thumb"
    await bottom.get_by_text("More").click()
    await bottom.get_by_role("link", name="Matches").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Matches")
    assert await _complaints(page) == []


async def test_dark_is_kept_from_page_to_page(desk: Callable) -> None:
    page = await (await desk(HOME, "broker", fresh=True)).open("/today")
    await page.locator("summary", has_text="Broker, Podlaskie").click()
    await page.get_by_label("Dark").check()
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    await page.locator("nav.rail").get_by_role("link", name="Cases").click()
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 90, background


async def test_what_a_browser_may_do_is_said_on_every_answer(desk: Callable) -> None:
    broker = await desk(HOME, "broker")
    broker.expect(404, "/nowhere$")
    for path in ("/today", "/sign-in", "/static/app.js", "/nowhere"):
        answer = await broker.page.goto(f"{broker.url}{path}")
        assert answer is not None
        headers = answer.headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
    cookies = {one["name"]: one for one in await broker.context.cookies()}
    session = cookies[f"tibs-{HOME}"]
    assert session["httpOnly"]
    assert session["sameSite"] == "Lax"


async def _sound(page: Page) -> None:
    wrong = [f"light: {one}" for one in await _complaints(page)]
    await page.emulate_media(color_scheme="dark")
    # Only colours differ in the dark.
    wrong += [f"dark: {one}" for one in await _complaints(page, only=["color-contrast", "link-in-text-block"])]
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    if wide := await overflow(page):
        wrong.append(f"at 390 px: {wide}")
    await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    if wide := await overflow(page):
        wrong.append(f"at 1440 px: {wide}")
    inline = await page.evaluate(
        """() => [...document.querySelectorAll("script:not([src]), style, [style], [onclick], [onload]")]
            .map((one) => one.outerHTML.slice(0, 120))"""
    )
    wrong += [f"inline: {one}" for one in inline]
    assert not wrong, f"{page.url}\n" + "\n".join(wrong)


async def _complaints(page: Page, only: list[str] | None = None) -> list[str]:
    """Serious and critical findings of axe, each with the first places."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = {"type": "rule", "values": only}
    found = await Axe().run(page, options=options)
    return [
        f"{one['id']}: {one['help']}; at " + ", ".join(str(node["target"]) for node in one["nodes"][:4])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
