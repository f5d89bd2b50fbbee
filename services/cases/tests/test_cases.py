"""Cases over HTTP, on a real database."""

import asyncio
from typing import Any

import pytest

from tibs_cases.access import ACCESS
from tibs_cases.cases.rules import CaseState
from tibs_cases.desk.service import remember_person
from tibs_cases.tables import Table
from tibs_chassis.auth import Role
from tibs_chassis.testing import assert_migrated, make_principal, walk_access
from tibs_contracts.events import Need
from tibs_contracts.ids import new_id

from .conftest import TestNode, case_body, profile_event, publish

pytestmark = pytest.mark.integration


async def open_case(node: TestNode, **changes: Any) -> dict[str, Any]:
    async with node.api() as api:
        answer = await api.post("/cases", json=case_body(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_migrations_make_the_tables_of_the_models(pl: TestNode) -> None:
    await asyncio.to_thread(assert_migrated, pl.database.url, Table.metadata)


async def test_every_route_answers_exactly_the_roles_of_its_row(pl: TestNode) -> None:
    assert await walk_access(pl.app, ACCESS, minter=pl.minter, audience="cases") == []


async def test_opening_gives_a_receipt_and_tells_the_public_nothing_of_the_client(pl: TestNode) -> None:
    case = await open_case(pl)
    assert case["receipt"].startswith("PL84-")
    assert case["state"] == "partner_search"  # declared and diagnosed: the case follows
    assert case["broker"] == pl.broker.person
    assert [promise["kind"] for promise in case["promises"]] == ["first_contact"]
    opened = (await pl.told(type_="case.opened.%"))[0]
    assert opened.topic == "tibs.pl84.brokerage.v1"
    assert opened.data["sectors"] == ["sustainable_construction"]
    assert "Sok" not in str(opened.data)
    assert case["client"]["actor_id"] not in str(opened.data) if "actor_id" in case["client"] else True


async def test_a_step_is_refused_with_the_list_of_what_is_missing(pl: TestNode) -> None:
    case = await open_case(pl, no_conflict=False, diagnosis="")
    assert case["state"] == "intake"
    async with pl.api() as api:
        answer = await api.post(f"/cases/{case['id']}/moves", json={"to": "diagnosis"})
    assert answer.status_code == 409
    problem = answer.json()
    assert (problem["tried"], problem["from_state"]) == ("diagnosis", "intake")
    assert problem["possible"] == ["closed", "on_hold"]
    assert [item["code"] for item in problem["missing"]] == ["no_conflict_declaration"]


async def test_documents_move_the_case_along_and_keep_promises(pl: TestNode) -> None:
    case = await open_case(pl, no_conflict=False, diagnosis="")
    path = f"/cases/{case['id']}"
    async with pl.api() as api:
        declared = await api.post(f"{path}/no-conflict")
        assert declared.json()["state"] == "diagnosis"
        contacted = (await api.post(f"{path}/first-contact")).json()
        assert [promise["kind"] for promise in contacted["promises"]] == ["diagnosis"]
        written = await api.put(
            f"{path}/diagnosis", json={"text": "Lacks a supplier."}, headers={"If-Match": f'"{contacted["version"]}"'}
        )
        assert written.json()["state"] == "partner_search"
        assert written.json()["promises"] == []
        timeline = (await api.get(f"{path}/timeline")).json()["items"]
    assert [entry["kind"] for entry in reversed(timeline)] == [
        "case_opened",
        "no_conflict_declared",
        "case_moved",
        "first_contact",
        "diagnosis_written",
        "case_moved",
    ]


async def test_an_edit_of_an_old_version_is_refused(pl: TestNode) -> None:
    case = await open_case(pl)
    path = f"/cases/{case['id']}/need"
    need = case_body()["need"] | {"title": "Another title"}
    async with pl.api() as api:
        etag = {"If-Match": f'"{case["version"]}"'}
        assert (await api.put(path, json=need)).status_code == 428
        assert (await api.put(path, json=need, headers={"If-Match": "three"})).status_code == 400
        assert (await api.put(path, json=need, headers=etag)).status_code == 200
        assert (await api.put(path, json=need, headers=etag)).status_code == 412


async def test_the_same_request_twice_opens_one_case(pl: TestNode) -> None:
    body, key = case_body(), {"Idempotency-Key": "a-key-of-this-test"}
    async with pl.api() as api:
        first, again = [await api.post("/cases", json=body, headers=key) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    assert len(await pl.rows("SELECT id FROM brokerage_case")) == 1


async def test_a_case_on_hold_rests_and_returns(pl: TestNode) -> None:
    case = await open_case(pl)
    path = f"/cases/{case['id']}"
    async with pl.api() as api:
        held = (await api.post(f"{path}/moves", json={"to": "on_hold", "note": "Until the fair."})).json()
        assert held["held_from"] == "partner_search"
        refused = await api.post(f"{path}/shortlist", json={"profile_id": str(new_id())})
        assert refused.status_code == 409
        assert refused.json()["possible"] == ["closed", "partner_search"]
        back = (await api.post(f"{path}/moves", json={"to": "partner_search"})).json()
        assert (back["state"], back["held_from"]) == ("partner_search", None)


async def test_closing_needs_a_reason_and_is_told_once(pl: TestNode) -> None:
    case = await open_case(pl)
    path = f"/cases/{case['id']}/moves"
    async with pl.api() as api:
        refused = await api.post(path, json={"to": "closed"})
        assert [item["code"] for item in refused.json()["missing"]] == ["closing_reason"]
        closed = await api.post(path, json={"to": "closed", "reason": "not_ready", "note": "First a prototype."})
        assert closed.json()["closing_reason"] == "not_ready"
        assert (await api.post(path, json={"to": "closed", "reason": "not_ready"})).status_code == 409
    assert len(await pl.told(type_="case.closed.%")) == 1
    assert await pl.rows("SELECT id FROM promise WHERE state = 'made'") == []


async def test_the_shortlist_takes_only_published_profiles_that_are_open(pl: TestNode, fi: TestNode) -> None:
    case = await open_case(pl)
    path = f"/cases/{case['id']}/shortlist"
    offer = profile_event()
    over = profile_event(valid_until="2026-01-01")
    closed = profile_event(open_for_interest=False)
    for event in (offer, over, closed):
        await publish(event, home=fi, nodes=[pl], author="somebody")
    async with pl.api() as api:
        assert (await api.post(path, json={"profile_id": str(new_id())})).status_code == 404
        for event in (over, closed):
            refused = await api.post(path, json={"profile_id": str(event.profile_id)})
            assert refused.status_code == 409
            assert event.reference in refused.json()["detail"]
        added = await api.post(path, json={"profile_id": str(offer.profile_id), "note": "Fits."})
        assert added.status_code == 201
        assert (await api.get(f"/cases/{case['id']}")).json()["state"] == "shortlist"
        judged = await api.put(f"{path}/{offer.profile_id}", json={"verdict": "rejected", "reason": "Too far away."})
        assert judged.json()["verdict"] == "rejected"
        assert (await api.delete(f"{path}/{offer.profile_id}")).status_code == 204
        assert (await api.delete(f"{path}/{offer.profile_id}")).status_code == 404


async def test_an_introduction_waits_for_declaration_and_diagnosis(pl: TestNode, fi: TestNode) -> None:
    case = await open_case(pl, no_conflict=False, diagnosis="")
    offer = profile_event()
    await publish(offer, home=fi, nodes=[pl], author="somebody")
    body = {"profile_id": str(offer.profile_id), "message": "Hello"}
    async with pl.api() as api:
        refused = await api.post(f"/cases/{case['id']}/introductions", json=body)
        assert refused.status_code == 409
        codes = [item["code"] for item in refused.json()["missing"]]
        assert codes == ["no_conflict_declaration", "diagnosis"]
        assert (await api.get(f"/cases/{case['id']}")).json()["shortlist"] == []


async def test_what_is_sent_names_neither_client_nor_case_number(pl: TestNode, fi: TestNode) -> None:
    case = await open_case(pl)
    offer = profile_event()
    await publish(offer, home=fi, nodes=[pl], author="somebody")
    path = f"/cases/{case['id']}/introductions"
    async with pl.api() as api:
        named = await api.post(
            path, json={"profile_id": str(offer.profile_id), "message": "Our client ZAKŁAD SOKÓŁ asks"}
        )
        assert named.status_code == 422
        assert named.json()["errors"][0]["pointer"] == "/message"
        asked = await api.post(path, json={"profile_id": str(offer.profile_id), "message": "Our client asks"})
        assert asked.status_code == 201
        again = await api.post(path, json={"profile_id": str(offer.profile_id), "message": "Our client asks"})
        assert again.status_code == 409
        assert (await api.get(f"/cases/{case['id']}")).json()["state"] == "introduction"
        closing = await api.post(f"/cases/{case['id']}/moves", json={"to": "closed", "reason": "no_suitable_partner"})
        assert [item["code"] for item in closing.json()["missing"]] == ["settled_introductions"]
    sent = (await pl.told(type_="introduction.requested.%"))[0]
    assert sent.topic == "tibs.pl84.to.fi1c.cases.v1"
    assert case["receipt"] not in str(sent.data)
    assert case["client_actor_id"] not in str(sent.data)
    Need.model_validate(sent.data["need"])


async def test_a_profile_of_the_own_region_needs_no_other_region(pl: TestNode) -> None:
    case = await open_case(pl)
    offer = profile_event()
    await publish(offer, home=pl, nodes=[pl], author="somebody")
    async with pl.api() as api:
        refused = await api.post(
            f"/cases/{case['id']}/introductions", json={"profile_id": str(offer.profile_id), "message": "Hello"}
        )
    assert refused.status_code == 409


async def test_a_broker_sees_the_own_cases_a_lead_all(pl: TestNode) -> None:
    case = await open_case(pl)
    other = make_principal(Role.BROKER, person="other-broker")
    async with pl.api(other) as api:
        assert (await api.get(f"/cases/{case['id']}")).status_code == 403
        assert (await api.get("/cases")).json()["total"] == 0
    async with pl.api(pl.lead) as api:
        assert (await api.get(f"/cases/{case['id']}")).status_code == 200
        assert (await api.get("/cases", params={"q": "sokół timber"})).json()["total"] == 1
        assert (await api.get("/cases", params={"q": "fish"})).json()["total"] == 0


async def test_a_lead_assigns_and_the_deputy_of_an_absent_broker_may_act(pl: TestNode) -> None:
    case = await open_case(pl)
    other = make_principal(Role.BROKER, person="other-broker")
    async with pl.database.transaction() as session:
        await remember_person(session, principal=other)
    async with pl.api(pl.lead) as api:
        unknown = await api.post(f"/cases/{case['id']}/assignment", json={"broker": "nobody"})
        assert unknown.status_code == 422
        given = await api.post(f"/cases/{case['id']}/assignment", json={"broker": "other-broker"})
        assert given.json()["broker"] == "other-broker"
        assert given.json()["no_conflict_at"] is None
    async with pl.api() as api:
        assert (await api.get(f"/cases/{case['id']}")).status_code == 403
    async with pl.api(other) as api:
        away = {"absent_until": "2999-12-31", "deputy": pl.broker.person}
        assert (await api.put("/people/other-broker/absence", json=away)).status_code == 200
    async with pl.api() as api:
        assert (await api.get(f"/cases/{case['id']}")).status_code == 200
        assert (await api.get("/cases")).json()["total"] == 1


async def test_lists_are_read_in_pages(pl: TestNode) -> None:
    opened = [(await open_case(pl))["id"] for _ in range(3)]
    async with pl.api() as api:
        first = (await api.get("/cases", params={"limit": 2})).json()
        second = (await api.get("/cases", params={"limit": 2, "cursor": first["next"]})).json()
    assert [row["id"] for row in first["items"] + second["items"]] == opened[::-1]
    assert (first["total"], second["next"]) == (3, None)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"need": {"title": 5}}, "/need/title"),
    ({"surprise": 1}, "/surprise"),
    ({"client": {"actor_id": "x"}}, "/client/actor_id"),
    ({"diagnosis": "a\x00b"}, "/diagnosis"),
    ({"diagnosis": "x" * 4001}, "/diagnosis"),
    ({"need": case_body()["need"] | {"sectors": ["magic"]}}, "/need/sectors/0"),
    ({"need": case_body()["need"] | {"title": "x" * 201}}, "/need/title"),
    ({"need": case_body()["need"] | {"summary": "\u2066hidden"}}, "/need/summary"),
    ({"client": case_body()["client"] | {"kind": "unknown"}}, "/client/kind"),
    ({"no_conflict": "perhaps"}, "/no_conflict"),
]


async def test_bad_input_names_field_and_reason_and_writes_nothing(pl: TestNode) -> None:
    async with pl.api() as api:
        for change, pointer in BAD:
            answer = await api.post("/cases", json=case_body() | change)
            assert answer.status_code == 422, (pointer, answer.text)
            assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await pl.rows("SELECT id FROM brokerage_case") == []


async def test_bad_queries_are_refused(pl: TestNode) -> None:
    async with pl.api() as api:
        for path in ("/cases?cursor=1", "/cases?limit=0", "/cases?state=lost", "/introductions?side=up"):
            answer = await api.get(path)
            assert answer.status_code == 422, (path, answer.text)


async def test_every_state_can_be_asked_for(pl: TestNode) -> None:
    async with pl.api() as api:
        for state in CaseState:
            assert (await api.get("/cases", params={"state": state.value})).status_code == 200
