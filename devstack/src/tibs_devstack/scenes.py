"""Work in every state, made by people at the UI: what tests in the browser and the screenshots look at."""

from dataclasses import dataclass, field

import httpx

from tibs_chassis.regions import Regions
from tibs_devstack.people import people_of
from tibs_devstack.state import StackState, StateFolder
from tibs_devstack.story import AWAY, DIAGNOSIS, HOME
from tibs_devstack.visitor import Page, Stuck, Visitor

SUPPLIER = "Glued timber beams for houses of up to three storeys"
CLIENT = "Przykładowe Domy Sp. z o.o."
"""An example by its own name: no organisation of the sample is given a need that it never had."""
_DRAFT: dict[str, str | list[str]] = {
    "profile_type": "BR",
    "title": SUPPLIER,
    "summary": "A maker of timber houses looks for a supplier of glued beams with a certificate of their origin.",
    "description": (
        "Houses of up to three storeys are built in the client's own hall. The beams come from one source today, six "
        "weeks after the order. A second supplier within two days' drive would halve that, and let the hall grow."
    ),
    "cooperation": ["business.manufacturing"],
    "sectors": ["sustainable_construction"],
    "languages": ["en"],
    "technology_keywords": "glued timber, moisture sensor",
    "partner_sought.kinds": ["sme"],
    "partner_sought.field": "Sawmills with their own gluing line",
    "partner_sought.task": "Deliver 200 m³ a month and keep a record of each beam",
}


@dataclass
class Scenes:
    """Paths at the home region's UI, but for those that say otherwise."""

    actor: str = ""
    draft: str = ""
    """Holds the client's name, so that the check finds it."""
    in_review: str = ""
    returned: str = ""
    published: str = ""
    case: str = ""
    """With one profile on its shortlist."""
    closed: str = ""
    chosen: str = ""
    """Id of the other region's profile that is shortlisted in `case`."""
    introductions: dict[str, str] = field(default_factory=dict)
    """By state: requested (the other region has it), declined."""
    away_profile: str = ""
    """Where `chosen` stands in the directory."""
    away_actor: str = ""


class Workers:
    """The people who make the scenes, each signed in."""

    def __init__(self, folder: StateFolder, state: StackState) -> None:
        self._visitors: dict[tuple[str, str], Visitor] = {}
        self._regions = Regions.load(folder.path / "regions.yaml")
        self._state = state

    def at(self, region: str, key: str) -> Visitor:
        if (region, key) not in self._visitors:
            person = next(one for one in people_of(self._regions[region]) if one.key == key)
            visitor = Visitor(url=self._state.regions[region].url, person=person)
            visitor.sign_in()
            self._visitors[region, key] = visitor
        return self._visitors[region, key]

    def close(self) -> None:
        for visitor in self._visitors.values():
            visitor.close()


def make(folder: StateFolder, state: StackState) -> Scenes:
    """Fills in forms, in a stack that runs and holds the sample, until there is one of everything. Raises Stuck."""
    workers = Workers(folder, state)
    try:
        return _make(workers)
    finally:
        workers.close()


def wait_to_send(folder: StateFolder, state: StackState, scenes: Scenes) -> str:
    """One more request while Kafka is down; returns where it waits."""
    workers = Workers(folder, state)
    try:
        broker = workers.at(HOME, "broker")
        case = _case(broker, scenes.published)
        _shortlisted(broker, case, scenes.chosen)
        return _requested(broker, case, scenes.chosen)
    finally:
        workers.close()


def _make(workers: Workers) -> Scenes:
    broker, reviewer = workers.at(HOME, "broker"), workers.at(HOME, "reviewer")
    scenes = Scenes(actor=_client(broker))
    scenes.draft = _drafted(broker, scenes.actor, names="Przykładowe Domy")
    scenes.in_review = _submitted(broker, _drafted(broker, scenes.actor))
    scenes.returned = _submitted(broker, _drafted(broker, scenes.actor))
    _reviewed(reviewer, scenes.returned, decision="return")
    scenes.published = _submitted(broker, _drafted(broker, scenes.actor))
    _reviewed(reviewer, scenes.published, decision="publish")
    scenes.case = _case(broker, scenes.published)
    first, second = _matches_from_away(broker, scenes.case)
    scenes.chosen, scenes.away_profile = first, f"/directory/profiles/{first}"
    for profile in (first, second):
        _shortlisted(broker, scenes.case, profile)
    scenes.introductions["declined"] = _requested(broker, scenes.case, second)
    partner = workers.at(AWAY, "broker")
    counterpart = scenes.introductions["declined"]
    page = partner.until(
        "/today", lambda page: page.all(f"main a[href='{counterpart}']"), what="the request in the other region"
    )
    page = partner.open(counterpart)
    partner.submit(page, "#decline-form", reason=_an_option(page, "#decline-form [name='reason']"))
    broker.until(counterpart, lambda page: page.all("[data-way='answered'].is-wrong"), what="the answer")
    other = _case(broker, scenes.published)
    _shortlisted(broker, other, first)
    scenes.introductions["requested"] = _requested(broker, other, first)
    broker.until(
        scenes.introductions["requested"], lambda page: page.all("[data-way='delivered'].is-done"), what="the delivery"
    )
    scenes.closed = _case(broker, scenes.published)
    found_at_home: dict[str, str | list[str]] = {
        "reason": "no_suitable_partner",
        "note": "The client found a supplier at home.",
    }
    _sent(broker, broker.open(scenes.closed), "#close-form", **found_at_home)
    scenes.away_actor = (
        broker.open(f"/directory/organisations?region={AWAY}").one("#results .row-title a").attributes["href"] or ""
    )
    return scenes


