"""Two nodes over a real Kafka: what one says the other hears, also when a node was away meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tibs_cases.peers import service as peers
from tibs_cases.peers.rules import State
from tibs_cases.wiring import watch_peers
from tibs_chassis.kafka import ConsumerHost
from tibs_chassis.relay import Relay
from tibs_chassis.testing import eventually
from tibs_contracts.topics import declared
from tibs_devstack.topics import declare_topics

from .conftest import Story, TestNode

pytestmark = pytest.mark.integration

EVERY = timedelta(seconds=1)


@pytest.fixture
async def pl(make_node: Callable[..., Awaitable[TestNode]]) -> TestNode:
    return await make_node("plwire")


@pytest.fixture
async def fi(make_node: Callable[..., Awaitable[TestNode]]) -> TestNode:
    return await make_node("fiwire")


@asynccontextmanager
async def running(node: TestNode, kafka: str) -> AsyncIterator[None]:
    """The node's consumers and its relay."""
    relay = Relay(database=node.database, kafka=kafka, service="cases", region=node.region)
    host = ConsumerHost(
        kafka=kafka,
        service="cases",
        region=node.region,
        consumers=list(node.consumers.values()),
        database=node.database,
    )
    tasks = [asyncio.create_task(part) for part in (relay.run(), host.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def state(story: Story, node: TestNode) -> str | None:
    async with node.api() as api:
        answer = await api.get(f"/introductions/{story.introduction_id}")
        return str(answer.json()["state"]) if answer.status_code == 200 else None


async def test_an_introduction_is_completed_although_each_node_was_away_for_a_while(story: Story, kafka: str) -> None:
    pl, fi = story.pl, story.fi
    await declare_topics(kafka, [*declared(pl.region, [fi.region]), *declared(fi.region, [pl.region])])
    async with running(fi, kafka):
        async with running(pl, kafka):
            await eventually(lambda: state(story, fi), until=lambda held: held == "delivered", within=60)
            await eventually(lambda: state(story, pl), until=lambda held: held == "delivered", within=60)
        assert (await story.post(pl, "consent", story.pl_yes)).status_code == 200  # nobody carries it yet
        assert (await story.post(fi, "acceptance", story.fi_yes)).status_code == 200
    async with running(pl, kafka), running(fi, kafka):
        for node in (pl, fi):
            await eventually(lambda node=node: state(story, node), until=lambda held: held == "introduced", within=60)  # type: ignore[misc]
        completed = [row async for row in _completed(pl, fi)]
        assert completed == [1, 1]
    for node in (pl, fi):
        # Other tests on the same Kafka put broken records on topics of regions of their own.
        assert await node.rows(r"SELECT reason FROM dead_letter WHERE topic ~ '\.(plwire|fiwire)\.'") == []


async def _completed(*nodes: TestNode) -> AsyncIterator[int]:
    for node in nodes:
        yield len(await node.told(type_="introduction.completed.%"))


@asynccontextmanager
async def probing(node: TestNode, kafka: str) -> AsyncIterator[None]:
    """The node as it runs, with the task that probes its peers."""
    async with running(node, kafka):
        task = asyncio.create_task(watch_peers(database=node.database, node=node.node, interval=EVERY))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def lines(node: TestNode, other: TestNode) -> tuple[State, State]:
    async with node.database.transaction() as session:
        found = await peers.network(session, node=node.node, interval=EVERY)
    state = next(peer.state for peer in found.peers if peer.region.code == other.region)
    return state.inbound.state, state.outbound.state


async def test_two_nodes_see_each_other_come_go_and_come_back(
    make_node: Callable[..., Awaitable[TestNode]], kafka: str
) -> None:
    # Not on the topics of the test before: with a new database, what lies there would hold the relays back.
    pl, fi = await make_node("plprobe"), await make_node("fiprobe")
    others = [region.code for region in pl.node.regions]
    await declare_topics(
        kafka,
        [
            declared_topic
            for node in (pl, fi)
            for declared_topic in declared(node.region, [code for code in others if code != node.region])
        ],
    )
    both_up = (State.UP, State.UP)
    async with probing(pl, kafka):
        async with probing(fi, kafka):
            for node, other in ((pl, fi), (fi, pl)):
                await eventually(lambda node=node, other=other: lines(node, other), until=both_up.__eq__, within=60)  # type: ignore[misc]
        await eventually(lambda: lines(pl, fi), until=(State.DOWN, State.UNKNOWN).__eq__, within=60)
        async with probing(fi, kafka):
            await eventually(lambda: lines(pl, fi), until=both_up.__eq__, within=60)
    for node in (pl, fi):
        assert await node.rows(r"SELECT reason FROM dead_letter WHERE topic ~ '\.(plprobe|fiprobe)\.'") == []
