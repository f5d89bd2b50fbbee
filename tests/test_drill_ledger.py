"""The drills' ledger finds what was lost, doubled or put out of order, planted one at a time, and nothing else."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from drills import ledger
from drills.ledger import SERVICES, Ledger, Message, Organisation

from tibs_devstack.parts.kafka import find_kafka
from tibs_devstack.pytest_plugin import MakeDatabase, MakeFolder

pytestmark = pytest.mark.integration

# Only what the ledger reads: it knows our databases as an auditor does, from outside.
TABLES = """
CREATE TABLE actor (id uuid, version int, name text);
CREATE TABLE directory_actor (actor_id uuid, public jsonb);
CREATE TABLE introduction_message (id uuid, introduction_id uuid, text text);
CREATE TABLE notice (person text, kind text, link text, parameters jsonb, raised_at timestamptz);
CREATE TABLE outbox (
    seq bigint, event_id uuid, topic text, aggregate text, subject text, sequence bigint, payload bytea
);
CREATE TABLE outbox_waiting (seq bigint);
CREATE TABLE dead_letter (key bytea, reason text, state text);
"""


class World:
    """Two regions that hold one organisation and one message, as they should."""

    def __init__(self, ledger: Ledger, databases: dict[tuple[str, str], str], kafka: str, regions: list[str]) -> None:
        self.ledger, self._databases, self._kafka = ledger, databases, kafka
        self.home, self.away = regions
        self.topic = f"tibs.{self.home}.registry.v1"
        self.organisation = str(uuid.uuid4())
        self.introduction = str(uuid.uuid4())

    def execute(self, region: str, service: str, statement: str, values: list[Any] | None = None) -> None:
        with psycopg.connect(self._databases[region, service]) as connection:
            connection.execute(statement, values)  # type: ignore[arg-type]

    async def publish(self, sequence: int, *, subject: str | None = None, event: str | None = None) -> bytes:
        """An event of the home region's registry, past every outbox."""
        value = json.dumps({"version": sequence}).encode()
        headers = {
            "ce_id": event or str(uuid.uuid4()),
            "ce_type": "eu.tibs.actor.listed.v1",
            "ce_subject": subject or self.organisation,
            "ce_sequence": str(sequence),
        }
        async with AIOKafkaProducer(bootstrap_servers=self._kafka) as out:
            await out.send_and_wait(
                self.topic,
                value,
                key=headers["ce_subject"].encode(),
                headers=[(name, held.encode()) for name, held in headers.items()],
            )
        return value

    async def live(self) -> None:
        """Two versions of an organisation, one message; each with its event, and with its effect on both sides."""
        for version in (1, 2):
            event = str(uuid.uuid4())
            value = await self.publish(version, event=event)
            self.execute(
                self.home,
                "registry",
                "INSERT INTO outbox VALUES (%s, %s, %s, 'actor', %s, %s, %s)",
                [version, event, self.topic, self.organisation, version, value],
            )
            self.ledger.organisations.append(Organisation(self.home, self.organisation, version, f"Boats v{version}"))
        self.execute(self.home, "registry", "INSERT INTO actor VALUES (%s, 2, 'Boats v2')", [self.organisation])
        for region in (self.home, self.away):
            shown = [self.organisation, json.dumps({"name": "Boats v2"})]
            self.execute(region, "registry", "INSERT INTO directory_actor VALUES (%s, %s)", shown)
            message = [str(uuid.uuid4()), self.introduction]
            self.execute(region, "cases", "INSERT INTO introduction_message VALUES (%s, %s, 'Hello')", message)
        self.ledger.messages.append(Message(self.home, self.away, self.introduction, "Hello"))


@pytest.fixture(scope="module")
def kafka_of_its_own(make_folder: MakeFolder) -> Iterator[str]:
    """The ledger reads all topics of a cluster: not those of every other test."""
    server = find_kafka(make_folder("ledger"))
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
async def world(kafka_of_its_own: str, make_database: MakeDatabase) -> AsyncIterator[World]:
    kafka = kafka_of_its_own
    regions = [f"xx{uuid.uuid4().hex[:6]}" for _ in range(2)]
    databases = {(region, service): make_database("ledger") for region in regions for service in SERVICES}
    for url in databases.values():
        with psycopg.connect(url) as connection:
            connection.execute(TABLES)
    # One broker is both clusters here: what one region's topic holds is what the other mirrors.
    account = Ledger(databases=databases, kafkas=dict.fromkeys(regions, kafka))
    held = World(account, databases, kafka, regions)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(held.topic, 6, 1)])
    await held.live()
    yield held
    await admin.delete_topics([held.topic])
    await admin.close()