def _client(broker: Visitor) -> str:
    for link in broker.open(f"/actors?{httpx.QueryParams({'q': CLIENT})}").all("#results .row-title a"):
        if link.text(strip=True) == CLIENT:
            return link.attributes["href"] or ""
    form = broker.open("/actors/new")
    actor = _sent(
        broker,
        form,
        "#actor-form",
        name=CLIENT,
        kind="sme",
        size="small",
        country="PL",
        town="Białystok",
        description="Builds timber houses in its own hall, about forty a year.",
        sectors=["sustainable_construction"],
        languages=["pl", "en"],
    ).path
    _sent(
        broker,
        broker.open(f"{actor}/contacts/new"),
        "#contact-form",
        name="Sales office",
        email="sales@przykladowe-domy.example",
        purpose="Brokerage of partnerships",
        basis="legitimate_interest",
    )
    return actor


def _sent(visitor: Visitor, page: Page, form: str, /, **values: str | list[str]) -> Page:
    answer = visitor.submit(page, form, **values)
    if wrong := answer.all("#error-summary, .banner-red"):
        raise Stuck(f"{form} at {page.url} was refused: {wrong[0].text(separator=' ')}")
    return answer


def _drafted(broker: Visitor, actor: str, *, names: str = "") -> str:
    form = broker.open(f"/profiles/new?actor_id={actor.rpartition('/')[2]}")
    values = dict(_DRAFT)
    if names:
        values["description"] = f"{names} builds houses. {_DRAFT['description']}"
    return _sent(broker, form, "#profile-form", **values).path


def _submitted(broker: Visitor, profile: str) -> str:
    return _sent(broker, broker.open(profile), "#submission-form").path


def _reviewed(reviewer: Visitor, profile: str, *, decision: str) -> None:
    page = reviewer.open(f"{profile}/review")
    criteria = {field.attributes["name"] or "" for field in page.all("#review-form input[name^='rubric.']")}
    values: dict[str, str | list[str]] = dict.fromkeys(criteria, "yes")
    values["decision"] = decision
    if decision == "return":
        values |= {"rubric.specific": "no", "comments.summary": "How many beams a year, and of which length?"}
    _sent(reviewer, page, "#review-form", **values)


def _case(broker: Visitor, profile: str) -> str:
    form = broker.until(
        f"/cases/new?profile_id={profile.rpartition('/')[2]}",
        lambda page: page.all("#case-form"),
        what="the form of a case for the profile",
    )
    return _sent(broker, form, "#case-form", no_conflict="yes", diagnosis=DIAGNOSIS).path


def _matches_from_away(broker: Visitor, case: str) -> tuple[str, str]:
    def ids(page: Page) -> list[str]:
        return [
            one.attributes["data-profile"] or ""
            for one in page.all("#matches li[data-profile]")
            if (code := one.css_first(".region-code")) is not None and code.text() == AWAY
        ]

    page = broker.until(f"{case}/matches", lambda page: len(ids(page)) > 1, what="two matches from the other region")
    found = ids(page)
    return found[0], found[1]


def _shortlisted(broker: Visitor, case: str, profile: str) -> None:
    broker.submit(broker.open(f"{case}/matches?profile={profile}"), "#shortlist-form")


def _requested(broker: Visitor, case: str, profile: str) -> str:
    form = broker.open(f"{case}/introductions/new?profile_id={profile}")
    return _sent(
        broker,
        form,
        "#introduction-form",
        message="Our client builds with timber and outgrows its only source. Yours glues beams two days away.",
    ).path


def _an_option(page: Page, selector: str) -> str:
    values = [option.attributes.get("value") or "" for option in page.one(selector).css("option")]
    return next(filter(None, values))
