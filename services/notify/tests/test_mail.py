"""Mails, from the queue to a real mail server, through whatever goes wrong."""

import asyncio
import re
from datetime import datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from tibs_chassis import clock
from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.testing import eventually
from tibs_contracts.ids import new_id
from tibs_notify.deliveries.mail import Letterhead, compose
from tibs_notify.deliveries.model import Attempt, Delivery
from tibs_notify.deliveries.sending import Mailroom
from tibs_notify.deliveries.smtp import SmtpSender
from tibs_notify.notices import service
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import Concern, NoticeKind, NoticeType
from tibs_notify.notices.service import Cause
from tibs_notify.preferences import service as preferences
from tibs_notify.preferences.rules import Channel
from tibs_notify.worker import Worker


def notice_of(kind: NoticeKind = NoticeKind.INTRODUCTION_ACCEPTED, *, title: str = "Sensors & <wood>") -> Notice:
    return Notice(
        id=new_id(),
        person="broker",
        event_id=new_id(),
        kind=kind.value,
        critical=kind is NoticeKind.INTRODUCTION_RECEIVED,
        shown=True,
        link="/introductions/1",
        parameters={"title": title, "region": "fi1c"},
        raised_at=clock.now(),
    )


def composed(notice: Notice, head: Letterhead, *, language: str = "en", delivery_id: UUID | None = None) -> Any:
    mail = compose(
        notice,
        delivery_id=delivery_id or new_id(),
        address="broker@pl84.example",
        language=language,
        at=clock.now(),
        head=head,
    )
    return message_from_bytes(mail.as_bytes(), policy=policy.default)


