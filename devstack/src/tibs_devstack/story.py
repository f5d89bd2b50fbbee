"""The main job, told step by step at the UI: a need in Podlaskie becomes an introduction in Kymenlaakso.

Everybody signs in, reads pages and fills in forms as they stand there; nothing is done behind the product's back, and
the partner is found by matching.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tibs_chassis.regions import Regions
from tibs_chassis.testing import eventually
from tibs_devstack.parts.base import MissingPart
from tibs_devstack.people import people_of
from tibs_devstack.places import default_state_dir
from tibs_devstack.process import DidNotStart
from tibs_devstack.sample import STORY, Sample, organisations
from tibs_devstack.screen import Screen, print_addresses
from tibs_devstack.seed import Desk, SampleRefused, seed
from tibs_devstack.stack import AlreadyRunning, Stack
from tibs_devstack.state import StackState, StateFolder
from tibs_devstack.visitor import Page, Stuck, Visitor

HOME, AWAY = "pl84", "fi1c"
SHOWN = {"TIBS_SAMPLE_NOTICE": "true"}
"""The UI says that the sample stems from public stories and that what happens is simulated."""

MESSAGE = (
    "Our client plans green products for buildings and cities. Your client's work on planted facades may complete it."
)
DIAGNOSIS = "Sound in sales, without engineers for planted structures of its own: a partner abroad is the shortest way."


@dataclass
class Told:
    """What the last line says."""

    story: str = "failed"
    seconds: float = 0.0
    case: str | None = None
    trace_id: str | None = None
    regions: list[str] = field(default_factory=list)
    match_rank: int | None = None
    candidates: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def line(self) -> str:
        kept = {name: value for name, value in vars(self).items() if name != "error" or value is not None}
        return json.dumps(kept, ensure_ascii=False)


class Story:
    """One telling, in a stack that runs and holds the sample.

    `say` is called after every step; `visitor` makes the people, for tests in which they need more patience.
    """

    def __init__(
        self,
        *,
        folder: StateFolder,
        state: StackState,
        say: Callable[[str], None],
        visitor: Callable[..., Visitor] = Visitor,
    ) -> None:
        self._say = say
        self._mails = state.parts["mail"].page or ""
        self.told = Told(
            regions=list(state.regions),
            versions={name: state.versions[name] for name in ("kafka", "postgres") if name in state.versions},
        )
        regions = Regions.load(folder.path / "regions.yaml")
        self._visitors = {
            (code, key): visitor(url=state.regions[code].url, person=person)
            for code in (HOME, AWAY)
            for key, person in {person.key: person for person in people_of(regions[code])}.items()
        }
        by_key = {one.key: one for one in organisations([HOME, AWAY])}
        self._need: Sample = by_key[f"{STORY}/need"]
        self._partner: Sample = by_key[f"{STORY}/offer"]
        self._seen_mails = {mail["id"] for mail in self._mails_to(None)}

    def tell(self) -> Told:
        """Raises Stuck where a person would be stuck."""
        began = time.monotonic()
        try:
            self._tell()
            self.told.story = "ok"
        finally:
            self.told.seconds = round(time.monotonic() - began, 1)
            for visitor in self._visitors.values():
                visitor.close()
        return self.told

    def _tell(self) -> None:
        broker, reviewer = self._visitors[HOME, "broker"], self._visitors[HOME, "reviewer"]
        partner = self._visitors[AWAY, "broker"]
        self._say("1. A need is published")
        broker.sign_in()
        self._step(f"{broker.person.name} signs in")
        actor = self._client(broker)
        profile = self._profile(broker, actor)
        self._review(reviewer, profile)
        self._say("2. The other region knows it, and partners are found")
        partner.sign_in()
        self._everywhere(partner, str(self._profile_body()["title"]))
        case = self._case(broker, profile)
        chosen = self._partner_of(broker, case)
        self._say("3. An introduction is requested")
        introduction = self._request(broker, case, chosen)
        counterpart = self._arrives(partner, introduction)
        broker.until(introduction, lambda page: page.all('[data-way="delivered"].is-done'), what="delivery")
        self._step("at home the request shows: delivered")
        self._say("4. Both clients consent; only then contacts cross the border")
        self._refuse_early_contact(broker, introduction)
        self._accept(partner, counterpart)
        self._consent(broker, introduction)
        self._introduced(broker, introduction, partner, counterpart)
        self._timelines(broker, case, partner, counterpart)
        self._say("5. Everybody heard of it")
        self._heard((HOME, "reviewer"), (AWAY, "broker"), (HOME, "broker"))

    # -- the need ----------------------------------------------------------------------------------------------------

    def _client(self, broker: Visitor) -> str:
        name = str(self._need.actor["name"])
        known = broker.open(f"/actors?q={httpx.QueryParams({'q': name})['q']}")
        for link in known.all("main a[href^='/actors/']"):
            if link.text(strip=True) == name:
                self._step(f"{name} is a client already")
                return str(link.attributes["href"])
        entered: dict[str, str | list[str]] = {
            "name": name,
            "kind": str(self._need.actor["kind"]),
            "country": str(self._need.actor["country"]),
            "description": str(self._need.actor["description"]),
            "sectors": list(self._need.actor["sectors"]),
            "languages": ["en"],
            "listed": "true",
        }
        actor = self._sent(broker, broker.open("/actors/new"), "#actor-form", entered, "/actors/").path
        self._step(f"registers {name}")
        contact: dict[str, str | list[str]] = {name: str(value) for name, value in self._need.contact.items()}
        self._sent(broker, broker.open(f"{actor}/contacts/new"), "#contact-form", contact, actor)
        self._step("adds a contact person, with purpose and lawful basis")
        return actor

    def _profile_body(self) -> dict[str, Any]:
        assert self._need.profile is not None
        return self._need.profile

    def _profile(self, broker: Visitor, actor: str) -> str:
        body = self._profile_body()
        entered: dict[str, str | list[str]] = {
            name: body[name]
            for name in (
                "profile_type",
                "title",
                "summary",
                "description",
                "cooperation",
                "sectors",
                "target_countries",
            )
        }
        entered |= {
            "technology_keywords": ", ".join(body["technology_keywords"]),
            "languages": ["en"],
            "partner_sought.task": body["partner_sought"]["task"],
            "partner_sought.field": body["partner_sought"]["field"],
            "partner_sought.kinds": ["sme"],
        }
        form = broker.open(f"/profiles/new?actor_id={actor.rpartition('/')[2]}")
        page = self._sent(broker, form, "#profile-form", entered, "/profiles/")
        self._step(f"drafts a request: {body['title']}")
        page = self._sent(broker, page, "#submission-form", {}, page.path)
        self._step("submits it")
        return page.path

    def _review(self, reviewer: Visitor, profile: str) -> None:
        reviewer.sign_in()
        today = reviewer.until(
            "/today",
            lambda page: page.all(f"#reviews a[href='{profile}/review']"),
            what="the review on the reviewer's page",
        )
        page = reviewer.open(today.one(f"#reviews a[href='{profile}/review']").attributes["href"] or "")
        criteria = {field.attributes["name"] or "" for field in page.all("#review-form input[name^='rubric.']")}
        judged: dict[str, str | list[str]] = dict.fromkeys(sorted(criteria), "yes")
        self._sent(reviewer, page, "#review-form", judged | {"decision": "publish"}, profile)
        self._step(f"{reviewer.person.name}, a second pair of eyes, judges {len(criteria)} criteria and publishes it")

    def _everywhere(self, partner: Visitor, title: str) -> None:
        query = httpx.QueryParams({"q": title, "region": HOME})
        partner.until(f"/directory?{query}", lambda page: title in page.text, what="the profile in the other region")
        self._step(f"{partner.person.name} finds it in the directory of Kymenlaakso")

    # -- the case ----------------------------------------------------------------------------------------------------

    def _case(self, broker: Visitor, profile: str) -> str:
        form = broker.until(
            f"/cases/new?profile_id={profile.rpartition('/')[2]}",
            lambda page: page.all("#case-form"),
            what="the form of a case for the profile",
        )
        page = self._sent(broker, form, "#case-form", {"no_conflict": "true", "diagnosis": DIAGNOSIS}, "/cases/")
        self.told.case = page.path.rpartition("/")[2]
        self._step("opens a case and declares no conflict of interest")
        if page.all("form#contact-form"):
            broker.submit(page, "form#contact-form")
        return page.path

    def _partner_of(self, broker: Visitor, case: str) -> str:
        """Shortlists the best match of the other region and returns its id."""
        assert self._partner.profile is not None
        true_title = str(self._partner.profile["title"])
        page = broker.until(
            f"{case}/matches", lambda page: true_title in page.one("main").text(), what="the partner among the matches"
        )
        matches = page.all("#matches li[data-profile]")
        count = page.one("#matches .count").text().split()
        self.told.candidates = int(count[-1])
        self.told.match_rank = next(
            int(one.attributes["data-rank"] or 0) for one in matches if true_title in one.text()
        )
        best = next(
            (one for one in matches if (code := one.css_first(".region-code")) is not None and code.text() == AWAY),
            None,
        )
        if best is None:
            raise Stuck(f"{page.url} shows no match from {AWAY}")
        chosen = best.attributes["data-profile"] or ""
        self._step(
            f"sees {len(matches)} of {self.told.candidates} profiles ranked; "
            f"the partner of the true story stands at {self.told.match_rank}"
        )
        page = broker.open(f"{case}/matches?profile={chosen}")
        for reason in page.all("#compare .reasons li")[:3]:
            self._say(f"      because {' '.join(reason.text(separator=' ').split())}")
        broker.submit(page, "#shortlist-form")
        self._step("shortlists the best offer from Kymenlaakso")
        return chosen

    def _request(self, broker: Visitor, case: str, chosen: str) -> str:
        form = broker.open(f"{case}/introductions/new?profile_id={chosen}")
        page = self._sent(broker, form, "#introduction-form", {"message": MESSAGE}, "/introductions/")
        self.told.trace_id = page.trace_id
        self._step("requests an introduction, without naming the client")
        return page.path

    def _arrives(self, partner: Visitor, introduction: str) -> str:
        # Both halves of an introduction have one id; each region shows its own.
        today = partner.until(
            "/today",
            lambda page: page.all(f"main a[href='{introduction}']"),
            what="the request in the other broker's day",
        )
        due = next((one.text(strip=True) for one in today.all(f"li:has(a[href='{introduction}']) .promise")), "")
        self._step(f"{partner.person.name} sees it among the promises{f', due {due}' if due else ''}")
        page = partner.open(introduction)
        if page.all("#acknowledgement-form"):
            partner.submit(page, "#acknowledgement-form")
            self._step("takes it up")
        return introduction

    def _refuse_early_contact(self, broker: Visitor, introduction: str) -> None:
        page = broker.open(introduction)
        if page.all("[data-contact='other']"):
            raise Stuck(f"{page.url} shows the other client's contact before anybody consented")
        address = str(self._partner.contact["email"])
        if address in page.text:
            raise Stuck(f"{page.url} shows {address} before anybody consented")
        self._step("nobody sees a contact yet")

    def _accept(self, partner: Visitor, counterpart: str) -> None:
        form = partner.open(counterpart)
        partner.submit(form, "#acceptance-form", method="phone")
        self._step(f"{partner.person.name} accepts for the client, who said yes by phone")

    def _consent(self, broker: Visitor, introduction: str) -> None:
        page = broker.until(
            introduction,
            lambda page: page.all('[data-way="answered"].is-done'),
            what="the answer from the other region",
        )
        self._step("at home the request shows: answered")
        if page.all("[data-contact='other']"):
            raise Stuck(f"{page.url} shows the other client's contact before the own client consented")
        broker.submit(page, "#consent-form", method="meeting")
        self._step("the Polish client's yes is recorded too")

    def _introduced(self, broker: Visitor, introduction: str, partner: Visitor, counterpart: str) -> None:
        for visitor, path, other in (
            (broker, introduction, self._partner_contact()),
            (partner, counterpart, str(self._need.contact["email"])),
        ):
            page = visitor.until(
                path, lambda page: page.all("[data-contact='other']"), what="the other client's contact"
            )
            shown = page.one("[data-contact='other']").text(separator=" ")
            if other is not None and other not in shown:
                raise Stuck(f"{page.url} shows another contact than {other}: {shown}")
            self._step(f"{visitor.person.name} sees the other client's contact")

    def _partner_contact(self) -> str | None:
        return str(self._partner.contact["email"]) if self.told.match_rank == 1 else None

    def _timelines(self, broker: Visitor, case: str, partner: Visitor, counterpart: str) -> None:
        for visitor, path in ((broker, f"{case}/timeline"), (partner, counterpart)):
            page = visitor.until(
                path, lambda page: page.all("[data-kind='introduced']"), what="the end of the timeline"
            )
            self._step(f"the timeline of {visitor.person.name} tells it in {len(page.all('[data-kind]'))} entries")

    # -- who heard ---------------------------------------------------------------------------------------------------

    def _heard(self, *people: tuple[str, str]) -> None:
        for code, key in people:
            visitor = self._visitors[code, key]
            page = visitor.until("/notices?seen=false", lambda page: page.all("[data-notice]"), what="a notice")
            address = visitor.person.email
            mails = self._wait_for_mail(address)
            self._step(
                f"{visitor.person.name}: {len(page.all('[data-notice]'))} new notices, "
                f"{len(mails)} mails, the last: {mails[-1]['subject']}"
            )

    def _mails_to(self, address: str | None) -> list[dict[str, Any]]:
        query = {} if address is None else {"to": address}
        answer = httpx.get(f"{self._mails}/api/mails", params=query, trust_env=False).json()
        found = answer["items"] if isinstance(answer, dict) else answer
        return list(found)

    def _wait_for_mail(self, address: str) -> list[dict[str, Any]]:
        end = time.monotonic() + 60
        while not (new := [mail for mail in self._mails_to(address) if mail["id"] not in self._seen_mails]):
            if time.monotonic() > end:
                raise Stuck(f"no mail reached {address} within 60 s")
            time.sleep(0.2)
        return new

    # -- telling -----------------------------------------------------------------------------------------------------

    def _sent(
        self, visitor: Visitor, page: Page, form: str, values: Mapping[str, str | list[str]], arrives: str
    ) -> Page:
        """Sends a form and checks that the next page is the one it should lead to, not the form again."""
        answer = visitor.submit(page, form, **values)
        wrong = [" ".join(one.text(separator=" ").split()) for one in answer.all("#error-summary, .banner-red")]
        if wrong or not answer.path.startswith(arrives):
            raise Stuck(f"{form} at {page.url} was refused: {'; '.join(wrong) or answer.text[:400]}")
        return answer

    def _step(self, sentence: str) -> None:
        self._say(f"   ✓ {sentence}")


def _desks(folder: StateFolder, state: StackState, regions: Regions) -> dict[str, Desk]:
    return {
        code: Desk(
            region=code,
            regions=regions,
            node_key=folder.path / "keys" / code / "node.jwk",
            urls={name: service.url for name, service in region.services.items()},
        )
        for code, region in state.regions.items()
    }


async def fill(folder: StateFolder, state: StackState, say: Callable[[str], None]) -> None:
    """The sample into a stack that runs."""
    regions = Regions.load(folder.path / "regions.yaml")
    desks = _desks(folder, state, regions)
    try:
        began = time.monotonic()
        count = await seed(desks, regions=regions)
        if published := sum(desk.published for desk in desks.values()):
            for desk in desks.values():
                await eventually(
                    partial(desk.has_compared, published), within=120, what="matching to know the whole sample"
                )
            await _put_aside(desks, mails=state.parts["mail"].page or "")
        say(f"\nThe sample: {count} organisations from public stories ({time.monotonic() - began:.1f} s)\n")
    finally:
        for desk in desks.values():
            await desk.close()


async def _put_aside(desks: Mapping[str, Desk], *, mails: str) -> None:
    """Nobody should have to look for the story's notices and mails among those of the filling."""
    for desk in desks.values():
        await eventually(desk.heard_of_it, within=120, what="the desk to hear of the sample")
        await desk.put_aside()
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.delete(f"{mails}/api/mails")).raise_for_status()


