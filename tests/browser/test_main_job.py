"""The main job by mouse and keyboard: a need in Podlaskie becomes an introduction in Kymenlaakso."""

import re
from collections.abc import Callable
from datetime import date

import pytest
from playwright.async_api import Locator, Page, expect

from tibs_devstack.sample import STORY, Sample, organisations
from tibs_devstack.stack import Stack
from tibs_devstack.story import AWAY, DIAGNOSIS, HOME, MESSAGE

pytestmark = pytest.mark.system

_BY_KEY = {one.key: one for one in organisations([HOME, AWAY])}
NEED, PARTNER = _BY_KEY[f"{STORY}/need"], _BY_KEY[f"{STORY}/offer"]


async def test_a_need_becomes_an_introduction_in_the_other_region(stack: Stack, desk: Callable) -> None:
    broker = await desk(HOME, "broker", fresh=True)
    page = broker.page
    broker.expect(409, "/actors$")  # the page asks whether it is another organisation, if the story was told before

    await _registers_the_client(page)
    profile = await _drafts_and_submits(page)
    await _cannot_review_her_own(page, broker.url + profile)
    reviewer = await desk(HOME, "reviewer")
    await _publishes(reviewer.page, profile)

    case = await _opens_a_case(page, broker.url + profile)
    chosen = await _shortlists_by_key(page)

    partner = await desk(AWAY, "broker")
    rung = await _waits_for_the_bell(partner.page, f"{partner.url}/today")
    introduction = await _requests(page)
    await rung()
    await _finds_it_in_the_queue(partner.page, introduction)
    await _until(page, page.locator("[data-way='delivered'].is-done"))
    await expect(page.locator("[data-contact='other']")).to_have_count(0)

    await _accepts(partner.page)
    news = page.locator("#announce .announce-item", has_text="This page has news")
    await news.get_by_role("link", name="Show").click()
    await _until(page, page.locator("[data-way='answered'].is-done"))
    await expect(page.locator("[data-contact='other']")).to_have_count(0)
    await _consents(page)

    await _sees_the_contact(page, PARTNER)
    await _sees_the_contact(partner.page, NEED)
    await expect(partner.page.locator("#timeline [data-kind='introduced']")).to_be_visible()
    await page.goto(f"{broker.url}{case}/timeline")
    await expect(page.locator("#timeline [data-kind='introduced']")).to_be_visible()
    await page.goto(f"{broker.url}{case}/matches?profile={chosen}")
    await expect(page.locator("#compare").get_by_role("link", name="See the introduction")).to_be_visible()

    for person in (broker.person, reviewer.person, partner.person):
        await _reads_the_mail(await broker.context.new_page(), stack.mail.page, person.email)


# -- at home ---------------------------------------------------------------------------------------------------------


async def _registers_the_client(page: Page) -> None:
    await page.get_by_role("link", name="Register a client").click()
    form = page.locator("#actor-form")
    await form.get_by_label("Legal name").fill(NEED.actor["name"])
    await form.locator("[name=kind]").select_option(NEED.actor["kind"])
    await form.locator("[name=country]").select_option(NEED.actor["country"])
    await form.locator("[name=description]").fill(NEED.actor["description"])
    await _ticks(form, "sectors", NEED.actor["sectors"])
    await _ticks(form, "languages", ["en"])
    await form.get_by_label("wishes to stand in the directory").check()
    await form.get_by_role("button", name="Register client").click()
    await page.wait_for_load_state()
    if (another := form.get_by_label("I have looked")) and await another.count():
        await another.check()
        await form.get_by_role("button", name="Register client").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(NEED.actor["name"])

    await page.get_by_role("link", name="Add a contact").first.click()
    form = page.locator("#contact-form")
    await form.get_by_label("Name or role").fill(NEED.contact["name"])
    await form.get_by_label("Email").fill(NEED.contact["email"])
    await form.get_by_label("What the data are for").fill(NEED.contact["purpose"])
    await form.get_by_label("Lawful basis").select_option(NEED.contact["basis"])
    await form.get_by_role("button", name="Add contact").click()
    await expect(page.locator("#contacts")).to_contain_text(NEED.contact["email"])


