"""Every page and state of the workbench at 1440 and 390 pixels, into docs/images/.

Usage: python scripts/screenshots.py [--state-dir DIR] [--into DIR] [NAME …]

Without --state-dir it starts two regions of its own, so that it can also show them empty and with the line down. In a
stack that runs already (`make demo`), these are left out, and the sample must be there. With names, only pictures whose
name begins with one of them are kept.
"""

import argparse
import asyncio
import io
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page

from tibs_chassis.regions import Regions
from tibs_devstack.browser import NARROW, WIDE, chromium, open_context, overflow, sign_in
from tibs_devstack.people import Person, people_of
from tibs_devstack.places import PROJECT
from tibs_devstack.scenes import Scenes, make, wait_to_send
from tibs_devstack.stack import Stack
from tibs_devstack.state import StackState, StateFolder
from tibs_devstack.story import AWAY, HOME, SHOWN, Story, fill

TALLEST = 2200
"""Pixels of a page that are kept: what is further down repeats."""

Act = Callable[[Page], Awaitable[object]]


@dataclass(frozen=True)
class Shot:
    """One picture: who looks, at what, after having done what."""

    name: str
    region: str
    key: str
    path: str
    act: Act | None = None
    dark: bool = False
    window_only: bool = False


class Camera:
    """Takes pictures as the people of a stack see it."""

    def __init__(self, browser: Browser, *, folder: StateFolder, state: StackState, into: Path, only: Sequence[str]):
        self._browser = browser
        self._state = state
        self._into = into
        self._only = tuple(only)
        regions = Regions.load(folder.path / "regions.yaml")
        self._people: dict[tuple[str, str], Person] = {
            (code, person.key): person for code in state.regions for person in people_of(regions[code])
        }
        self._contexts: dict[tuple[str, str], BrowserContext] = {}
        self.taken: list[Path] = []
        self.complaints: list[str] = []

    async def take(self, shots: Sequence[Shot]) -> None:
        for shot in shots:
            if self._only and not shot.name.startswith(self._only):
                continue
            context = await self._context(shot.region, shot.key)
            page = await context.new_page()
            await page.emulate_media(color_scheme="dark" if shot.dark else "light")
            for width, height in (WIDE, NARROW):
                await page.set_viewport_size({"width": width, "height": height})
                address = shot.path if "://" in shot.path else f"{self._state.regions[shot.region].url}{shot.path}"
                await page.goto(address)
                if shot.act is not None:
                    await shot.act(page)
                await self._keep(page, f"{shot.name}-{width}", window_only=shot.window_only)
            await page.close()

    async def close(self) -> None:
        for context in self._contexts.values():
            await context.close()

    async def _context(self, region: str, key: str) -> BrowserContext:
        if (region, key) not in self._contexts:
            context = await open_context(self._browser)
            self._contexts[region, key] = context
            if key != "nobody":
                page = await context.new_page()
                await sign_in(page, url=self._state.regions[region].url, person=self._people[region, key])
                await page.close()
        return self._contexts[region, key]

    async def _keep(self, page: Page, name: str, *, window_only: bool) -> None:
        await page.evaluate("document.fonts.ready.then(() => true)")
        if await page.locator("#bell").count():
            await page.locator("#bell .visually-hidden", has_text=",").or_(page.locator("#bell-count")).first.wait_for()
        if wide := await overflow(page):
            self.complaints.append(f"{name}: {wide}")
        tall = await page.evaluate("document.documentElement.scrollHeight")
        size = page.viewport_size
        assert size is not None
        if window_only or tall <= size["height"]:
            picture = await page.screenshot()
        else:
            # A taller window instead of a scrolled one: what sticks to its edges stands where it belongs.
            await page.set_viewport_size({"width": size["width"], "height": min(tall, TALLEST)})
            picture = await page.screenshot()
            await page.set_viewport_size(size)
        path = self._into / f"{name}.png"
        path.write_bytes(smaller(picture))
        self.taken.append(path)


def smaller(picture: bytes) -> bytes:
    """With 128 colours: a quarter of the bytes, and the eye sees no difference on pages like these."""
    with Image.open(io.BytesIO(picture)) as image:
        kept = io.BytesIO()
        image.convert("RGB").quantize(colors=128, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True)
    return min(picture, kept.getvalue(), key=len)


# -- what there is to see --------------------------------------------------------------------------------------------