async def sentences(world: World) -> dict[str, list[str]]:
    """What is found, by kind."""
    found = await world.ledger.compare()
    return {kind: getattr(found, kind) for kind in ("lost", "doubled", "disordered")}


async def test_nothing_is_found_where_all_is_well_even_if_a_record_came_twice(world: World) -> None:
    assert await sentences(world) == {"lost": [], "doubled": [], "disordered": []}
    assert world.ledger.settled() == []
    [(event,)] = world.ledger.rows((world.home, "registry"), "SELECT event_id::text FROM outbox WHERE sequence = 2")
    await world.publish(2, event=event)
    assert await sentences(world) == {"lost": [], "doubled": [], "disordered": []}


async def test_a_lost_effect_is_found(world: World) -> None:
    world.execute(world.away, "registry", "DELETE FROM directory_actor")
    [lost] = (await sentences(world))["lost"]
    assert lost.startswith(f"the directory of {world.away} shows nothing for organisation {world.organisation}")
    assert world.ledger.settled() == [lost]


async def test_a_lost_write_is_found(world: World) -> None:
    world.execute(world.home, "registry", "UPDATE actor SET version = 1, name = 'Boats v1'")
    [lost] = (await sentences(world))["lost"]
    assert f"accepted version 2 of organisation {world.organisation}, 'Boats v2', and holds version 1" in lost


async def test_a_lost_event_is_found(world: World) -> None:
    lost = str(uuid.uuid4())
    values = [3, lost, world.topic, world.organisation, 3, b"{}"]
    world.execute(world.home, "registry", "INSERT INTO outbox VALUES (%s, %s, %s, 'actor', %s, %s, %s)", values)
    told = (await sentences(world))["lost"]
    assert len(told) == 2, "at its origin and in the mirror"
    assert all(
        f"event {lost} (actor {world.organisation}, 3) of {world.home} is not on {world.topic}" in one for one in told
    )


async def test_an_event_that_waits_is_not_done(world: World) -> None:
    world.execute(world.home, "cases", "INSERT INTO outbox_waiting VALUES (1)")
    assert (await sentences(world))["lost"] == [f"1 events of {world.home} have not left its outboxes"]


async def test_a_lost_message_is_found(world: World) -> None:
    world.execute(world.away, "cases", "DELETE FROM introduction_message")
    assert (await sentences(world))["lost"] == [f"the message 'Hello' of {world.home} is not in {world.away}"]


async def test_a_doubled_effect_is_found(world: World) -> None:
    copy = "INSERT INTO introduction_message SELECT gen_random_uuid(), introduction_id, text FROM introduction_message"
    world.execute(world.away, "cases", copy)
    assert (await sentences(world))["doubled"] == [f"{world.away} holds the message 'Hello' more than once"]


async def test_a_doubled_notice_is_found(world: World) -> None:
    notice = "INSERT INTO notice VALUES ('broker', 'message', '/introductions/1', '{}', '2026-01-01')"
    for _ in range(2):
        world.execute(world.away, "notify", notice)
    assert (await sentences(world))["doubled"] == [f"{world.away} told broker of message at /introductions/1 2 times"]


async def test_two_events_of_one_version_are_found(world: World) -> None:
    await world.publish(2)
    told = (await sentences(world))["doubled"]
    assert len(told) == 2, "in both clusters"
    assert all(f"actor {world.organisation} has two events 2 on {world.topic}" in one for one in told)


async def test_disorder_is_found(world: World) -> None:
    subject = str(uuid.uuid4())
    for sequence in (2, 1):
        await world.publish(sequence, subject=subject)
    told = (await sentences(world))["disordered"]
    assert any(f"actor {subject}: 1 stands after 2 on {world.topic}" in one for one in told)


async def test_an_old_state_that_compaction_would_keep_is_found(world: World) -> None:
    [(event,)] = world.ledger.rows((world.home, "registry"), "SELECT event_id::text FROM outbox WHERE sequence = 1")
    await world.publish(1, event=event)
    told = (await sentences(world))["disordered"]
    assert all(f"actor {world.organisation}: the last record on {world.topic}" in one for one in told)
    assert len(told) == 2, "in both clusters"


def test_the_ledger_uses_none_of_the_code_under_test() -> None:
    text = Path(ledger.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) (tibs_|faults|drills)", text, re.MULTILINE)