def _told(folder: StateFolder, state: StackState, say: Callable[[str], None]) -> Told:
    """Tells the story; a failure is told too, with where it got stuck."""
    story = Story(folder=folder, state=state, say=say)
    try:
        return story.tell()
    except (Stuck, httpx.HTTPError) as error:
        story.told.error = str(error)
        say(f"   ✗ {error}")
        return story.told


def _arguments(arguments: Sequence[str], *, once: bool) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tibs demo" if once else "tibs story")
    parser.add_argument("--state-dir", type=Path, default=None)
    if once:
        parser.add_argument("--regions", default=f"{HOME},{AWAY}")
        parser.add_argument("--once", action="store_true", help="stop after the story")
        parser.add_argument("--shared-kafka", action="store_true", help="one Kafka for all regions, with no mirrors")
    return parser.parse_args(list(arguments))


def run(arguments: Sequence[str]) -> int:
    """`tibs story`: in the stack that runs."""
    given = _arguments(arguments, once=False)
    folder = StateFolder((given.state_dir or default_state_dir()).resolve())
    state = folder.read()
    if state is None or not folder.running():
        print(f"No stack is running in {folder.path}. Start one by `tibs up`.", file=sys.stderr)
        return 1
    if missing := {HOME, AWAY} - set(state.regions):
        print(f"The story needs {HOME} and {AWAY}; {', '.join(sorted(missing))} does not run here.", file=sys.stderr)
        return 1
    asyncio.run(fill(folder, state, print))
    told = _told(folder, state, print)
    print(told.line())
    return 0 if told.story == "ok" else 1


