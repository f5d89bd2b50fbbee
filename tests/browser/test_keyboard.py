"""The workbench without a mouse."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from tibs_devstack.scenes import Scenes
from tibs_devstack.story import HOME

pytestmark = pytest.mark.system

# What is focused, whether one sees that it is, and whether it stands in the window.
_FOCUSED = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return {
        name: (one.getAttribute("aria-label") || one.textContent || one.name || one.id).trim().slice(0, 40),
        seen: (ring || style.boxShadow !== "none") && box.width > 0 && box.bottom > 0 && box.top < innerHeight,
        part: (one.closest("main") ?? one.closest("nav, header") ?? document.body).tagName,
    };
}"""


async def test_the_first_tab_skips_to_the_content(desk: Callable) -> None:
    page = await (await desk(HOME, "broker")).open("/today")
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert (await page.evaluate(_FOCUSED))["part"] == "MAIN"


@pytest.mark.parametrize("name", ["today", "case", "form"])
async def test_tab_goes_through_the_page_in_order_and_shows_where_it_is(
    desk: Callable, scenes: Scenes, name: str
) -> None:
    path = {"today": "/today", "case": scenes.case, "form": "/actors/new"}[name]
    page = await (await desk(HOME, "broker")).open(path)
    await page.locator("body").evaluate("() => document.activeElement.blur()")
    parts, hidden = [], []
    for _ in range(45):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(_FOCUSED)
        if parts and focused["part"] == "BODY":
            break
        parts.append(focused["part"])
        if not focused["seen"]:
            hidden.append(focused["name"])
    assert not hidden, f"focus cannot be seen on {hidden}"
    order = [part for at, part in enumerate(parts) if at == 0 or parts[at - 1] != part]
    assert order[-1] == "MAIN" or order[-2:] == ["MAIN", "NAV"], order
    assert order.count("MAIN") == 1, order


async def test_the_palette_finds_and_goes(desk: Callable) -> None:
    page = await (await desk(HOME, "broker")).open("/today")
    await page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search and commands")
    await expect(palette.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("director")
    await expect(palette.locator(".menu-item.is-current").first).to_be_visible()
    await palette.locator("#palette-found .menu-item").first.wait_for()
    await page.keyboard.press("Escape")
    await expect(palette).to_be_hidden()

    await page.keyboard.press("/")
    await page.keyboard.type("photonics")
    await expect(palette.locator("#palette-found a[href^='/directory/profiles/']").first).to_be_visible()
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile("/(directory/profiles|actors|cases|matches)"))


async def test_single_keys_go_and_can_be_switched_off(desk: Callable) -> None:
    page = await (await desk(HOME, "broker", fresh=True)).open("/today")
    await _goes(page, "c", "/cases")
    await _goes(page, "d", "/directory")
    await _goes(page, "t", "/today")
    await page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(sheet).to_be_visible()
    await sheet.get_by_label("Switch single-key shortcuts off").check()
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await page.keyboard.press("?")
    await page.keyboard.press("g")
    await page.keyboard.press("c")
    await expect(sheet).to_be_hidden()
    await expect(page).to_have_url(re.compile("/today$"))
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Search and commands")).to_be_visible()


async def test_letters_typed_into_a_field_are_letters(desk: Callable) -> None:
    page = await (await desk(HOME, "broker")).open("/directory")
    await page.locator("#q").press_sequentially("g t?/js")
    await expect(page.locator("#q")).to_have_value("g t?/js")
    await expect(page).to_have_url(re.compile("/directory$"))


async def test_rows_are_walked_and_opened_by_keys(desk: Callable) -> None:
    page = await (await desk(HOME, "broker")).open("/directory")
    titles = await page.locator("#results .row-title a").all_inner_texts()
    for key in ("j", "j", "j", "k"):
        await page.keyboard.press(key)
    await expect(page.locator("#results .row-item.is-current .row-title a")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(titles[1])


async def _goes(page: Page, key: str, path: str) -> None:
    await page.keyboard.press("g")
    await page.keyboard.press(key)
    await page.wait_for_url(re.compile(f"{path}$"))
