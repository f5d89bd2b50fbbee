"""The database of one half of an introduction is replaced by its backup; the other half has heard of more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tibs_cases.restored import VERSIONS
from tibs_chassis.relay import Relay
from tibs_chassis.replay import replay
from tibs_chassis.restored.reconcile import Reconciled, apply, look, nobody_publishes
from tibs_chassis.restored.topics import OwnTopics
from tibs_chassis.testing import eventually
from tibs_contracts.events import all_events
from tibs_contracts.topics import declared
from tibs_devstack.topics import declare_topics

from .conftest import Story, TestNode, case_body
from .test_over_kafka import running, state

pytestmark = pytest.mark.integration


@pytest.fixture
async def pl(make_node: Callable[..., Awaitable[TestNode]]) -> TestNode:
    return await make_node("plback")


@pytest.fixture
async def fi(make_node: Callable[..., Awaitable[TestNode]]) -> TestNode:
    return await make_node("fiback")


def test_every_aggregate_that_the_service_tells_of_is_counted() -> None:
    told = {event.aggregate() for event in all_events().values() if event.__module__.endswith("events.cases")}
    assert told == set(VERSIONS.tables)


async def test_a_receipt_that_a_client_may_hold_is_not_given_out_again(
    kafka: str, make_node: Callable[..., Awaitable[TestNode]], make_database: Callable[..., str]
) -> None:
    async def opened(node: TestNode) -> str:
        async with node.api() as api:
            return str((await api.post("/cases", json=case_body())).json()["receipt"])

    pl = await make_node("plother")
    await declare_topics(kafka, declared(pl.region, []))
    await opened(pl)
    await pl.database.close()
    backup = make_database("backup", template=pl.database.url)
    forgotten = await opened(pl)
    async with running(pl, kafka):
        await eventually(lambda: _waiting(pl), until=lambda count: count == 0)
    await pl.database.close()
    back = await make_node(pl.region, template=backup)

    done = await reconciled(back, pl, kafka)

    assert [one.key.counted_by for one in done.left if one.version is None].count("brokerage_case") == 1
    assert await opened(back) > forgotten


async def hear_again(node: TestNode, other: TestNode, kafka: str) -> None:
    """What the other region told since the backup."""
    for consumer in node.consumers.values():
        pattern = rf"tibs\.{other.region}\.to\.{node.region}\..*"
        await replay(consumer, database=node.database, kafka=kafka, topic_pattern=pattern)


async def reconciled(node: TestNode, other: TestNode, kafka: str) -> Reconciled:
    async with nobody_publishes(node.database) as connection:
        await hear_again(node, other, kafka)
        found = await look(connection, node=node.node, kafka=kafka, tables=VERSIONS.tables)
        async with node.database.transaction() as session:
            return await apply(session, found, node=node.node, versions=VERSIONS)


async def test_both_halves_converge_although_one_was_put_back(
    story: Story, kafka: str, make_node: Callable[..., Awaitable[TestNode]], make_database: Callable[..., str]
) -> None:
    pl, fi = story.pl, story.fi
    await declare_topics(kafka, [*declared(pl.region, [fi.region]), *declared(fi.region, [pl.region])])
    async with running(fi, kafka):
        async with running(pl, kafka):
            await eventually(lambda: state(story, pl), until=lambda held: held == "delivered", within=60)
            await eventually(lambda: _waiting(pl), until=lambda count: count == 0)
        await pl.database.close()
        backup = make_database("backup", template=pl.database.url)
        async with running(pl, kafka):
            assert (await story.post(pl, "consent", story.pl_yes)).status_code == 200
            assert (await story.post(fi, "acceptance", story.fi_yes)).status_code == 200
            for node in (pl, fi):
                await eventually(
                    lambda node=node: state(story, node), until=lambda held: held == "introduced", within=60
                )  # type: ignore[misc]
            await eventually(lambda: _waiting(pl), until=lambda count: count == 0)
        await pl.database.close()

        back = await make_node(pl.region, template=backup)
        back.contacts.known = pl.contacts.known
        again = replace(story, pl=back)
        assert await state(again, back) == "delivered"
        relay = Relay(
            database=back.database,
            kafka=kafka,
            service="cases",
            region=back.region,
            regions=back.node.regions,
            versions=VERSIONS.tables,
            hold_seconds=0.1,
        )
        task = asyncio.create_task(relay.run())
        try:
            await eventually(lambda: _held(relay), within=40)
            done = await reconciled(back, fi, kafka)
            assert done.renumbered > 0  # what hearing again had led to
            assert done.told_again == []
            assert {one.key.counted_by for one in done.left} >= {"introduction", "brokerage_case"}
            await eventually(lambda: _waiting(back), until=lambda count: count == 0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        # Its client's yes is not in the backup: the broker records it once more, and the rest follows by itself.
        async with running(back, kafka):
            assert (await again.post(back, "consent", story.pl_yes)).status_code == 200
            await eventually(lambda: state(again, back), until=lambda held: held == "introduced", within=60)
            await eventually(lambda: _waiting(back), until=lambda count: count == 0)
        assert await state(story, fi) == "introduced"
    for node in (back, fi):
        assert await node.rows(r"SELECT reason FROM dead_letter WHERE topic ~ '\.(plback|fiback)\.'") == []
    own = OwnTopics(kafka=kafka, region=back.region, service="cases", regions=back.node.regions)
    told = {one for batch in [batch async for batch in own.everything()] for one in batch}
    numbers = Counter((one.topic, one.aggregate, one.subject, one.sequence) for one in told)
    assert [number for number, count in numbers.items() if count > 1] == []


async def _waiting(node: TestNode) -> int:
    return int((await node.rows("SELECT count(*) FROM outbox_waiting"))[0][0])


async def _held(relay: Relay) -> bool:
    return relay.held