def parts(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def test_a_mail_says_what_happened_where_to_look_and_why_it_came(head: Letterhead) -> None:
    delivery_id = new_id()
    mail = composed(notice_of(), head, delivery_id=delivery_id)
    plain, html = parts(mail)
    assert mail["Subject"] == "Kymenlaakso: the client agrees"
    assert mail["Message-ID"] == f"<{delivery_id}@pl84.example>"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert "“Sensors & <wood>”: the client there agrees to the introduction." in plain
    assert "https://node.example/introductions/1" in plain
    assert "member of the brokerage desk (Podlaskie)" in plain
    assert "Sensors &amp; &lt;wood&gt;" in html
    assert 'href="https://node.example/introductions/1"' in html
    assert all(len(line) <= 998 for line in mail.as_bytes().splitlines())


def test_a_mail_can_be_switched_off_by_one_click(head: Letterhead) -> None:
    mail = composed(notice_of(), head)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(
        r"<(https://node\.example/unsubscribe\?language=en&token=(\S+))>", mail["List-Unsubscribe"].strip()
    )
    assert found is not None
    read = head.links.read(found[2])
    assert (read.person, read.notice_type) == ("broker", NoticeType.INTRODUCTION)
    assert found[1] in parts(mail)[0]


@pytest.mark.integration
async def test_the_link_of_the_one_click_arrives_as_it_is(
    database: Database, node: Node, mailroom: Mailroom, desk: Any, catcher: Any
) -> None:
    """Mail programs look for it in the header as it stands; encoded words are none to them."""
    desk.has("broker", Role.BROKER)
    await mailroom.send(await raised(database, node))
    [raw] = catcher.raw
    assert re.search(
        rb"\r\nList-Unsubscribe:\r\n <https://node\.example/unsubscribe\?language=(?:en|pl)&token=[\w.-]+>\r\n", raw
    )
    assert b"=?utf-8?" not in raw.partition(b"\r\n\r\n")[0]


def test_a_critical_mail_cannot_and_says_so(head: Letterhead) -> None:
    mail = composed(notice_of(NoticeKind.INTRODUCTION_RECEIVED), head)
    assert "List-Unsubscribe" not in mail
    assert "cannot be switched off, because somebody waits for you" in parts(mail)[0]


def test_a_mail_speaks_the_persons_language(head: Letterhead) -> None:
    mail = composed(notice_of(), head, language="fi")
    plain, html = parts(mail)
    assert mail["Subject"] == "Kymenlaakso: asiakas suostuu"
    assert '<html lang="fi">' in html
    assert "Saat tämän viestin välittäjätiimin jäsenenä" in plain


async def raised(database: Database, node: Node, kind: NoticeKind = NoticeKind.INTRODUCTION_ACCEPTED) -> UUID:
    """A notice with its mail; the delivery's id."""
    concern = Concern(kind, "/introductions/1", {"title": "Sensors", "region": "fi1c"}, people=("broker",))
    cause = Cause(event_id=new_id(), correlation_id=new_id(), at=clock.now())
    async with database.transaction() as session:
        await service.tell(session, node=node, concern=concern, cause=cause)
        delivery = (await session.scalars(select(Delivery).order_by(col(Delivery.id).desc()).limit(1))).one()
    return delivery.id


async def held(database: Database, delivery_id: UUID) -> tuple[Delivery, list[Attempt]]:
    async with database.transaction() as session:
        delivery = await session.get_one(Delivery, delivery_id)
        log = await session.scalars(
            select(Attempt).where(col(Attempt.delivery_id) == delivery_id).order_by(col(Attempt.number))
        )
        return delivery, list(log)


async def make_due(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
        await session.execute(text("UPDATE delivery SET next_attempt_at = NULL WHERE state = 'queued'"))


async def jobs(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list(await session.scalars(text("SELECT status::text FROM procrastinate_jobs")))


@pytest.mark.integration
async def test_a_mail_server_that_was_down_gets_the_mail_later_and_once(
    database: Database, node: Node, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    await catcher.stop()
    delivery_id = await raised(database, node)
    await worker.work_off()
    delivery, log = await held(database, delivery_id)
    assert (delivery.state, delivery.attempts) == ("queued", 1)
    assert delivery.reason == log[0].reason == "the mail server cannot be reached (SMTPConnectError)"
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at > clock.now() - timedelta(seconds=1)
    await catcher.start()
    await make_due(database)
    await worker.work_off()
    await worker.work_off()
    delivery, log = await held(database, delivery_id)
    assert (delivery.state, delivery.reason, delivery.next_attempt_at) == ("sent", None, None)
    assert [(one.number, one.outcome, one.address) for one in log] == [
        (1, "failed", "b…@pl84.example"),
        (2, "sent", "b…@pl84.example"),
    ]
    assert len(catcher.mails) == 1
    assert await jobs(database) == []


@pytest.mark.integration
async def test_a_running_worker_retries_by_itself(
    database: Database, node: Node, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    catcher.answer = "451 try later"
    working = asyncio.create_task(worker.work())
    try:
        delivery_id = await raised(database, node)

        async def tried() -> bool:
            return (await held(database, delivery_id))[0].attempts == 1

        await eventually(tried)
        catcher.answer = "250 OK"

        async def state() -> str:
            return (await held(database, delivery_id))[0].state

        await eventually(state, until=lambda state: state == "sent")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert len(catcher.mails) == 1


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.integration
async def test_a_crash_between_sending_and_writing_down_repeats_the_mail_under_the_same_id(
    database: Database, node: Node, mailroom: Mailroom, desk: Any, catcher: Any, head: Letterhead
) -> None:
    desk.has("broker", Role.BROKER)
    delivery_id = await raised(database, node)

    class DyingSender(SmtpSender):
        async def send(self, mail: EmailMessage) -> None:
            await super().send(mail)
            raise Crash

    dying = Mailroom(database=database, desk=desk, sender=DyingSender(catcher.url), head=head, schedule=(1,))
    with pytest.raises(Crash):
        await dying.send(delivery_id)
    assert await mailroom.send(delivery_id) is None
    assert await mailroom.send(delivery_id) is None
    assert [mail["Message-ID"] for mail in catcher.mails] == [f"<{delivery_id}@pl84.example>"] * 2
    delivery, log = await held(database, delivery_id)
    assert (delivery.state, len(log)) == ("sent", 1)


@pytest.mark.integration
async def test_the_job_of_a_worker_that_died_is_taken_over(
    database: Database, node: Node, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    delivery_id = await raised(database, node)
    async with database.transaction() as session:  # as a worker leaves it that is killed in the middle
        dead = await session.scalar(text("SELECT worker_id FROM procrastinate_register_worker_v1()"))
        await session.execute(
            text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour' WHERE id = :id"),
            {"id": dead},
        )
        await session.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :id"), {"id": dead})
    working = asyncio.create_task(worker.work())

    async def state() -> str:
        return (await held(database, delivery_id))[0].state

    try:
        await eventually(state, until=lambda state: state == "sent")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert len(catcher.mails) == 1


@pytest.mark.integration
async def test_a_worker_survives_the_loss_of_its_database_connections(
    database: Database, node: Node, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    first = await raised(database, node)
    working = asyncio.create_task(worker.work())

    async def states() -> set[str]:
        async with database.transaction() as session:
            return set(await session.scalars(select(col(Delivery.state))))

    try:
        await eventually(states, until=lambda states: states == {"sent"})
        async with database.transaction() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'notify-jobs' AND datname = current_database()"
                )
            )
        second = await raised(database, node)
        await eventually(states, until=lambda states: states == {"sent"})
        assert not working.done()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert [mail["Message-ID"].partition("@")[0] for mail in catcher.mails] == [f"<{first}", f"<{second}"]


@pytest.mark.integration
async def test_a_mail_that_is_refused_for_good_is_given_up_and_can_be_tried_by_hand(
    database: Database, node: Node, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    catcher.answer = "550 broker@pl84.example is not here"
    delivery_id = await raised(database, node)
    await worker.work_off()
    delivery, log = await held(database, delivery_id)
    assert (delivery.state, delivery.reason) == ("failed", "the mail server refused the mail (550)")
    assert delivery.next_attempt_at is None
    assert "broker@" not in str(log)
    catcher.answer = "250 OK"
    from tibs_notify.deliveries import service as deliveries

    async with database.transaction() as session:
        await deliveries.try_again(session, delivery_id=delivery_id, person="broker")
    await worker.work_off()
    assert (await held(database, delivery_id))[0].state == "sent"


@pytest.mark.integration
async def test_a_mail_is_given_up_when_its_schedule_is_used_up(
    database: Database, node: Node, mailroom: Mailroom, desk: Any
) -> None:
    desk.away = True
    delivery_id = await raised(database, node)
    answers: list[datetime | None] = []
    for _ in range(4):
        answers.append(await mailroom.send(delivery_id))
        await make_due(database)
    assert [answer is None for answer in answers] == [False, False, True, True]
    delivery, log = await held(database, delivery_id)
    assert (delivery.state, len(log)) == ("failed", 3)
    assert delivery.reason == "the desk does not answer (ConnectError)"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("address", "state", "reason"),
    [
        (None, "failed", "the desk knows no address of this person"),
        ("broker\r\nBcc: all@pl84.example", "failed", "the address is not one that mail can be sent to"),
    ],
)
async def test_an_address_that_cannot_be_written_to_is_no_endless_loop(
    database: Database, node: Node, mailroom: Mailroom, desk: Any, catcher: Any, address: str, state: str, reason: str
) -> None:
    desk.has("broker", Role.BROKER, address=address)
    delivery_id = await raised(database, node)
    assert await mailroom.send(delivery_id) is None
    delivery, _ = await held(database, delivery_id)
    assert (delivery.state, delivery.reason) == (state, reason)
    assert catcher.mails == []


@pytest.mark.integration
async def test_a_person_whom_the_desk_does_not_know_yet_is_asked_for_again(
    database: Database, node: Node, mailroom: Mailroom, desk: Any, catcher: Any
) -> None:
    delivery_id = await raised(database, node)
    assert await mailroom.send(delivery_id) is not None
    desk.has("broker", Role.BROKER)
    await make_due(database)
    assert await mailroom.send(delivery_id) is None
    assert len(catcher.mails) == 1


@pytest.mark.integration
async def test_a_mail_waits_for_the_end_of_quiet_hours_unless_it_is_critical(
    database: Database, node: Node, mailroom: Mailroom, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    zone = mailroom.head.regions["pl84"].zone
    local = clock.now().astimezone(zone)
    start, end = (local - timedelta(hours=1)).time(), (local + timedelta(hours=1)).time()
    async with database.transaction() as session:
        await preferences.choose(
            session, person="broker", expected=1, muted=frozenset(), quiet=(_minutes(start), _minutes(end))
        )
    delivery_id = await raised(database, node)
    until = await mailroom.send(delivery_id)
    assert until is not None
    assert timedelta(minutes=58) < until - clock.now() < timedelta(minutes=61)
    delivery, log = await held(database, delivery_id)
    assert (delivery.state, delivery.attempts, log) == ("queued", 0, [])
    critical = await raised(database, node, NoticeKind.INTRODUCTION_RECEIVED)
    assert await mailroom.send(critical) is None
    assert len(catcher.mails) == 1


def _minutes(clock_time: time) -> time:
    return clock_time.replace(second=0, microsecond=0)


@pytest.mark.integration
async def test_a_mail_that_was_switched_off_before_it_left_is_dropped(
    database: Database, node: Node, mailroom: Mailroom, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER)
    delivery_id = await raised(database, node)
    async with database.transaction() as session:
        await preferences.mute(session, person="broker", notice_type=NoticeType.INTRODUCTION, channel=Channel.MAIL)
    assert await mailroom.send(delivery_id) is None
    delivery, _ = await held(database, delivery_id)
    assert (delivery.state, delivery.reason) == ("dropped", "switched off meanwhile")
    assert catcher.mails == []


@pytest.mark.integration
async def test_no_table_of_the_service_holds_an_address(
    database: Database, node: Node, worker: Worker, desk: Any, catcher: Any
) -> None:
    desk.has("broker", Role.BROKER, address="somebody@pl84.example")
    await raised(database, node)
    await worker.work_off()
    assert len(catcher.mails) == 1
    async with database.transaction() as session:
        tables = await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for table in list(tables):
            found = await session.scalars(text(f'SELECT t::text FROM "{table}" AS t'))
            assert "somebody" not in "\n".join(found), table
