"""Organisations over HTTP, on a real database."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_registry.mothers import actor_body, made, seen

pytestmark = pytest.mark.integration
ACTORS = "/api/v1/actors"


async def test_what_was_entered_is_kept_and_derived(broker: httpx.AsyncClient) -> None:
    body = actor_body(registration_number="0000 123 456", vat="526-025-02-74", website="suprasl-hulls.example")
    answer = await broker.post(ACTORS, json=body)
    assert answer.status_code == 201
    actor = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"{ACTORS}/{actor['id']}"
    kept = {"registration_number": "0000123456", "vat": "PL5260250274", "website": "https://suprasl-hulls.example"}
    assert {name: actor[name] for name in body} == body | kept
    assert (actor["owner"], actor["desk"]) == ("broker", "Podlaska Regional Development Foundation")
    assert (await broker.get(answer.headers["Location"])).json() == actor


async def test_only_who_wishes_stands_in_the_directory(broker: httpx.AsyncClient, outbox: Any) -> None:
    actor = await made(broker.post(ACTORS, json=actor_body()))
    assert await outbox() == []
    path = f"{ACTORS}/{actor['id']}"
    actor = await made(broker.put(path, json=actor_body(listed=True), headers=seen(actor)))
    actor = await made(broker.put(path, json=actor_body(listed=True, town="Ełk"), headers=seen(actor)))
    actor = await made(broker.put(path, json=actor_body(listed=False), headers=seen(actor)))
    events = await outbox(actor["id"])
    assert [(event["type"], event["sequence"]) for event in events] == [
        ("eu.tibs.actor.listed.v1", 2),
        ("eu.tibs.actor.listed.v1", 3),
        ("eu.tibs.actor.unlisted.v1", 4),
    ]
    assert {event["topic"] for event in events} == {"tibs.pl84.registry.v1"}
    assert events[1]["data"]["town"] == "Ełk"
    private = {"registration_number", "vat", "owner", "turnover_band", "listed", "experience"}
    assert private.isdisjoint(events[0]["data"])


@pytest.mark.parametrize(
    ("second", "alike_in", "acceptable"),
    [
        ({"name": "Quite different", "registration_number": "0000123456"}, "registration_number", False),
        ({"name": "Quite different", "vat": "PL 526 025 02 74"}, "vat", False),
        ({"name": "Quite different", "website": "http://suprasl-hulls.example/en"}, "domain", True),
        ({"name": "SUPRASL HULL sp. z o.o."}, "name", True),
    ],
)
async def test_a_likely_duplicate_is_named(
    broker: httpx.AsyncClient, second: dict[str, str], alike_in: str, acceptable: bool
) -> None:
    numbers = {"registration_number": "0000123456", "vat": "5260250274"}
    first = await made(broker.post(ACTORS, json=actor_body(website="https://www.suprasl-hulls.example", **numbers)))
    answer = await broker.post(ACTORS, json=actor_body(**second))
    assert answer.status_code == 409
    assert answer.json()["duplicates"] == [
        {"actor_id": first["id"], "name": first["name"], "alike_in": alike_in, "acceptable": acceptable}
    ]
    answer = await broker.post(ACTORS, json=actor_body(**second, accept_duplicate=True))
    assert answer.status_code == (201 if acceptable else 409)


async def test_two_who_enter_the_same_company_at_once_see_each_other(broker: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(broker.post(ACTORS, json=actor_body()) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_an_accepted_likeness_is_not_asked_again(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    other = await made(broker.post(ACTORS, json=actor_body(accept_duplicate=True)))
    path = f"{ACTORS}/{other['id']}"
    other = await made(broker.put(path, json=actor_body(town="Ełk"), headers=seen(other)))
    same_site = actor_body(town="Ełk", website=actor["website"])
    assert (await broker.put(path, json=same_site, headers=seen(other))).status_code == 409


async def test_lists_are_searched_and_paged(broker: httpx.AsyncClient) -> None:
    names = ["Białowieża Wood", "Knyszyn Timber", "Łomża Dairy", "Suwałki Machines", "Augustów Boats"]
    for name in names:
        await made(broker.post(ACTORS, json=actor_body(name, kind="large_company", town=None, description="")))
    seen_names, cursor, pages = [], None, 0
    while cursor is not None or pages == 0:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = await made(broker.get(ACTORS, params=params))
        assert page["total"] == 5
        seen_names += [actor["name"] for actor in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert pages == 3
    assert seen_names == sorted(names, key=lambda name: name.replace("Ł", "L"))
    found = await made(broker.get(ACTORS, params={"q": "lomz DAIR"}))
    assert [actor["name"] for actor in found["items"]] == ["Łomża Dairy"]
    assert (await made(broker.get(ACTORS, params={"q": "?!"})))["items"] == []
    assert (await made(broker.get(ACTORS, params={"kind": ["sme", "research"]})))["total"] == 0


async def test_only_its_broker_or_a_lead_hands_a_client_over(
    broker: httpx.AsyncClient, actor: dict[str, Any], sign_in: Any
) -> None:
    path, body = f"{ACTORS}/{actor['id']}", actor_body(owner="ben")
    other = await sign_in(Role.BROKER, person="ben")
    assert (await other.put(path, json=body, headers=seen(actor))).status_code == 403
    lead = await sign_in(Role.LEAD)
    actor = await made(lead.put(path, json=body, headers=seen(actor)))
    assert actor["owner"] == "ben"
    actor = await made(broker.put(path, json=actor_body(), headers=seen(actor)))
    assert actor["owner"] == "ben"


async def test_decisions_stand_in_the_audit_log(broker: httpx.AsyncClient, database: Database) -> None:
    actor = await made(broker.post(ACTORS, json=actor_body()))
    await made(broker.put(f"{ACTORS}/{actor['id']}", json=actor_body(listed=True), headers=seen(actor)))
    async with database.transaction() as session:
        rows = (await session.execute(text("SELECT person, action, subject FROM audit ORDER BY seq"))).all()
    subject = f"actor/{actor['id']}"
    assert [tuple(row) for row in rows] == [
        ("broker", "actor.registered", subject),
        ("broker", "actor.listed", subject),
    ]
