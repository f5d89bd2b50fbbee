"""From an event on Kafka to notices and mails, with a real PostgreSQL and a real mail server."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.node import Node
from tibs_chassis.testing import TestRecord, record_of, take_all
from tibs_contracts.codes import ProfileType
from tibs_contracts.events import (
    Event,
    IntroductionMoved,
    IntroductionStep,
    ProfileMoved,
    ProfileState,
    PromiseMoved,
    PromiseState,
    Side,
)
from tibs_contracts.ids import new_id
from tibs_notify.deliveries.model import Delivery
from tibs_notify.notices.events import consumer
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import NoticeKind, NoticeType
from tibs_notify.preferences import service as preferences
from tibs_notify.preferences.rules import Channel
from tibs_notify.worker import Worker

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def introduction(step: IntroductionStep = IntroductionStep.RECEIVED, **changes: Any) -> IntroductionMoved:
    values: dict[str, Any] = {
        "introduction_id": new_id(),
        "case_id": new_id(),
        "side": Side.COUNTERPART if step is IntroductionStep.RECEIVED else Side.HOME,
        "step": step,
        "other_region": "fi1c",
        "title": "Sensors for wood drying",
        "concerned": ["broker"],
        "due": date(2026, 12, 1),
        "moved_at": NOW,
    }
    return IntroductionMoved(**(values | changes))


def profile(state: ProfileState, **changes: Any) -> ProfileMoved:
    values: dict[str, Any] = {
        "profile_id": new_id(),
        "actor_id": new_id(),
        "reference": "TRPL20261124001",
        "profile_type": ProfileType.TECHNOLOGY_REQUEST,
        "title": "Sensors for wood drying",
        "state": state,
        "author": "broker",
        "moved_by": "broker",
        "moved_at": NOW,
        "region": "pl84",
    }
    return ProfileMoved(**(values | changes))


def promise(state: PromiseState) -> PromiseMoved:
    return PromiseMoved(
        promise_id=new_id(),
        kind="client_decision",
        state=state,
        case_id=new_id(),
        title="Sensors for wood drying",
        responsible="broker",
        supervisor="lead",
        due=date(2026, 12, 1),
        moved_at=NOW,
    )


def record(event: Event, *, sequence: int = 1) -> TestRecord:
    service = "registry" if isinstance(event, ProfileMoved) else "cases"
    return record_of(event, region="pl84", service=service, subject=new_id(), sequence=sequence)


async def all_notices(database: Database) -> list[Notice]:
    async with database.transaction() as session:
        return list(await session.scalars(select(Notice).order_by(col(Notice.person), col(Notice.id))))


async def all_deliveries(database: Database) -> list[Delivery]:
    async with database.transaction() as session:
        return list(await session.scalars(select(Delivery).order_by(col(Delivery.id))))


async def outbox(database: Database) -> list[Any]:
    async with database.transaction() as session:
        return list(await session.execute(text("SELECT topic, type, subject, headers, payload FROM outbox")))


async def test_an_introduction_for_me_is_a_notice_a_mail_and_a_hint(
    database: Database, notices: Consumer, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    moved = introduction()
    arrived = record(moved)
    assert await take_all(notices, [arrived], database=database) == ["applied"]
    [notice] = await all_notices(database)
    assert (notice.person, notice.kind, notice.critical) == ("broker", NoticeKind.INTRODUCTION_RECEIVED.value, True)
    assert notice.link == f"/introductions/{moved.introduction_id}"
    [hint] = await outbox(database)
    assert (hint.topic, hint.type) == ("tibs-local.pl84.notify.v1", "eu.tibs.notice.raised.v1")
    assert UUID(hint.subject) == notice.id
    headers = dict(hint.headers)
    causes = dict(arrived.headers)
    assert headers["ce_causationid"].encode() == causes["ce_id"]
    assert headers["ce_correlationid"].encode() == causes["ce_correlationid"]
    await worker.work_off()
    [mail] = catcher.mails
    assert mail["Subject"] == "Kymenlaakso asks for an introduction"
    assert mail["To"] == "broker@pl84.example"
    assert (await all_deliveries(database))[0].state == "sent"


async def test_the_same_event_twice_is_one_notice_and_one_mail(
    database: Database, node: Node, notices: Consumer, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    arrived = record(introduction())
    assert await take_all(notices, [arrived, arrived], database=database) == ["applied", "repeated"]
    # An inbox that was lost, or another consumer that knows nothing of the first.
    again = consumer(node)
    again.name = "notices2"
    assert await take_all(again, [arrived], database=database) == ["applied"]
    await worker.work_off()
    await worker.work_off()
    assert len(await all_notices(database)) == len(await all_deliveries(database)) == len(catcher.mails) == 1
    assert len(await outbox(database)) == 1


async def test_out_of_order_tells_the_same_as_in_order(database: Database, notices: Consumer) -> None:
    steps = [IntroductionStep.ACKNOWLEDGED, IntroductionStep.ACCEPTED, IntroductionStep.INTRODUCED]
    records = [record(introduction(step), sequence=number) for number, step in enumerate(steps, start=1)]
    assert await take_all(notices, records[::-1], database=database) == ["applied"] * 3
    assert {notice.kind for notice in await all_notices(database)} == {
        "introduction_acknowledged",
        "introduction_accepted",
        "introduction_completed",
    }


async def test_a_handler_that_failed_leaves_neither_notice_nor_mail_nor_job(
    database: Database, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("after everything was written")

    notices = consumer(node)
    monkeypatch.setattr("tibs_notify.deliveries.service._defer", fail)
    assert await take_all(notices, [record(introduction())], database=database) == ["dead"]
    for read in (all_notices, all_deliveries, outbox):
        assert await read(database) == []


async def test_every_reviewer_hears_of_a_submitted_profile_but_its_author(
    database: Database, notices: Consumer, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER, Role.REVIEWER)
    desk.has("reviewer", Role.REVIEWER)
    desk.has("lead", Role.LEAD)
    arrived = record(profile(ProfileState.INTERNAL_REVIEW))
    await take_all(notices, [arrived], database=database)
    assert await all_notices(database) == []
    await worker.work_off()
    await worker.work_off()
    [notice] = await all_notices(database)
    assert (notice.person, notice.kind) == ("reviewer", "profile_to_review")
    assert [mail["To"] for mail in catcher.mails] == ["reviewer@pl84.example"]
    [hint] = await outbox(database)
    assert dict(hint.headers)["ce_correlationid"].encode() == dict(arrived.headers)["ce_correlationid"]


async def test_reviewers_hear_of_it_later_when_the_desk_is_away(
    database: Database, notices: Consumer, worker: Worker, desk: Any
) -> None:
    desk.has("reviewer", Role.REVIEWER)
    desk.away = True
    await take_all(notices, [record(profile(ProfileState.INTERNAL_REVIEW))], database=database)
    await worker.work_off()
    assert await all_notices(database) == []
    desk.away = False
    await make_due(database)
    await worker.work_off()
    assert [notice.person for notice in await all_notices(database)] == ["reviewer"]


async def make_due(database: Database) -> None:
    """What was to be tried again later is to be tried now."""
    async with database.transaction() as session:
        await session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
        await session.execute(text("UPDATE delivery SET next_attempt_at = NULL WHERE state = 'queued'"))


async def test_a_muted_type_is_not_told_but_what_is_critical_is(database: Database, notices: Consumer) -> None:
    async with database.transaction() as session:
        for notice_type in (NoticeType.INTRODUCTION, NoticeType.URGENT):
            for way in Channel:
                await preferences.mute(session, person="broker", notice_type=notice_type, channel=way)
    events = [introduction(IntroductionStep.ACCEPTED), promise(PromiseState.OVERDUE)]
    await take_all(notices, [record(event) for event in events], database=database)
    told = [(notice.person, notice.kind) for notice in await all_notices(database)]
    assert told == [("broker", "promise_overdue"), ("lead", "promise_overdue")]
    assert len(await all_deliveries(database)) == 2


async def test_a_type_muted_in_the_application_alone_still_comes_by_mail(
    database: Database, notices: Consumer, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    async with database.transaction() as session:
        await preferences.mute(session, person="broker", notice_type=NoticeType.INTRODUCTION, channel=Channel.IN_APP)
    await take_all(notices, [record(introduction(IntroductionStep.ACCEPTED))], database=database)
    await worker.work_off()
    assert [notice.shown for notice in await all_notices(database)] == [False]
    assert await outbox(database) == []
    assert [mail["Subject"] for mail in catcher.mails] == ["Kymenlaakso: the client agrees"]


async def test_an_old_event_is_shown_but_writes_to_nobody(
    database: Database, notices: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a database was restored from a backup."""
    arrived = record(introduction())
    later = datetime.now(UTC) + timedelta(days=8)
    monkeypatch.setattr("tibs_notify.notices.service.clock.now", lambda: later)
    await take_all(notices, [arrived], database=database)
    assert len(await all_notices(database)) == 1
    assert await all_deliveries(database) == []


async def test_an_event_that_is_none_of_its_business_is_passed_over(database: Database, notices: Consumer) -> None:
    events = [promise(PromiseState.KEPT), introduction(IntroductionStep.REQUESTED)]
    assert await take_all(notices, [record(event) for event in events], database=database) == ["applied"] * 2
    assert await all_notices(database) == []