async def _drafts_and_submits(page: Page) -> str:
    body = NEED.profile
    assert body is not None
    await page.locator("[data-action=draft-profile]").click()
    form = page.locator("#profile-form")
    await form.locator(f"[name=profile_type][value={body['profile_type']}]").check()
    await form.get_by_label("Title", exact=True).fill(body["title"])
    await form.locator("[name=summary]").fill(body["summary"])
    await form.locator("[name=description]").fill(f"{NEED.actor['name']}: {body['description']}")
    await form.locator("[name='partner_sought.field']").fill(body["partner_sought"]["field"])
    await form.locator("[name='partner_sought.task']").fill(body["partner_sought"]["task"])
    for name in ("cooperation", "sectors", "target_countries"):
        await _ticks(form, name, body[name])
    await form.locator("[name=technology_keywords]").fill(", ".join(body["technology_keywords"]))
    await form.get_by_role("button", name="Save draft").click()

    told = page.locator(".banner", has_text="May tell who the client is")
    await expect(told).to_contain_text(NEED.actor["name"].split()[0])
    await told.get_by_role("link", name="Description").first.click()
    await page.locator("#profile-form [name=description]").fill(body["description"])
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.locator(".banner", has_text="Anonymous")).to_be_visible()

    await page.get_by_role("button", name="Submit for review").click()
    await expect(page.locator(".banner", has_text="Waiting for a second person")).to_be_visible()
    return _path(page)


async def _cannot_review_her_own(page: Page, profile: str) -> None:
    await page.goto(f"{profile}/review")
    await expect(page.locator(".banner", has_text="Somebody else reviews this one")).to_be_visible()
    await expect(page.get_by_role("button", name="Publish to all regions")).to_be_disabled()


async def _publishes(page: Page, profile: str) -> None:
    review = page.locator(f"#reviews .row-end a[href='{profile}/review']")
    await _until(page, review)
    await review.click()
    for judged in await page.locator("#rubric [role=radiogroup]").all():
        await judged.get_by_label("Yes").check()
    await page.get_by_role("button", name="Publish to all regions").click()
    await expect(page.locator(".badge", has_text="Published").first).to_be_visible()


async def _opens_a_case(page: Page, profile: str) -> str:
    await page.goto(profile)
    await page.get_by_role("link", name="Open a case").click()
    await page.get_by_label("I declare that I have no conflict of interest").check()
    await page.get_by_label("Diagnosis").fill(DIAGNOSIS)
    await page.get_by_label("Diagnosis").press("Control+Enter")
    await page.wait_for_url(re.compile(r"/cases/[0-9a-f-]{36}$"))
    await page.locator("#contact-form button").click()
    await expect(page.locator("#contact .badge", has_text="Spoken to")).to_be_visible()
    return _path(page)


async def _shortlists_by_key(page: Page) -> str:
    """Goes through the list with the keyboard until the best match of the other region is shown, and presses s."""
    await page.get_by_role("link", name="Matches", exact=True).last.click()
    away = page.locator("#matches li[data-profile]", has=page.locator(f".region-code:text-is('{AWAY}')")).first
    await _until(page, away)
    chosen, rank = await away.get_attribute("data-profile"), int(await away.get_attribute("data-rank") or 0)
    assert chosen is not None
    await expect(away).to_contain_text(str((PARTNER.profile or {})["title"]))
    for key in ["j"] * rank + ["k"]:  # the first row is the current one from the start
        await page.keyboard.press(key)
    link = away.get_by_role("link")
    await expect(link).to_be_focused()
    await link.press("Enter")
    compare = page.locator("#compare")
    await expect(compare.get_by_role("heading", level=2)).to_have_text(await link.inner_text())
    assert await compare.locator(".reasons li").count() >= 2
    await expect(page).to_have_url(re.compile(f"profile={chosen}"))
    await page.keyboard.press("s")
    await expect(away.locator(".badge", has_text="Shortlisted")).to_be_visible()
    return chosen


