"""Profiles over HTTP, on a real database: from draft to their end."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tibs_chassis import clock
from tibs_chassis.app import Service
from tibs_chassis.auth import Role
from tibs_contracts.ids import new_id
from tibs_registry.mothers import contact_body, made, profile_body, seen, verdict_body
from tibs_registry.profiles import service as use_cases

pytestmark = pytest.mark.integration
PROFILES = "/api/v1/profiles"


def steps(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(event["type"].removeprefix("eu.tibs.").removesuffix(".v1"), event["sequence"]) for event in events]


async def test_the_way_to_publication_tells_every_step(
    broker: httpx.AsyncClient, reviewer: httpx.AsyncClient, draft: dict[str, Any], actor: dict[str, Any], outbox: Any
) -> None:
    path = f"{PROFILES}/{draft['id']}"
    assert draft["state"] == "draft"
    assert re.fullmatch(r"BRPL\d{8}001", draft["reference"])
    assert (draft["moves"], draft["missing"], draft["actor_name"]) == (["edit", "submit"], [], actor["name"])
    profile = await made(broker.post(f"{path}/submission", headers=seen(draft)))
    assert (profile["state"], profile["moves"]) == ("internal_review", [])
    read = await made(reviewer.get(path))
    assert read["moves"] == ["publish", "return"]
    comments = [{"field": "summary", "comment": "Say how many hulls."}]
    profile = await made(
        reviewer.post(f"{path}/review", json={"decision": "return", "comments": comments}, headers=seen(profile))
    )
    assert profile["state"] == "returned"
    assert profile["reviews"][0]["comments"] == comments
    changed = profile_body(summary="Sixty hulls a year wait for another fibre.")
    profile = await made(broker.put(path, json=changed, headers=seen(profile)))
    profile = await made(broker.post(f"{path}/submission", headers=seen(profile)))
    profile = await made(reviewer.post(f"{path}/review", json=verdict_body(), headers=seen(profile)))
    assert profile["state"] == "published"
    assert [review["decision"] for review in profile["reviews"]] == ["publish", "return"]
    today = clock.now().date()
    assert abs((datetime.fromisoformat(profile["valid_until"]).date() - today).days - 365) <= 2
    events = await outbox(draft["id"])
    assert steps(events) == [
        ("profile.moved", 1),
        ("profile.moved", 2),
        ("profile.moved", 3),
        ("profile.moved", 5),
        ("profile.moved", 6),
        ("profile.published", 6),
    ]
    assert {event["topic"] for event in events} == {"tibs-local.pl84.registry.v1", "tibs.pl84.registry.v1"}
    assert [event["data"].get("moved_by") for event in events[:5]] == [
        "broker",
        "broker",
        "reviewer",
        "broker",
        "reviewer",
    ]


async def test_what_is_published_holds_no_trace_of_the_client(
    published: dict[str, Any], actor: dict[str, Any], outbox: Any
) -> None:
    event = next(one for one in await outbox(published["id"]) if one["type"] == "eu.tibs.profile.published.v1")
    told = str(event["data"])
    assert event["topic"] == "tibs.pl84.registry.v1"
    for trace in (actor["id"], "Suprasl", "suprasl", "Supraśl", "broker"):
        assert trace not in told
    assert event["data"]["client"] == {
        "country": "PL",
        "kind": "sme",
        "size": "small",
        "founded": 1998,
        "certificates": ["ISO 9001"],
    }


async def test_a_profile_that_names_its_client_is_not_published(
    broker: httpx.AsyncClient, reviewer: httpx.AsyncClient, draft: dict[str, Any], actor: dict[str, Any], outbox: Any
) -> None:
    path = f"{PROFILES}/{draft['id']}"
    await made(broker.post(f"/api/v1/actors/{actor['id']}/contacts", json=contact_body(name="Anna Zielińska")))
    telling = profile_body(
        summary="Supraśl Hulls seeks flax.",
        partner_sought={"task": "Write to partners@suprasl-hulls.example or Ms Zielińska"},
        technology_keywords=["flax", "EP 1 234 567"],
    )
    profile = await made(broker.put(path, json=telling, headers=seen(draft)))
    anonymity = await made(broker.get(f"{path}/anonymity"))
    assert anonymity["anonymous"] is False
    assert [(one["field"], one["text"]) for one in anonymity["findings"]] == [
        ("summary", "Supraśl Hulls"),
        ("partner_sought.task", "partners@suprasl-hulls.example"),
        ("partner_sought.task", "Ms Zielińska"),
        ("technology_keywords.1", "EP 1 234 567"),
    ]
    profile = await made(broker.post(f"{path}/submission", headers=seen(profile)))
    answer = await reviewer.post(f"{path}/review", json=verdict_body(), headers=seen(profile))
    assert answer.status_code == 409
    assert answer.json()["findings"] == anonymity["findings"]
    assert answer.json()["errors"][0]["pointer"] == "/summary"
    assert "profile.published" not in [step for step, _ in steps(await outbox(draft["id"]))]
    assert (await made(reviewer.get(path)))["state"] == "internal_review"


async def test_nobody_reviews_what_they_wrote(broker: httpx.AsyncClient, draft: dict[str, Any], sign_in: Any) -> None:
    path = f"{PROFILES}/{draft['id']}"
    lead = await sign_in(Role.LEAD, Role.REVIEWER, person="lea")
    profile = await made(lead.put(path, json=profile_body(title="Flax for hulls"), headers=seen(draft)))
    profile = await made(broker.post(f"{path}/submission", headers=seen(profile)))
    both = await sign_in(Role.BROKER, Role.REVIEWER, person="broker")
    for writer in (lead, both):
        answer = await writer.post(f"{path}/review", json=verdict_body(), headers=seen(profile))
        assert answer.status_code == 403
        assert answer.json()["detail"] == "You wrote in this profile, so somebody else reviews it."


async def test_another_brokers_profile_is_not_changed(draft: dict[str, Any], sign_in: Any) -> None:
    path, other = f"{PROFILES}/{draft['id']}", await sign_in(Role.BROKER, person="ben")
    assert (await made(other.get(path)))["moves"] == []
    for answer in (
        await other.put(path, json=profile_body(), headers=seen(draft)),
        await other.post(f"{path}/submission", headers=seen(draft)),
        await other.post(f"{path}/withdrawal", json={}, headers=seen(draft)),
    ):
        assert answer.status_code == 403


async def test_a_wrong_step_says_what_is_possible(
    broker: httpx.AsyncClient, reviewer: httpx.AsyncClient, draft: dict[str, Any], outbox: Any
) -> None:
    path = f"{PROFILES}/{draft['id']}"
    answer = await reviewer.post(f"{path}/review", json=verdict_body(), headers=seen(draft))
    problem = answer.json()
    assert (answer.status_code, problem["tried"], problem["from"]) == (409, "publish", "draft")
    assert problem["possible"] == ["edit", "submit"]
    assert "cannot take the step 'publish'" in problem["detail"]
    assert (await broker.post(f"{path}/withdrawal", json={}, headers=seen(draft))).status_code == 409
    assert steps(await outbox(draft["id"])) == [("profile.moved", 1)]


async def test_submission_lists_all_that_is_missing(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    body = {"actor_id": actor["id"], "profile_type": "TO", "description": "Short."}
    profile = await made(broker.post(PROFILES, json=body))
    answer = await broker.post(f"{PROFILES}/{profile['id']}/submission", headers=seen(profile))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/title",
        "/summary",
        "/description",
        "/partner_sought/task",
        "/advantages",
        "/cooperation",
        "/sectors",
        "/stage",
    ]
    assert [gap["pointer"] for gap in profile["missing"]] == [error["pointer"] for error in answer.json()["errors"]]


async def test_references_are_never_given_twice(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    drafts = await asyncio.gather(*(made(broker.post(PROFILES, json=profile_body(actor["id"]))) for _ in range(6)))
    numbers = sorted(draft["reference"][-3:] for draft in drafts)
    assert numbers == ["001", "002", "003", "004", "005", "006"]
    one = drafts[0]
    other_type = profile_body(profile_type="TR")
    changed = await made(broker.put(f"{PROFILES}/{one['id']}", json=other_type, headers=seen(one)))
    assert changed["reference"].startswith("TRPL")
    assert changed["reference"].endswith("007")


async def test_a_withdrawn_profile_ends_everywhere(
    broker: httpx.AsyncClient, published: dict[str, Any], outbox: Any
) -> None:
    path = f"{PROFILES}/{published['id']}"
    profile = await made(broker.post(f"{path}/withdrawal", json={"note": "Found one."}, headers=seen(published)))
    assert (profile["state"], profile["moves"]) == ("withdrawn", [])
    last = (await outbox(published["id"]))[-2:]
    assert steps(last) == [("profile.moved", 4), ("profile.withdrawn", 4)]
    assert last[1]["data"]["reason"] == "withdrawn"
    assert "Found one." not in str(last)


async def test_a_profile_expires_on_the_day_after_its_last(
    service: Service, published: dict[str, Any], reviewer: httpx.AsyncClient, outbox: Any
) -> None:
    last_day = datetime.fromisoformat(published["valid_until"]).replace(hour=12, tzinfo=UTC)
    for at, ended in ((last_day, 0), (last_day + timedelta(days=1), 1), (last_day + timedelta(days=2), 0)):
        async with service.database.transaction() as session:
            assert await use_cases.expire(session, node=service.node, at=at) == ended
    profile = await made(reviewer.get(f"{PROFILES}/{published['id']}"))
    assert profile["state"] == "expired"
    last = (await outbox(published["id"]))[-2:]
    assert steps(last) == [("profile.moved", 4), ("profile.withdrawn", 4)]
    assert last[1]["data"]["reason"] == "expired"
    assert last[0]["data"].get("moved_by") is None


async def test_two_reviewers_at_once_publish_once(submitted: dict[str, Any], sign_in: Any, outbox: Any) -> None:
    path = f"{PROFILES}/{submitted['id']}/review"
    clients = [await sign_in(Role.REVIEWER, person=f"reviewer-{number}") for number in range(3)]
    answers = await asyncio.gather(
        *(client.post(path, json=verdict_body(), headers=seen(submitted)) for client in clients)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    assert [step for step, _ in steps(await outbox(submitted["id"]))].count("profile.published") == 1


async def test_lists_are_filtered_and_paged(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    made_ids = [
        (await made(broker.post(PROFILES, json=profile_body(actor["id"], title=f"Title {number}"))))["id"]
        for number in range(3)
    ]
    first = await made(broker.get(PROFILES, params={"limit": 2}))
    second = await made(broker.get(PROFILES, params={"limit": 2, "cursor": first["next"]}))
    assert [one["id"] for one in first["items"] + second["items"]] == made_ids[::-1]
    assert (first["total"], second["next"]) == (3, None)
    assert (await made(broker.get(PROFILES, params={"state": ["published", "expired"]})))["total"] == 0
    assert (await made(broker.get(PROFILES, params={"state": "draft", "actor_id": actor["id"]})))["total"] == 3
    assert (await made(broker.get(PROFILES, params={"actor_id": str(new_id())})))["total"] == 0


async def test_a_research_request_says_its_programme(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    call = {"programme": "Horizon Europe", "call": "HORIZON-CL6", "budget_eur": 2_000_000, "call_closes": "2027-02-01"}
    body = profile_body(actor["id"], profile_type="RDR", research_call=call, sdgs=[9, 14], nace=["30.12"])
    profile = await made(broker.post(PROFILES, json=body))
    assert profile["research_call"] == call | {
        "coordinator_needed": False,
        "duration_months": None,
        "interest_by": None,
    }
    answer = await broker.put(
        f"{PROFILES}/{profile['id']}", json=profile_body(research_call=call), headers=seen(profile)
    )
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/research_call"]
