"""The service over HTTP."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from tibs_chassis import clock, migrations
from tibs_chassis.app import Service
from tibs_chassis.auth import Principal, Role
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.testing import assert_migrated, make_principal, walk_access
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.ids import new_id
from tibs_notify.access import ACCESS
from tibs_notify.deliveries import service as deliveries
from tibs_notify.deliveries.service import Failure
from tibs_notify.notices import service as notices
from tibs_notify.notices.rules import Concern, NoticeKind, NoticeType
from tibs_notify.notices.service import Cause
from tibs_notify.preferences.links import UnsubscribeLinks
from tibs_notify.tables import Table

pytestmark = pytest.mark.integration

SignIn = Callable[[Principal | None], AbstractAsyncContextManager[httpx.AsyncClient]]
BROKER = make_principal(Role.BROKER)


async def tell(database: Database, node: Node, *people: str, kind: NoticeKind = NoticeKind.PROFILE_PUBLISHED) -> None:
    concern = Concern(kind, "/profiles/1", {"title": "Sensors", "region": "fi1c"}, people=people)
    cause = Cause(event_id=new_id(), correlation_id=new_id(), at=clock.now())
    async with database.transaction() as session:
        await notices.tell(session, node=node, concern=concern, cause=cause)


async def test_the_tables_are_those_of_the_models(database: Database, database_url: str) -> None:
    assert_migrated(database_url, Table.metadata)
    migrations.upgrade(database_url, "tibs_notify")


async def test_every_route_lets_in_whom_the_matrix_names(service: Service, minter: TokenMinter) -> None:
    assert service.api is not None
    assert await walk_access(service.api, ACCESS, minter=minter, audience="notify") == []


async def test_people_see_their_own_notices_newest_first_in_their_language(
    database: Database, node: Node, signed_in: SignIn
) -> None:
    await tell(database, node, "broker", "lead")
    await tell(database, node, "broker", kind=NoticeKind.INTRODUCTION_RECEIVED)
    async with signed_in(make_principal(Role.BROKER, language="de")) as client:
        page = (await client.get("/api/v1/notices")).json()
    assert [one["title"] for one in page["items"]] == [
        "Kymenlaakso bittet um eine Vermittlung",
        "Ihr Profil ist veröffentlicht",
    ]
    assert (page["total"], page["unseen"], page["next"]) == (2, 2, None)
    first = page["items"][0]
    assert (first["kind"], first["type"], first["critical"]) == ("introduction_received", "urgent", True)
    assert first["link"] == "/profiles/1"
    assert first["seen_at"] is None


async def test_pages_follow_one_another_without_a_gap(database: Database, node: Node, signed_in: SignIn) -> None:
    for _ in range(5):
        await tell(database, node, "broker")
    seen: list[str] = []
    cursor = None
    async with signed_in(BROKER) as client:
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/api/v1/notices", params=params)).json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


async def test_seen_is_seen_once_and_counted(database: Database, node: Node, signed_in: SignIn) -> None:
    await tell(database, node, "broker")
    await tell(database, node, "broker")
    async with signed_in(BROKER) as client:
        newest, oldest = [one["id"] for one in (await client.get("/api/v1/notices")).json()["items"]]
        first = (await client.post(f"/api/v1/notices/{newest}/seen")).json()
        again = (await client.post(f"/api/v1/notices/{newest}/seen", json={})).json()
        assert first["seen_at"] == again["seen_at"] is not None
        assert (await client.get("/api/v1/notices/unseen")).json() == {"unseen": 1}
        unseen = (await client.get("/api/v1/notices", params={"seen": "false"})).json()
        assert [one["id"] for one in unseen["items"]] == [oldest]
        assert (await client.post("/api/v1/notices/seen", json={})).json() == {"unseen": 0}


async def test_a_notice_that_came_after_the_page_stays_unseen(
    database: Database, node: Node, signed_in: SignIn
) -> None:
    await tell(database, node, "broker")
    async with signed_in(BROKER) as client:
        until = (await client.get("/api/v1/notices")).json()["items"][0]["id"]
        await tell(database, node, "broker")
        assert (await client.post("/api/v1/notices/seen", json={"until": until})).json() == {"unseen": 1}


async def test_somebody_elses_notice_is_not_there(database: Database, node: Node, signed_in: SignIn) -> None:
    await tell(database, node, "lead")
    async with signed_in(make_principal(Role.LEAD)) as client:
        id = (await client.get("/api/v1/notices")).json()["items"][0]["id"]
    async with signed_in(BROKER) as client:
        answer = await client.post(f"/api/v1/notices/{id}/seen")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_people_see_their_own_deliveries_and_a_lead_those_of_the_desk(
    database: Database, node: Node, signed_in: SignIn
) -> None:
    await tell(database, node, "broker")
    await tell(database, node, "reviewer")
    async with signed_in(BROKER) as client:
        page = (await client.get("/api/v1/deliveries")).json()
        refused = await client.get("/api/v1/deliveries", params={"desk": "true"})
    assert [one["person"] for one in page["items"]] == ["broker"]
    assert page["items"][0]["state"] == "queued"
    assert page["items"][0]["subject"] == "Your profile is published"
    assert refused.status_code == 403
    async with signed_in(make_principal(Role.LEAD)) as client:
        assert (await client.get("/api/v1/deliveries")).json()["total"] == 0
        page = (await client.get("/api/v1/deliveries", params={"desk": "true"})).json()
    assert sorted(one["person"] for one in page["items"]) == ["broker", "reviewer"]


async def _stuck(client: httpx.AsyncClient) -> list[str]:
    page = (await client.get("/api/v1/deliveries", params={"stuck": "true"})).json()
    return [one["id"] for one in page["items"]]


async def test_a_failed_delivery_shows_its_log_and_can_be_tried_again(
    database: Database, node: Node, signed_in: SignIn
) -> None:
    await tell(database, node, "broker")
    async with signed_in(BROKER) as client:
        id = (await client.get("/api/v1/deliveries")).json()["items"][0]["id"]
        early = await client.post(f"/api/v1/deliveries/{id}/attempts")
        assert early.status_code == 409
        assert early.json()["state"] == "queued"
        assert await _stuck(client) == []
        async with database.transaction() as session:
            failure = Failure("the mail server refused the mail (550)", final=True, address="b…@pl84.example")
            await deliveries.record_failure(session, delivery_id=id, failure=failure, schedule=(1,))
        found = (await client.get("/api/v1/deliveries", params={"state": "failed"})).json()
        assert [one["id"] for one in found["items"]] == [id]
        assert await _stuck(client) == [id]
        with_log = (await client.get(f"/api/v1/deliveries/{id}")).json()
        assert with_log["log"][0]["reason"] == "the mail server refused the mail (550)"
        assert (await client.post(f"/api/v1/deliveries/{id}/attempts")).status_code == 202
        assert (await client.get(f"/api/v1/deliveries/{id}")).json()["state"] == "queued"
        assert await _stuck(client) == [id], "until it has arrived"
    async with signed_in(make_principal(Role.REVIEWER)) as client:
        assert (await client.get(f"/api/v1/deliveries/{id}")).status_code == 404


async def test_a_choice_is_kept_and_changed_by_its_version(signed_in: SignIn) -> None:
    async with signed_in(BROKER) as client:
        untouched = await client.get("/api/v1/preferences")
        assert untouched.headers["etag"] == '"1"'
        assert all(one["in_app"] and one["mail"] for one in untouched.json()["choices"])
        assert [one["type"] for one in untouched.json()["choices"] if one["critical"]] == ["urgent"]
        body = {
            "choices": [{"type": "profile", "mail": False}],
            "quiet_hours": {"start": "20:00", "end": "07:00"},
        }
        assert (await client.put("/api/v1/preferences", json=body)).status_code == 428
        changed = await client.put("/api/v1/preferences", json=body, headers={"If-Match": '"1"'})
        assert changed.status_code == 200
        assert changed.headers["etag"] == '"2"'
        stale = await client.put("/api/v1/preferences", json=body, headers={"If-Match": '"1"'})
        assert stale.status_code == 412
        found = (await client.get("/api/v1/preferences")).json()
    assert found["quiet_hours"] == {"start": "20:00:00", "end": "07:00:00"}
    assert {one["type"] for one in found["choices"] if not one["mail"]} == {"profile"}
    assert all(one["in_app"] for one in found["choices"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"choices": [{"type": "urgent", "mail": False}]}, "/choices/0/mail"),
        ({"choices": [{"type": "weather"}]}, "/choices/0/type"),
        ({"choices": [{"type": "profile", "fax": True}]}, "/choices/0/fax"),
        ({"choices": "none"}, "/choices"),
        ({"choices": [{"type": "profile"}] * 21}, "/choices"),
        ({"quiet_hours": {"start": "25:00", "end": "07:00"}}, "/quiet_hours/start"),
        ({"quiet_hours": {"start": "07:00", "end": "07:00"}}, "/quiet_hours/end"),
        ({"quiet_hours": {"start": "20:00Z", "end": "07:00"}}, "/quiet_hours"),
        ({"sound": True}, "/sound"),
        ([], "/"),
    ],
)
async def test_a_choice_that_makes_no_sense_is_refused_by_field(body: Any, pointer: str, signed_in: SignIn) -> None:
    async with signed_in(BROKER) as client:
        answer = await client.put("/api/v1/preferences", json=body, headers={"If-Match": '"1"'})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert (await client.get("/api/v1/preferences")).json()["version"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/notices?limit=0"),
        ("GET", "/api/v1/notices?limit=many"),
        ("GET", "/api/v1/notices?cursor=%00"),
        ("GET", "/api/v1/notices?seen=perhaps"),
        ("POST", "/api/v1/notices/not-an-id/seen"),
        ("GET", "/api/v1/deliveries?state=lost"),
        ("GET", "/api/v1/deliveries/%2e%2e%00"),
        ("GET", "/api/v1/unsubscriptions"),
    ],
)
async def test_bad_input_is_a_problem_document(method: str, path: str, signed_in: SignIn) -> None:
    async with signed_in(BROKER) as client:
        answer = await client.request(method, path)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_mails_link_switches_off_its_type_for_its_person_whoever_follows_it(
    signed_in: SignIn, links: UnsubscribeLinks
) -> None:
    link = links.make(person="broker", notice_type=NoticeType.INTRODUCTION, language="pl")
    token = link.partition("&token=")[2]
    async with signed_in(make_principal(Role.NODE)) as client:
        shown = await client.get("/api/v1/unsubscriptions", params={"token": token})
        assert shown.json() == {"type": "introduction", "title": "Progress of introductions"}
        for _ in range(2):
            assert (await client.post("/api/v1/unsubscriptions", json={"token": token})).status_code == 200
    async with signed_in(BROKER) as client:
        found = (await client.get("/api/v1/preferences")).json()
    assert {one["type"] for one in found["choices"] if not one["mail"]} == {"introduction"}
    assert found["version"] == 2


async def test_a_link_that_is_not_ours_is_gone(signed_in: SignIn, links: UnsubscribeLinks, minter: TokenMinter) -> None:
    token = links.make(person="broker", notice_type=NoticeType.PROFILE, language="pl").partition("&token=")[2]
    bad = [token[:-4] + "AAAA", "nonsense", "a.b.c", minter.mint(BROKER, "notify"), "\u202e" * 3]
    async with signed_in(make_principal(Role.NODE)) as client:
        for one in bad:
            answer = await client.post("/api/v1/unsubscriptions", json={"token": one})
            assert answer.status_code == 410, one
            assert answer.json()["title"] == "This link does not work any more"


async def test_the_link_of_a_mail_is_no_token_for_the_api(
    service: Service, links: UnsubscribeLinks, signed_in: SignIn
) -> None:
    token = links.make(person="broker", notice_type=NoticeType.PROFILE, language="pl").partition("&token=")[2]
    async with signed_in(None) as client:
        answer = await client.get("/api/v1/notices", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