async def _requests(page: Page) -> str:
    await page.locator("#compare [data-action=request-introduction]").click()
    await page.locator("#introduction-form [name=message]").fill(MESSAGE)
    await page.get_by_role("button", name="Request introduction").click()
    await page.wait_for_url(re.compile("/introductions/"))
    await expect(page.locator("[data-way='queued']")).to_be_visible()
    return _path(page)


async def _consents(page: Page) -> None:
    await page.locator("#consent-form [name=method]").select_option("meeting")
    await page.get_by_role("button", name="Record the client's yes").click()


# -- in the other region ---------------------------------------------------------------------------------------------


async def _waits_for_the_bell(page: Page, today: str) -> Callable:
    """Opens Today and leaves it alone; what it gives waits until the bell counts more, on that very page."""
    async with page.expect_response(re.compile("/notices/bell")):
        await page.goto(today)
    await expect(page.locator("#bell .visually-hidden")).to_have_text(re.compile("new"))
    count = page.locator("#bell-count")
    before = await count.inner_text() if await count.count() else "0"
    await page.evaluate("window.untouched = true")

    async def rung() -> None:
        await expect(count).to_have_text(re.compile(rf"^(?!{re.escape(before)}$)[1-9]\d*\+?$"))
        assert await page.evaluate("window.untouched") is True, "the page was loaded anew"
        await expect(page.locator("#announce")).to_contain_text("1 new notice")

    return rung


async def _finds_it_in_the_queue(page: Page, introduction: str) -> None:
    row = page.locator("#due li", has=page.locator(f".row-title a[href='{introduction}']"))
    await _until(page, row)
    due = await row.locator(".promise time").get_attribute("datetime")
    assert due is not None
    assert date.fromisoformat(due) >= date.today()  # noqa: DTZ011 (the day at this desk)
    await row.get_by_role("link", name="Take it up").click()
    await page.locator("[data-action=acknowledge]").click()
    await expect(page.locator(".badge", has_text="Taken up").first).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text(NEED.actor["name"])


async def _accepts(page: Page) -> None:
    await page.locator("#acceptance-form [name=method]").select_option("phone")
    await page.get_by_role("button", name="Accept for the client").click()
    await expect(page.locator("#acceptance-form")).to_have_count(0)


# -- both ------------------------------------------------------------------------------------------------------------


async def _sees_the_contact(page: Page, other: Sample) -> None:
    contact = page.locator("[data-contact='other']")
    await _until(page, contact)
    await expect(contact).to_contain_text(other.actor["name"])
    await expect(contact).to_contain_text(other.contact["email"])


async def _reads_the_mail(page: Page, mails: str, address: str) -> None:
    mail = page.locator(f"li a:has(small:text('{address}'))").first
    await page.goto(mails)
    await _until(page, mail)
    await mail.click()
    await expect(page.locator("dl")).to_contain_text(address)
    body = page.frame_locator("iframe").locator("body")
    await expect(body).to_contain_text(re.compile(r"\w{4,}"))
    await expect(body.get_by_role("link").first).to_have_attribute("href", re.compile("^http"))


async def _ticks(form: Locator, name: str, values: list[str]) -> None:
    folded = form.locator(f"details:has([name='{name}'])")
    if await folded.count():
        await folded.locator("summary").click()
    for value in values:
        await form.locator(f"[name='{name}'][value='{value}']").check()


async def _until(page: Page, shown: Locator) -> None:
    """Loads the page again until it shows something: what comes from elsewhere takes its time."""
    for _ in range(40):
        try:
            await expect(shown.first).to_be_visible(timeout=750)
        except AssertionError:
            await page.reload()
        else:
            return
    await expect(shown.first).to_be_visible()


def _path(page: Page) -> str:
    return "/" + page.url.split("/", 3)[3].partition("?")[0]
