"""Twice is once, out of order is in order, what is broken is put aside, and what is away is waited for."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import deadletters
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, PermanentError, Received, handles
from tibs_chassis.kafka import ConsumerHost
from tibs_chassis.replay import replay
from tibs_chassis.testing import TestRecord, eventually, record_of, take_all
from tibs_contracts.events import ActorUnlisted, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published, unlisted
from tibs_contracts.topics import Channel, Topic, every_region, topic_name

pytestmark = pytest.mark.integration

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Titles:
    """A small projection: the title of each profile, and how often it was written."""

    def __init__(self) -> None:
        self.refuse: list[Exception] = []
        self.consumer = Consumer(
            "titles",
            topics=every_region(Channel.REGISTRY),
            handlers=[handles(ProfilePublished, self.on_published, latest_only=True)],
            reset=self.reset,
        )

    async def on_published(self, session: AsyncSession, received: Received[ProfilePublished]) -> None:
        await session.execute(
            text(
                "INSERT INTO title (id, title, written) VALUES (:id, :title, 1)"
                " ON CONFLICT (id) DO UPDATE SET title = excluded.title, written = title.written + 1"
            ),
            {"id": received.data.profile_id, "title": received.data.title},
        )
        if self.refuse:
            raise self.refuse.pop(0)

    async def reset(self, session: AsyncSession) -> None:
        await session.execute(text("DELETE FROM title"))


@pytest.fixture
async def titles(database: Database) -> Titles:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE title (id uuid PRIMARY KEY, title text, written int)"))
    return Titles()


async def rows(database: Database) -> list[tuple[UUID, str, int]]:
    async with database.transaction() as session:
        return [tuple(row) for row in await session.execute(text("SELECT id, title, written FROM title ORDER BY id"))]


def version(profile_id: UUID, sequence: int, *, region: str = "pl84") -> TestRecord:
    event = published(profile_id, title=f"Version {sequence}")
    return record_of(event, region=region, service="registry", subject=profile_id, sequence=sequence)


async def test_what_nobody_would_look_at_later_is_told_instead_of_kept(database: Database) -> None:
    told: list[tuple[str, str]] = []

    async def on_published(session: AsyncSession, received: Received[ProfilePublished]) -> None:
        raise PermanentError("no")

    async def refused(session: AsyncSession, topic: Topic, error: PermanentError) -> None:
        told.append((topic.region, str(error)))

    consumer = Consumer(
        "fleeting",
        topics=every_region(Channel.REGISTRY),
        handlers=[handles(ProfilePublished, on_published, latest_only=True)],
        refused=refused,
    )
    assert await take_all(consumer, [version(new_id(), 1)], database=database) == ["dead"]
    assert told == [("pl84", "no")]
    async with database.transaction() as session:
        assert await deadletters.find(session) == []


async def test_the_same_event_twice_has_one_effect(titles: Titles, database: Database) -> None:
    record = version(new_id(), 1)
    assert await take_all(titles.consumer, [record, record], database=database) == ["applied", "repeated"]
    assert [written for _, _, written in await rows(database)] == [1]


async def test_an_older_state_does_not_undo_a_newer_one(titles: Titles, database: Database) -> None:
    profile_id = new_id()
    outcomes = await take_all(
        titles.consumer, [version(profile_id, 2), version(profile_id, 1), version(profile_id, 3)], database=database
    )
    assert outcomes == ["applied", "outdated", "applied"]
    assert await rows(database) == [(profile_id, "Version 3", 2)]


async def test_two_owners_of_a_partition_do_the_work_once(titles: Titles, database: Database) -> None:
    record = version(new_id(), 1)
    outcomes = await asyncio.gather(*(titles.consumer.take(record, database=database) for _ in range(4)))
    assert sorted(outcomes) == ["applied", "repeated", "repeated", "repeated"]
    assert [written for _, _, written in await rows(database)] == [1]


async def test_a_passing_failure_is_waited_for_and_leaves_nothing_half_done(titles: Titles, database: Database) -> None:
    titles.refuse = [OperationalError("x", None, Exception("connection lost")), TimeoutError()]
    assert await titles.consumer.take(version(new_id(), 1), database=database) == "applied"
    assert [written for _, _, written in await rows(database)] == [1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: dataclasses.replace(r, value=b"\xff{"), "do not fit"),
        (lambda r: dataclasses.replace(r, value=b'{"title": 5}'), "do not fit at /"),
        (lambda r: dataclasses.replace(r, headers=[]), "header ce_specversion is missing"),
        (lambda r: _header(r, "ce_id", None), "header ce_id held nothing"),
        (lambda r: _header(r, "ce_id", b"\xff\xfe"), "is not UTF-8"),
        (lambda r: _header(r, "ce_sequence", b"-1"), "not a whole number from 1"),
        (lambda r: _header(r, "ce_time", b"2026-01-01T10:00:00"), "has no time zone"),
        (lambda r: _header(r, "ce_type", b"eu.tibs.profile.eaten.v1"), "which this version does not know"),
        (lambda r: _header(r, "ce_subject", b"018f0000-0000-7000-8000-000000000001"), "but the data speak of"),
    ],
)
async def test_a_broken_record_becomes_a_dead_letter_with_its_reason_and_the_rest_flows(
    titles: Titles, database: Database, change: Callable[[TestRecord], TestRecord], reason: str
) -> None:
    broken, good = change(version(new_id(), 1)), version(new_id(), 1)

    assert await take_all(titles.consumer, [broken, good], database=database) == ["dead", "applied"]

    async with database.transaction() as session:
        [letter] = await deadletters.find(session)
    assert reason in letter.reason
    assert (letter.topic, letter.value, letter.offset) == (broken.topic, broken.value, broken.offset)
    assert list(letter.headers) == list(broken.headers)


def _header(record: TestRecord, name: str, value: bytes | None) -> TestRecord:
    return dataclasses.replace(record, headers=[(n, value if n == name else v) for n, v in record.headers])


async def test_a_strangers_header_is_no_reason_to_lose_an_event(titles: Titles, database: Database) -> None:
    record = version(new_id(), 1)
    record = dataclasses.replace(record, headers=[*record.headers, ("x-stranger", None), ("x-bytes", b"\xff")])
    assert await titles.consumer.take(record, database=database) == "applied"


async def test_an_event_that_names_another_region_than_its_topic_is_quarantined(
    titles: Titles, database: Database
) -> None:
    record = _header(version(new_id(), 1), "ce_source", b"/regions/fi1c/registry")
    assert await titles.consumer.take(record, database=database) == "quarantined"
    async with database.transaction() as session:
        [letter] = await deadletters.find(session)
    assert (letter.kind, "is written by region 'pl84' alone" in letter.reason) == ("untrusted", True)


async def test_an_event_nobody_here_cares_for_is_passed_over(titles: Titles, database: Database) -> None:
    subject = new_id()
    other = record_of(unlisted(subject), region="pl84", service="registry", subject=subject, sequence=1)
    tombstone = dataclasses.replace(other, value=None)
    assert await take_all(titles.consumer, [other, tombstone], database=database) == ["skipped", "skipped"]


async def test_a_dead_letter_can_be_replayed_once_its_cause_is_gone(titles: Titles, database: Database) -> None:
    titles.refuse = [PermanentError("not before Easter")]
    assert await titles.consumer.take(version(new_id(), 1), database=database) == "dead"
    assert await rows(database) == []
    async with database.transaction() as session:
        [letter] = await deadletters.find(session)
    assert letter.reason == "not before Easter"

    assert await deadletters.replay(database, letter, consumers=[titles.consumer]) == "applied"
    assert await deadletters.replay(database, letter, consumers=[titles.consumer]) == "repeated"
    assert [written for _, _, written in await rows(database)] == [1]
    async with database.transaction() as session:
        assert await deadletters.find(session) == []


async def test_an_unforeseen_error_is_kept_with_its_trace_but_without_the_data(
    titles: Titles, database: Database
) -> None:
    titles.refuse = [ZeroDivisionError("Mr Somebody owes 5 zloty")]
    assert await titles.consumer.take(version(new_id(), 1), database=database) == "dead"
    async with database.transaction() as session:
        [letter] = await deadletters.find(session)
    assert letter.reason == "ZeroDivisionError in the handler"
    assert letter.trace is not None
    assert "Somebody" not in letter.trace


async def produce(kafka: str, *records: TestRecord) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for one in records:
        await producer.send_and_wait(one.topic, value=one.value, key=one.key, headers=list(one.headers))
    await producer.stop()


def host_of(titles: Titles, *, kafka: str, region: str, database: Database) -> ConsumerHost:
    return ConsumerHost(kafka=kafka, service="registry", region=region, consumers=[titles.consumer], database=database)


async def test_over_kafka_good_records_pass_between_broken_ones(
    titles: Titles, database: Database, kafka: str, own_region: str, background: Start
) -> None:
    profiles = [new_id() for _ in range(3)]
    good = [version(one, 1, region=own_region) for one in profiles]
    null_header = _header(version(new_id(), 1, region=own_region), "ce_id", b"\xff\xfe\xfd")
    unparsable = dataclasses.replace(version(new_id(), 1, region=own_region), value=b"\x00\x01")
    await produce(kafka, good[0], null_header, good[1], unparsable, good[2])

    background(host_of(titles, kafka=kafka, region=own_region, database=database).run())

    ours = await eventually(lambda: _ours(database, profiles), until=lambda held: len(held) == 3, within=30)
    assert {written for _, _, written in ours} == {1}

    async def dead() -> int:
        async with database.transaction() as session:
            letters = await deadletters.find(session, limit=1000)
        return len([one for one in letters if one.topic == topic_name(Channel.REGISTRY, own_region)])

    await eventually(dead, until=lambda count: count == 2, within=30)


async def _ours(database: Database, profiles: list[UUID]) -> list[tuple[UUID, str, int]]:
    return [row for row in await rows(database) if row[0] in profiles]


async def test_a_consumer_that_dies_in_the_middle_loses_nothing_and_doubles_nothing(
    titles: Titles, database: Database, kafka: str, own_region: str, background: Start
) -> None:
    profiles = [new_id() for _ in range(60)]
    await produce(kafka, *(version(one, 1, region=own_region) for one in profiles))
    for _ in range(3):
        task = background(host_of(titles, kafka=kafka, region=own_region, database=database).run())
        before = len(await _ours(database, profiles))
        await eventually(lambda: _ours(database, profiles), until=lambda held: len(held) > min(before, 59), within=30)  # noqa: B023
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    background(host_of(titles, kafka=kafka, region=own_region, database=database).run())

    ours = await eventually(lambda: _ours(database, profiles), until=lambda held: len(held) == 60, within=30)
    assert {written for _, _, written in ours} == {1}


async def test_a_replay_changes_nothing_and_a_rebuild_gives_the_same_again(
    titles: Titles, database: Database, kafka: str, own_region: str
) -> None:
    profile_id = new_id()
    await produce(kafka, *(version(profile_id, sequence, region=own_region) for sequence in (1, 2, 3)))
    pattern = topic_name(Channel.REGISTRY, own_region).replace(".", r"\.")

    async def once(*, rebuild: bool = False) -> dict[str, int]:
        return dict(
            await replay(titles.consumer, database=database, kafka=kafka, topic_pattern=pattern, rebuild=rebuild)
        )

    assert await once() == {"applied": 3}
    live = await rows(database)
    assert await once() == {"repeated": 3}
    assert await rows(database) == live
    assert await once(rebuild=True) == {"applied": 3}
    assert await rows(database) == live


async def test_consumers_are_set_up_so_that_no_record_is_lost(
    titles: Titles, database: Database, own_region: str, kafka: str
) -> None:
    from faststream import AckPolicy

    from tibs_chassis.kafka import consumer_broker

    broker = consumer_broker(
        kafka=kafka, service="registry", region=own_region, consumers=[titles.consumer], database=database
    )
    [subscriber] = broker.subscribers
    assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR
    assert subscriber._connection_args["auto_offset_reset"] == "earliest"
    assert subscriber._connection_args["enable_auto_commit"] is False
    assert subscriber.group_id == f"tibs-{own_region}-registry-titles"
    assert subscriber._no_reply is True
    assert ActorUnlisted.type in titles.consumer._known
