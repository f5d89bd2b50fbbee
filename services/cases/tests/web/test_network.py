"""The network page and the lamp: every reason in words, in every language, and never by colour alone."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import text

from tibs_cases.introductions import service
from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.queries import Sent
from tibs_cases.introductions.rules import Delivery, IntroductionState
from tibs_cases.peers.rules import Direction, Line, Reason, State
from tibs_cases.web import network, ways
from tibs_cases.web.i18n import LANGUAGES, gettext, speaking
from tibs_chassis import clock
from tibs_chassis.auth import Role
from tibs_chassis.testing import make_principal
from tibs_contracts.events import Side
from tibs_contracts.ids import new_id

from ..conftest import Story, TestNode
from ..test_peers import probe, published, says
from .conftest import Workplace

TRANSLATED = [code for code in LANGUAGES if code != "en"]
SOURCES = {
    *network.INBOUND.values(),
    *network.OUTBOUND.values(),
    *(sign.word for sign in [*network.STATES.values(), *network.LAMPS.values(), network.OFFLINE]),
}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_state_and_reason_has_its_words(language: str) -> None:
    with speaking(language):
        missing = [source for source in SOURCES if gettext(source) == source]
    assert set(missing) <= {"Offline"}


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reason_is_a_sentence_in_its_direction(direction: Direction, reason: Reason, language: str) -> None:
    texts = network.INBOUND if direction is Direction.INBOUND else network.OUTBOUND
    if reason not in texts:
        return
    with speaking(language):
        for age in (None, timedelta(minutes=4)):
            told = network.sentence(texts, Line(direction, State.DOWN, reason, age=age))
            assert told.endswith(".")
            assert "%(" not in told
        assert network.sentence(texts, Line(direction, State.DOWN, reason, words="too many requests")).endswith(
            ": too many requests"
        )


def test_the_rules_give_no_reason_that_has_no_sentence() -> None:
    outbound_only = {Reason.LEFT_UNHEARD, Reason.NO_WORD, Reason.THEY_BLOCK, Reason.THEY_PAUSED}
    assert set(network.OUTBOUND) == set(Reason)
    assert set(network.INBOUND) == set(Reason) - outbound_only


def test_each_colour_has_a_word_and_an_icon_of_its_own() -> None:
    lamps = [*network.LAMPS.values(), network.OFFLINE]
    assert len({lamp.icon for lamp in lamps}) == len({lamp.word for lamp in lamps}) == len(lamps)


def a_half(**changes: Any) -> Introduction:
    held: dict[str, Any] = {
        "id": new_id(),
        "side": Side.HOME,
        "state": IntroductionState.REQUESTED,
        "other_region": "fi1c",
        "case_id": new_id(),
        "profile_id": new_id(),
        "profile_reference": "TOFI20261124001",
        "profile_title": "Timber modules",
        "need": {},
        "message": "",
        "desk": "",
        "requested": clock.now(),
    }
    return Introduction(**held | changes)


@pytest.mark.parametrize(
    ("changes", "delivery", "states"),
    [
        ({}, Delivery.QUEUED, ["now", "next", "next", "next"]),
        ({}, Delivery.FAILED, ["wrong", "next", "next", "next"]),
        ({}, Delivery.SENT, ["done", "now", "next", "next"]),
        ({"received": clock.now()}, Delivery.DELIVERED, ["done", "done", "next", "now"]),
        ({"received": clock.now(), "read": clock.now()}, Delivery.READ, ["done", "done", "done", "now"]),
        ({"received": clock.now(), "accepted": clock.now()}, Delivery.ANSWERED, ["done", "done", "done", "done"]),
        ({"received": clock.now()}, Delivery.OVERDUE, ["done", "done", "next", "wrong"]),
    ],
)
def test_the_way_of_a_request_has_four_steps(changes: dict[str, Any], delivery: Delivery, states: list[str]) -> None:
    half = a_half(**changes)
    steps = ways.request_way(half, Sent("request", half.id, half.requested, delivery), region="Kymenlaakso")
    assert [step.code for step in steps] == ["queued", "delivered", "read", "answered"]
    assert [step.state for step in steps] == states


# -- over a real database ----------------------------------------------------------------------------------------------


def line(page: LexborHTMLParser, region: str, direction: str) -> str:
    found = page.css_first(f"#peer-{region} [data-direction={direction}]")
    assert found is not None
    return " ".join(found.text().split())


async def lamp(place: Workplace) -> tuple[str, str]:
    visitor = await place.visit()
    answer, page = await visitor.open("/network/lamp")
    assert answer.status_code == 200
    found = page.css_first(".lamp")
    assert found is not None
    return found.attributes["data-lamp"] or "", " ".join(found.text().split())


@pytest.mark.integration
@pytest.mark.parametrize("role", [Role.BROKER, Role.LEAD, Role.REVIEWER, Role.ANALYST])
async def test_everybody_at_the_desk_sees_how_each_line_stands(workplace: Workplace, fi: TestNode, role: Role) -> None:
    pl = workplace.node
    await says(pl, fi)
    await says(fi, pl)
    visitor = await workplace.visit(make_principal(role, region="pl84"))
    answer, page = await visitor.open("/network")
    assert answer.status_code == 200
    assert "Works What the region writes arrives here." in line(page, "fi1c", "inbound")
    assert "Works What you send arrives there." in line(page, "fi1c", "outbound")
    unheard = page.css_first("#unheard")
    assert unheard is not None
    assert pl.node.regions["lv008"].name_in("en") in unheard.text()
    assert page.css_first("#lamp[href='/network']") is not None
    assert page.css_first("nav.rail a[href='/network'][aria-current=page]") is not None
    assert page.css("[style], style, script:not([src])") == []
    assert await lamp(workplace) == ("green", "Network: Connected")


@pytest.mark.integration
async def test_a_silent_region_is_named_by_the_lamp_and_explained_on_the_page(
    workplace: Workplace, fi: TestNode
) -> None:
    pl = workplace.node
    await says(fi, pl)
    await probe(pl)
    await published(pl)
    async with pl.database.transaction() as session:
        await session.execute(
            text(
                "UPDATE peer SET received_at = received_at - interval '4 minutes',"
                " listening_since = listening_since - interval '1 hour' WHERE region = 'fi1c'"
            )
        )
    assert await lamp(workplace) == ("red", "Network: Interrupted: Kymenlaakso")
    visitor = await workplace.visit()
    _answer, page = await visitor.open("/network")
    assert "Nothing has come for 4 minutes." in line(page, "fi1c", "inbound")
    assert "Not known Only the region itself could say" in line(page, "fi1c", "outbound")


@pytest.mark.integration
async def test_an_offline_node_says_so_and_accuses_nobody(workplace: Workplace) -> None:
    pl = workplace.node
    await probe(pl)
    async with pl.database.transaction() as session:
        await session.execute(text("UPDATE outbox SET created_at = created_at - interval '1 minute'"))
        await session.execute(
            text("INSERT INTO relay_state VALUES (true, 'KafkaError', now(), now() + interval '10 seconds')")
        )
    assert await lamp(workplace) == ("red", "Network: Offline")
    visitor = await workplace.visit()
    answer, page = await visitor.open("/network")
    assert "This node is offline" in answer.text
    assert re.search(r"Next attempt at \d\d:\d\d\.", answer.text)
    assert page.css("[id^=peer-]") == []  # who was never heard is not told one by one


@pytest.mark.integration
async def test_a_region_is_named_in_the_readers_language(workplace: Workplace, fi: TestNode) -> None:
    pl = workplace.node
    await probe(pl)
    await published(pl)
    await says(fi, pl)
    visitor = await workplace.visit(make_principal(Role.BROKER, person="czytelnik", region="pl84", language="pl"))
    answer, page = await visitor.open("/network/lines")
    assert answer.status_code == 200
    assert pl.node.regions["fi1c"].name_in("pl") in page.css_first("#peer-fi1c h2").text()  # type: ignore[union-attr]
    assert "Działa" in line(page, "fi1c", "inbound")


@pytest.mark.integration
async def test_opening_the_page_of_an_introduction_is_reading_it(story: Story, workplace: Workplace) -> None:
    assert workplace.node is story.pl
    await story.wire.deliver()
    await story.post(story.fi, "messages", {"text": "Which timber?", "language": "en"})
    await story.wire.deliver()
    visitor = await workplace.visit()
    for _ in range(2):
        answer, _page = await visitor.open(f"/introductions/{story.introduction_id}")
        assert answer.status_code == 200
    [told] = await story.pl.told(type_="introduction.read.%")
    assert len(told.data["message_ids"]) == 1


@pytest.mark.integration
async def test_the_page_shows_when_the_other_broker_has_read(story: Story, workplace: Workplace) -> None:
    await story.wire.deliver()
    async with story.fi.database.transaction() as session:
        await service.mark_read(
            session,
            node=story.fi.node,
            principal=story.fi.broker,
            introduction_id=UUID(story.introduction_id),
        )
    await story.wire.deliver()
    visitor = await workplace.visit()
    _answer, page = await visitor.open(f"/introductions/{story.introduction_id}")
    step = page.css_first("[data-way=read]")
    assert step is not None
    assert "is-done" in (step.attributes["class"] or "")
    assert step.css_first("time") is not None
