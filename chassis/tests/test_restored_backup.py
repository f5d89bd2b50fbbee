"""A backup is put in place of a database that has published since: found out, held, and brought in step again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import metrics, migrations
from tibs_chassis.database import Database
from tibs_chassis.health import Health
from tibs_chassis.node import Node
from tibs_chassis.relay import Relay, producer_for
from tibs_chassis.restored.reconcile import NotReconciled, Reconciled, Versions, apply, look, nobody_publishes
from tibs_chassis.restored.rules import Beyond
from tibs_chassis.restored.topics import OwnTopics
from tibs_chassis.testing import eventually
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import ActorUnlisted, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.topics import Channel, topic_name

pytestmark = pytest.mark.integration

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
TABLES = {"profile": "profile"}


async def tell_again(session: AsyncSession, node: Node, beyond: Beyond) -> bool:
    """The titles that this database holds; what it does not know is left to a person."""
    raised = await session.execute(
        text("UPDATE profile SET version = version + 1 WHERE id = :id RETURNING version, title"), {"id": beyond.subject}
    )
    if (row := raised.first()) is None:
        return False
    subject = UUID(beyond.subject)
    await node.emit(session, published(subject, title=row.title), subject=subject, sequence=row.version)
    return True


@dataclass
class Writer:
    """A service that keeps profiles with a title, and whose database can be replaced by its backup."""

    node: Node
    kafka: str
    make_database: Callable[..., str]
    url: str
    database: Database = field(init=False)
    backup: str = ""

    def __post_init__(self) -> None:
        self.database = Database(self.url, application="writer")

    @property
    def topic(self) -> str:
        return topic_name(Channel.REGISTRY, self.node.region)

    def relay(self, **more: Any) -> Relay:
        return Relay(
            database=self.database,
            kafka=self.kafka,
            service="registry",
            region=self.node.region,
            regions=self.node.regions,
            versions=TABLES,
            hold_seconds=0.1,
            **more,
        )

    async def write(self, id: UUID, title: str) -> None:
        async with self.database.transaction() as session:
            row = await session.execute(
                text(
                    "INSERT INTO profile AS held VALUES (:id, 1, :title) ON CONFLICT (id) DO UPDATE"
                    " SET version = held.version + 1, title = :title RETURNING version"
                ),
                {"id": id, "title": title},
            )
            event = published(id, title=title)
            await self.node.emit(session, event, subject=id, sequence=row.scalar_one())

    async def take_backup(self) -> None:
        await self.database.close()  # a database is copied only while nobody is connected to it
        self.backup = self.make_database("backup", template=self.url)

    async def restore(self) -> None:
        await self.database.close()
        self.url = self.backup
        self.database = Database(self.url, application="writer")

    async def one(self, statement: str) -> Any:
        async with self.database.transaction() as session:
            return (await session.execute(text(statement))).scalar_one()

    async def waiting(self) -> int:
        return int(await self.one("SELECT count(*) FROM outbox_waiting"))

    async def titles(self) -> dict[UUID, str]:
        async with self.database.transaction() as session:
            return {row.id: row.title for row in await session.execute(text("SELECT id, title FROM profile"))}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Relay]:
        relay = self.relay()
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def publish(self) -> None:
        async with self.running():
            await eventually(self.waiting, until=lambda count: count == 0)

    async def on_topic(self) -> list[Any]:
        own = OwnTopics(kafka=self.kafka, region=self.node.region, service="registry", regions=self.node.regions)
        return [told async for batch in own.everything() for told in batch]

    async def look(self) -> list[Beyond]:
        async with self.database.direct() as connection:
            return await look(connection, node=self.node, kafka=self.kafka, tables=TABLES)

    async def reconcile(self) -> Reconciled:
        async with nobody_publishes(self.database) as connection:
            found = await look(connection, node=self.node, kafka=self.kafka, tables=TABLES)
            async with self.database.transaction() as session:
                return await apply(session, found, node=self.node, versions=Versions(TABLES, tell_again))


@pytest.fixture
async def writer(
    kafka: str, own_region: str, node_of: Callable[[str], Node], make_database: Callable[..., str]
) -> AsyncIterator[Writer]:
    url = make_database("writer")
    await asyncio.to_thread(migrations.upgrade, url, "tibs_chassis")
    writer = Writer(node_of(own_region), kafka, make_database, url)
    async with writer.database.transaction() as session:
        await session.execute(text("CREATE TABLE profile (id uuid PRIMARY KEY, version int, title text)"))
    yield writer
    await writer.database.close()


async def held(relay: Relay) -> str | None:
    return relay.failing if relay.held else None


def latest_titles(told: list[Any]) -> dict[UUID, str]:
    """What a reader ends with that passes over what is not newer."""
    kept: dict[str, Any] = {}
    for one in told:
        if one.subject not in kept or kept[one.subject].sequence < one.sequence:
            kept[one.subject] = one
    return {UUID(subject): ProfilePublished.read(one.value).title for subject, one in kept.items()}


def require_no_number_twice(told: list[Any]) -> None:
    events = {(one.topic, one.aggregate, one.subject, one.sequence, one.id) for one in told}
    numbers = Counter(event[:-1] for event in events)
    assert [number for number, count in numbers.items() if count > 1] == []


async def test_a_restored_database_publishes_nothing_until_it_is_reconciled(writer: Writer) -> None:
    kept, changed, newer = new_id(), new_id(), new_id()
    for id in (kept, changed):
        await writer.write(id, "before the backup")
    await writer.publish()
    await writer.take_backup()
    await writer.write(changed, "forgotten")
    await writer.write(changed, "forgotten too")
    await writer.write(newer, "not in the backup")
    await writer.publish()
    before = await writer.on_topic()
    await writer.restore()

    async with writer.running() as relay:
        reason = await eventually(lambda: held(relay))
        assert reason is not None
        assert "the database is older than what it has published" in reason
        assert f"{writer.topic} holds version 3 of profile {changed}, the database 1" in reason
        assert "run `tibs-registry reconcile`" in reason
        assert metrics.RELAY_HELD._value.get() == 1
        not_ready, more = await Health(database=writer.database, relay=relay).ready()
        assert (not_ready, more["relay"]) == ([], reason)

        await writer.write(changed, "written while held")
        await writer.write(kept, "written while held")
        assert await writer.waiting() == 2
        found = await writer.look()
        assert {UUID(one.subject): [told.sequence for told in one.told] for one in found} == {
            changed: [2, 3],
            newer: [1],
        }
        assert len(await writer.on_topic()) == len(before)

        done = await writer.reconcile()
        assert (done.remembered, done.renumbered, done.lifted) == (3, 1, 1)
        assert [UUID(one.subject) for one in done.left] == [newer]
        await eventually(writer.waiting, until=lambda count: count == 0)
        assert relay.failing is None
        assert metrics.RELAY_HELD._value.get() == 0

    after = await writer.on_topic()
    require_no_number_twice(after)
    assert [one.sequence for one in after if one.subject == str(changed)] == [1, 2, 3, 4, 5]
    assert latest_titles(after) == await writer.titles() | {newer: "not in the backup"}
    assert await writer.look() == []
    assert (await writer.reconcile()).remembered == 0
    await writer.write(changed, "all is well again")
    await writer.publish()
    require_no_number_twice(await writer.on_topic())


async def test_what_the_backup_had_not_seen_confirmed_is_not_told_under_another_number(writer: Writer) -> None:
    id = new_id()
    await writer.write(id, "waits in the backup")
    await writer.take_backup()
    await writer.write(id, "forgotten")
    await writer.publish()
    await writer.restore()
    await writer.write(id, "written while held")

    done = await writer.reconcile()

    assert (done.remembered, done.renumbered) == (1, 1)
    await writer.publish()
    told = await writer.on_topic()
    require_no_number_twice(told)
    assert [one.sequence for one in told] == [1, 2, 3, 4]
    assert len({one.id for one in told}) == 4
    assert latest_titles(told) == {id: "written while held"}


async def test_a_renumbered_event_is_signed_anew(writer: Writer) -> None:
    id = new_id()
    await writer.take_backup()
    await writer.write(id, "forgotten")
    await writer.publish()
    await writer.restore()
    await writer.write(id, "written while held")
    await writer.reconcile()
    await writer.publish()
    # What does not verify is not among them.
    assert [one.sequence for one in await writer.on_topic()] == [1, 2, 3]


async def test_a_restart_and_a_fresh_database_hold_nothing_back(writer: Writer) -> None:
    async with writer.running() as relay:
        await writer.write(new_id(), "the first")
        await eventually(writer.waiting, until=lambda count: count == 0)
        assert relay.failing is None
    for _ in range(2):
        await writer.write(new_id(), "another")
        await writer.publish()
    assert await writer.look() == []


async def test_what_kafka_has_and_nobody_noted_holds_nothing_back(writer: Writer) -> None:
    class Forgetful(Relay):
        async def _mark(self, connection: Any, confirmed: list[int]) -> None:
            if confirmed:
                raise OSError("dies between Kafka's answer and its own note of it")

    id = new_id()
    await writer.write(id, "told twice")
    first = Forgetful(
        database=writer.database, kafka=writer.kafka, service="registry", region=writer.node.region, versions=TABLES
    )
    dying = asyncio.create_task(first.run())
    await eventually(writer.on_topic, until=len)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await writer.waiting() == 1

    await writer.publish()

    assert {one.sequence for one in await writer.on_topic()} == {1}


async def test_a_relay_that_takes_over_from_another_holds_nothing_back(writer: Writer) -> None:
    async with writer.running() as second:
        await writer.write(new_id(), "by the first")
        await eventually(writer.waiting, until=lambda count: count == 0)
        async with writer.running() as standby:
            await writer.write(new_id(), "by the first too")
            await eventually(writer.waiting, until=lambda count: count == 0)
            assert (second.active, standby.active) == (True, False)
            assert standby.failing is None
    async with writer.running() as third:
        await writer.write(new_id(), "by the third")
        await eventually(writer.waiting, until=lambda count: count == 0)
        assert not third.held


async def test_a_database_that_was_put_back_under_a_running_relay_is_found_when_it_connects_again(
    writer: Writer, postgres: Any
) -> None:
    id = new_id()
    await writer.write(id, "before the backup")
    await writer.publish()
    await writer.take_backup()
    async with writer.running() as relay:
        await writer.write(id, "forgotten")
        await eventually(writer.waiting, until=lambda count: count == 0)
        await writer.database.close()
        name, backup = (url.rpartition("/")[2].partition("?")[0] for url in (writer.url, writer.backup))
        await asyncio.to_thread(_swap, postgres, name, backup)
        reason = await eventually(lambda: held(relay), within=40)
        assert reason is not None
        assert "holds version 2" in reason


def _swap(postgres: Any, name: str, backup: str) -> None:
    """The backup takes the name of the database, under whoever uses it."""
    postgres.drop_database(name)
    with postgres.admin() as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(backup), sql.Identifier(name))
        )


async def test_a_stranger_s_record_on_the_topic_holds_nothing_back(
    writer: Writer, node_of: Callable[[str], Node]
) -> None:
    subject = new_id()
    await writer.write(subject, "ours")
    await writer.publish()
    forged = node_of(writer.node.region)  # the same region's name, another key
    assert forged.signer is not None
    event = ActorUnlisted(actor_id=new_id(), unlisted_at=published().published_at)
    envelope = Envelope(
        id=new_id(),
        source=writer.node.source,
        type=event.type,
        subject=str(event.actor_id),
        time=(await writer.on_topic())[0].written,
        sequence=999,
        correlation_id=new_id(),
    )
    producer = producer_for(writer.kafka, client_id="stranger")
    await producer.start()
    headers = forged.signer.headers(envelope, topic=writer.topic, value=event.write())
    await producer.send_and_wait(writer.topic, value=event.write(), key=envelope.subject.encode(), headers=headers)
    await producer.stop()

    await writer.write(subject, "still ours")
    await writer.publish()
    assert await writer.look() == []


async def test_nothing_is_reconciled_while_the_relay_publishes(writer: Writer) -> None:
    async with writer.running() as relay:

        async def active() -> bool:
            return relay.active

        await writer.write(new_id(), "any")
        await eventually(active)
        await eventually(writer.waiting, until=lambda count: count == 0)
        with pytest.raises(NotReconciled, match="stop it first"):
            async with nobody_publishes(writer.database, within=0.5):
                raise AssertionError("it was let in")