def empty() -> list[Shot]:
    return [
        Shot("sign-in", HOME, "nobody", "/sign-in"),
        Shot("provider", HOME, "nobody", "/sign-in/start"),
        Shot("today-empty", HOME, "broker", "/today"),
        Shot("today-reviewer-empty", HOME, "reviewer", "/today"),
        Shot("today-lead-empty", HOME, "lead", "/today"),
        Shot("cases-empty", HOME, "broker", "/cases"),
        Shot("clients-empty", HOME, "broker", "/actors"),
        Shot("notices-empty", HOME, "broker", "/notices"),
    ]


def full(scenes: Scenes, told: Story, introduced: str, mail: str) -> list[Shot]:
    case, requested = scenes.case, scenes.introductions["requested"]
    profile = scenes.published.rpartition("/")[2]
    lived = f"/cases/{told.told.case}"
    return [
        Shot("today", HOME, "broker", "/today"),
        Shot("today-reviewer", HOME, "reviewer", "/today"),
        Shot("today-lead", HOME, "lead", "/today"),
        Shot("today-other-region", AWAY, "broker", "/today"),
        Shot("today-dark", HOME, "broker", "/today", dark=True),
        Shot("notices", HOME, "broker", "/notices"),
        Shot("network", HOME, "broker", "/network"),
        Shot("network-dark", HOME, "broker", "/network", dark=True),
        Shot("palette", HOME, "broker", "/today", act=_searches, window_only=True),
        Shot("keys", HOME, "broker", "/today", act=lambda page: page.keyboard.press("?"), window_only=True),
        Shot("directory", HOME, "broker", "/directory"),
        Shot("directory-filtered", HOME, "broker", f"/directory?q=wood&region={AWAY}"),
        Shot("directory-nothing", HOME, "broker", "/directory?q=submarine+ballet"),
        Shot("directory-organisations", HOME, "broker", "/directory/organisations"),
        Shot("directory-organisation", HOME, "broker", scenes.away_actor),
        Shot("directory-profile", HOME, "broker", scenes.away_profile),
        Shot("clients", HOME, "broker", "/actors"),
        Shot("client", HOME, "broker", scenes.actor),
        Shot("client-form", HOME, "broker", "/actors/new"),
        Shot("client-form-errors", HOME, "broker", "/actors/new", act=_sends_a_client_without_its_name),
        Shot("contact-form", HOME, "broker", f"{scenes.actor}/contacts/new"),
        Shot("profiles", HOME, "broker", "/profiles"),
        Shot("profile-form", HOME, "broker", f"/profiles/new?actor_id={scenes.actor.rpartition('/')[2]}"),
        Shot("profile-draft", HOME, "broker", scenes.draft),
        Shot("profile-form-findings", HOME, "broker", f"{scenes.draft}/edit"),
        Shot("profile-in-review", HOME, "broker", scenes.in_review),
        Shot("profile-returned", HOME, "broker", scenes.returned),
        Shot("profile-published", HOME, "broker", scenes.published),
        Shot("review", HOME, "reviewer", f"{scenes.in_review}/review"),
        Shot("cases", HOME, "broker", "/cases"),
        Shot("case-form", HOME, "broker", f"/cases/new?profile_id={profile}"),
        Shot("case", HOME, "broker", case),
        Shot("case-lead", HOME, "lead", case),
        Shot("case-matches", HOME, "broker", f"{lived}/matches"),
        Shot("case-matches-dark", HOME, "broker", f"{lived}/matches", dark=True),
        Shot("case-comparison", HOME, "broker", f"{case}/matches?profile={scenes.chosen}"),
        Shot("case-introductions", HOME, "broker", f"{case}/introductions"),
        Shot("case-timeline", HOME, "broker", f"{lived}/timeline"),
        Shot("case-closed", HOME, "broker", scenes.closed),
        Shot("introduction-form", HOME, "broker", f"{case}/introductions/new?profile_id={scenes.chosen}"),
        Shot("introduction-requested", HOME, "broker", requested),
        Shot("introduction-asked", AWAY, "broker", requested),
        Shot("introduction-declined", HOME, "broker", scenes.introductions["declined"]),
        Shot("introduction-declined-there", AWAY, "broker", scenes.introductions["declined"]),
        Shot("introduction-introduced", HOME, "broker", introduced),
        Shot("introduction-introduced-there", AWAY, "broker", introduced),
        Shot("introduction-introduced-dark", HOME, "broker", introduced, dark=True),
        Shot("matches", HOME, "broker", "/matches?text=Somebody+who+can+bring+plants+onto+walls+and+roofs"),
        Shot("forbidden", HOME, "analyst", "/actors/new"),
        Shot("not-found", HOME, "broker", "/nowhere"),
        Shot("mail", HOME, "nobody", mail),
        Shot("mail-html", HOME, "nobody", mail, act=lambda page: page.locator("li a").first.click()),
    ]