def demo(arguments: Sequence[str]) -> int:
    """`tibs demo`: start, fill, tell; then stay up, or stop with `--once`."""
    given = _arguments(arguments, once=True)
    folder = StateFolder((given.state_dir or default_state_dir()).resolve())
    screen = Screen()
    codes = [code.strip() for code in given.regions.split(",") if code.strip()]
    try:
        stack = Stack(
            regions=codes,
            state_dir=folder.path,
            say=screen.say,
            progress=screen.progress,
            environment=SHOWN,
            shared_kafka=given.shared_kafka,
        )
        return asyncio.run(_demo(stack, folder, screen, once=given.once))
    except (DidNotStart, MissingPart, SampleRefused, AlreadyRunning, ValueError) as error:
        print(Told(error=str(error)).line() if given.once else str(error))
        return 1


async def _demo(stack: Stack, folder: StateFolder, screen: Screen, *, once: bool) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(_started_and_told(stack, folder, screen))

    def stop() -> None:
        stopping.set()
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    told = Told(error="stopped before its end")
    try:
        told = await work
        if not once:
            print_addresses(stack.state, screen.console)
            screen.say("\nThe UI is up; do the same by hand. Ctrl-C stops everything.")
            await stopping.wait()
    except asyncio.CancelledError:
        screen.say("Stopping.")
    finally:
        await stack.down()
    print(told.line())
    return 0 if told.story == "ok" else 1


async def _started_and_told(stack: Stack, folder: StateFolder, screen: Screen) -> Told:
    with screen:
        await stack.up()
    screen.say(f"\nReady after {stack.state.seconds} s.")
    await fill(folder, stack.state, screen.say)
    return await asyncio.to_thread(_told, folder, stack.state, screen.say)
