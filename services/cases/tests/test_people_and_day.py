"""The desk's people, promises under the clock, the day of a person, hints to open pages."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tibs_cases import hints
from tibs_cases.promises import service as promises
from tibs_chassis import clock
from tibs_chassis.auth import Role
from tibs_chassis.testing import make_principal, record_of
from tibs_contracts.events import NoticeRaised, ProfileMoved, ProfileState, ProfileWithdrawn
from tibs_contracts.ids import new_id

from .conftest import Story, TestNode, case_body, profile_event, publish

pytestmark = pytest.mark.integration


async def check_clocks(node: TestNode, now: datetime) -> int:
    async with node.database.transaction() as session:
        return await promises.check_clocks(session, node=node.node, now=now)


async def test_notify_learns_an_address_when_it_sends(pl: TestNode) -> None:
    service = make_principal(Role.NODE, person="service:notify")
    async with pl.api(service) as api:
        found = (await api.get(f"/people/{pl.broker.person}")).json()
        assert found["email"] == f"{pl.broker.person}@pl84.example"
        assert (await api.get("/people/nobody")).status_code == 404


async def test_a_lead_enters_people_and_nobody_else_does(pl: TestNode) -> None:
    body = {"name": "Broker, Suwałki", "email": "suwalki@pl84.example", "language": "pl", "roles": ["broker"]}
    async with pl.api(pl.lead) as api:
        entered = await api.put("/people/suwalki", json=body)
        assert entered.status_code == 200, entered.text
        assert entered.headers["etag"] == '"1"'
        stale = await api.put("/people/suwalki", json=body, headers={"If-Match": '"7"'})
        assert stale.status_code == 412
        own = await api.put("/people/suwalki", json=body | {"deputy": "suwalki"})
        assert own.json()["errors"][0]["pointer"] == "/deputy"
        assert (await api.put("/people/x", json=body | {"roles": ["node"]})).status_code == 422
        assert (await api.put("/people/x", json=body | {"email": "nowhere"})).status_code == 422
    async with pl.api() as api:
        assert (await api.put("/people/suwalki", json=body)).status_code == 403
        assert (await api.put("/people/suwalki/absence", json={})).status_code == 403


async def test_a_request_goes_to_the_author_of_the_profile_or_who_stands_in_or_the_leads(
    pl: TestNode, fi: TestNode, story: Story
) -> None:
    second = make_principal(Role.BROKER, person="second", region="fi1c")
    async with fi.api(fi.lead) as api:
        body = {"name": second.name, "roles": ["broker"], "language": "fi"}
        assert (await api.put("/people/second", json=body)).status_code == 200
        away = {"absent_until": "2999-01-01", "deputy": "second"}
        assert (await api.put(f"/people/{fi.broker.person}/absence", json=away)).status_code == 200
    await story.wire.deliver()
    moved = (await fi.told(type_="introduction.moved.%"))[0].data
    assert moved["concerned"] == ["second"]
    assert (await story.half(fi))["broker"] == fi.broker.person
    nobody_s = profile_event(title="Nobody's offer")
    await publish(nobody_s, home=fi, nodes=[pl], author="never-signed-in")
    async with pl.api() as api:
        asked = await api.post(
            f"/cases/{story.case_id}/introductions",
            json={"profile_id": str(nobody_s.profile_id), "message": "Hello"},
        )
        assert asked.status_code == 201
    await story.wire.deliver()
    moved = (await fi.told(type_="introduction.moved.%"))[-1].data
    assert moved["concerned"] == [fi.lead.person]
    async with fi.api(fi.lead) as api:
        rows = (await api.get("/today")).json()["introductions"]
        assert asked.json()["id"] in [row["id"] for row in rows]
        given = await api.post(f"/introductions/{asked.json()['id']}/assignment", json={"broker": "second"})
        assert given.json()["broker"] == "second"
    async with fi.api(second) as api:
        day = (await api.get("/today")).json()
        assert asked.json()["id"] in [row["id"] for row in day["introductions"]]


async def test_a_promise_is_reminded_of_once_and_overdue_once_and_still_kept(pl: TestNode) -> None:
    async with pl.api() as api:
        case = (await api.post("/cases", json=case_body(diagnosis=""))).json()
    due = datetime.fromisoformat(case["promises"][0]["due"]).replace(hour=12, tzinfo=UTC)
    assert await check_clocks(pl, clock.now()) == 0
    assert await check_clocks(pl, due) == 1
    assert await check_clocks(pl, due) == 0
    assert await check_clocks(pl, due + timedelta(days=1)) == 1
    assert await check_clocks(pl, due + timedelta(days=30)) == 0
    async with pl.api(pl.lead) as api:
        overdue = (await api.get("/today")).json()
        supervised = [row["kind"] for group in overdue["promises"].values() for row in group]
        assert supervised == ["first_contact"]
    async with pl.api() as api:
        await api.post(f"/cases/{case['id']}/first-contact")
    told = [row.data for row in await pl.told(type_="promise.moved.%") if row.data["kind"] == "first_contact"]
    assert [row["state"] for row in told] == ["made", "reminded", "overdue", "kept"]
    assert {row["supervisor"] for row in told} == {pl.lead.person}
    assert {row["responsible"] for row in told} == {pl.broker.person}


async def test_two_processes_that_watch_the_clocks_move_each_promise_once(pl: TestNode) -> None:
    async with pl.api() as api:
        for _ in range(4):
            await api.post("/cases", json=case_body())
    late = clock.now() + timedelta(days=60)
    moved = await asyncio.gather(check_clocks(pl, late), check_clocks(pl, late))
    assert sum(moved) == 4
    overdue = [row for row in await pl.told(type_="promise.moved.%") if row.data["state"] == "overdue"]
    assert len(overdue) == 4


async def test_a_day_holds_promises_new_introductions_answers_and_what_waits_to_leave(story: Story) -> None:
    async with story.pl.api() as api:
        day = (await api.get("/today")).json()
        assert day["waiting"] == []  # on its way, not late
    await story.pl.rows("UPDATE outbox SET created_at = created_at - interval '1 minute' RETURNING seq")
    async with story.pl.api() as api:
        waiting = (await api.get("/today")).json()["waiting"]
        assert [row["id"] for row in waiting] == [story.introduction_id]
    await story.wire.deliver()
    async with story.fi.api() as api:
        new = (await api.get("/today")).json()["introductions"]
        assert [(row["id"], row["title"]) for row in new] == [
            (story.introduction_id, "Timber modules for public buildings")
        ]
    await story.post(story.fi, "messages", {"text": "Which timber?"})
    await story.post(story.fi, "acceptance", story.fi_yes)
    await story.wire.deliver()
    async with story.pl.api() as api:
        day = (await api.get("/today")).json()
        assert {row["kind"] for row in day["answers"]} == {"accepted", "message"}
        kinds = [row["kind"] for group in day["promises"].values() for row in group]
        assert sorted(kinds) == ["client_decision", "first_contact"]
    async with story.fi.api() as api:
        assert (await api.get("/today")).json()["introductions"] == []


async def test_reviewers_see_what_others_submitted(pl: TestNode) -> None:
    def moved(author: str) -> ProfileMoved:
        return ProfileMoved(
            profile_id=new_id(),
            actor_id=new_id(),
            reference="TRPL20261124001",
            profile_type="TR",
            title=f"Written by {author}",
            state=ProfileState.INTERNAL_REVIEW,
            author=author,
            moved_by=author,
            moved_at=clock.now(),
            region="pl84",
        )

    for event in (moved(pl.broker.person), moved(pl.lead.person)):
        await pl.hears(
            event, consumer="own-profiles", region="pl84", service="registry", subject=event.profile_id, sequence=1
        )
    async with pl.api(pl.lead) as api:
        reviews = (await api.get("/today")).json()["reviews"]
    assert [row["title"] for row in reviews] == [f"Written by {pl.broker.person}"]


async def test_profiles_are_known_as_last_told_in_whatever_order_they_come(pl: TestNode) -> None:
    event = profile_event()
    more: dict[str, Any] = {"region": "fi1c", "service": "registry", "subject": event.profile_id}
    first = record_of(event, sequence=1, **more)
    second = record_of(event.model_copy(update={"title": "Better words"}), sequence=2, **more)
    withdrawn = ProfileWithdrawn(
        profile_id=event.profile_id,
        reference=event.reference,
        reason="withdrawn",
        withdrawn_at=clock.now(),
    )
    third = record_of(withdrawn, sequence=3, **more)
    assert await pl.take(second, consumer="known-profiles") == "applied"
    assert await pl.take(first, consumer="known-profiles") == "outdated"
    assert [row.title for row in await pl.rows("SELECT title FROM known_profile")] == ["Better words"]
    assert await pl.take(third, consumer="known-profiles") == "applied"
    assert await pl.take(second, consumer="known-profiles") == "repeated"
    assert await pl.rows("SELECT id FROM known_profile WHERE withdrawn_at IS NULL") == []


async def test_a_region_cannot_change_a_profile_of_another(pl: TestNode) -> None:
    event = profile_event()
    more: dict[str, Any] = {"service": "registry", "subject": event.profile_id}
    assert await pl.take(record_of(event, region="fi1c", sequence=1, **more), consumer="known-profiles") == "applied"
    strange = record_of(event, region="de60", sequence=9, **more)
    assert await pl.take(strange, consumer="known-profiles") == "quarantined"


async def test_open_pages_are_told_that_something_changed(pl: TestNode) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with pl.database.direct() as connection:
        await connection.execute(f"LISTEN {hints.CHANNEL}")
        notice = NoticeRaised(notice_id=new_id(), person=pl.broker.person, kind="promise", raised_at=clock.now())
        await pl.hears(
            notice, consumer="notices", region="pl84", service="notify", subject=notice.notice_id, sequence=1
        )
        async with pl.api() as api:
            case = (await api.post("/cases", json=case_body())).json()
        async for notification in connection.notifies(timeout=10):
            heard.put_nowait(notification.payload)
            if case["id"] in notification.payload:
                break
    payloads = [heard.get_nowait() for _ in range(heard.qsize())]
    assert f'{{"person": "{pl.broker.person}"}}' in payloads
    assert f'{{"case": "{case["id"]}"}}' in payloads