def line_down(waiting: str) -> list[Shot]:
    return [
        Shot("introduction-waiting", HOME, "broker", waiting),
        Shot("today-waiting", HOME, "broker", "/today", act=_sees_what_waits),
        Shot("network-offline", HOME, "broker", "/network"),
    ]


def without_matching(case: str) -> list[Shot]:
    return [Shot("case-matches-away", HOME, "broker", f"{case}/matches")]


async def _sees_what_waits(page: Page) -> None:
    """A message counts as waiting only after some seconds."""
    while not await page.locator(".banner-amber").count():
        await page.wait_for_timeout(500)
        await page.reload()


async def _searches(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.keyboard.type("laser")
    await page.locator("#palette-found .menu-item").first.wait_for()


async def _sends_a_client_without_its_name(page: Page) -> None:
    await page.locator("[name=town]").fill("Kouvola")
    await page.locator("[name=founded]").fill("long")
    await page.locator("[data-action=save-actor]").click()
    await page.locator("#error-summary").wait_for()


# -- taking them -----------------------------------------------------------------------------------------------------


async def _of_running(browser: Browser, folder: StateFolder, into: Path, only: Sequence[str]) -> Camera:
    state = folder.read()
    if state is None or not folder.running():
        raise SystemExit(f"No stack is running in {folder.path}.")
    camera = Camera(browser, folder=folder, state=state, into=into, only=only)
    await camera.take(empty()[:2])
    await _of_work(camera, folder, state)
    return camera


async def _of_own(browser: Browser, into: Path, only: Sequence[str]) -> Camera:
    with tempfile.TemporaryDirectory(prefix="tibs-screenshots-") as place:
        async with Stack(
            regions=[HOME, AWAY], state_dir=Path(place), environment=SHOWN, durable=False, say=print
        ) as stack:
            camera = Camera(browser, folder=stack.folder, state=stack.state, into=into, only=only)
            await camera.take(empty())
            await fill(stack.folder, stack.state, say=print)
            scenes = await _of_work(camera, stack.folder, stack.state)
            await stack.kill(HOME, "matching")
            await camera.take(without_matching(scenes.case))
            await stack.start(HOME, "matching")
            await stack.stop_kafka(HOME)
            await camera.take(line_down(await asyncio.to_thread(wait_to_send, stack.folder, stack.state, scenes)))
            await camera.close()
    return camera


async def _of_work(camera: Camera, folder: StateFolder, state: StackState) -> Scenes:
    story = Story(folder=folder, state=state, say=lambda _: None)
    await asyncio.to_thread(story.tell)
    scenes = await asyncio.to_thread(make, folder, state)
    introduced = await _introduction_of(camera, story)
    await camera.take(full(scenes, story, introduced, state.parts["mail"].page or ""))
    return scenes


async def _introduction_of(camera: Camera, story: Story) -> str:
    context = await camera._context(HOME, "broker")
    page = await context.new_page()
    await page.goto(f"{camera._state.regions[HOME].url}/cases/{story.told.case}/introductions")
    found = await page.locator("#introductions .row-title a").first.get_attribute("href")
    await page.close()
    assert found is not None
    return found


async def _main(arguments: argparse.Namespace) -> int:
    arguments.into.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        if arguments.state_dir is not None:
            folder = StateFolder(arguments.state_dir.resolve())
            camera = await _of_running(browser, folder, arguments.into, arguments.names)
        else:
            camera = await _of_own(browser, arguments.into, arguments.names)
    size = sum(path.stat().st_size for path in camera.taken)
    print(f"{len(camera.taken)} pictures in {arguments.into}, {size / 1e6:.1f} MB")
    for complaint in camera.complaints:
        print(f"wider than its window: {complaint}", file=sys.stderr)
    return 1 if camera.complaints else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Screenshots of every page and state.")
    parser.add_argument("--state-dir", type=Path, default=None, help="of a stack that runs already")
    parser.add_argument("--into", type=Path, default=PROJECT / "docs" / "images")
    parser.add_argument("names", nargs="*", help="beginnings of the names to take; all without")
    return asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
