"""Two nodes that probe each other over real databases."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from tibs_cases.peers import service
from tibs_cases.peers.rules import Lamp, OwnLine, Reason, State
from tibs_cases.peers.service import Network, PeerView
from tibs_cases.today.service import waiting_to_send
from tibs_chassis import clock
from tibs_chassis.auth import Role
from tibs_chassis.standings import Standings
from tibs_chassis.testing import make_principal
from tibs_chassis.trust import Trust
from tibs_contracts.signatures import HEADER

from .conftest import Story, TestNode, as_record

pytestmark = pytest.mark.integration

EVERY = timedelta(seconds=15)


class Clock:
    """What time it is in every node of this process, and how far a node's clock is off."""

    def __init__(self, real: Callable[[], datetime]) -> None:
        self._real = real
        self.passed = timedelta()
        self.off = timedelta()

    def __call__(self) -> datetime:
        return self._real() + self.passed + self.off

    def passes(self, **span: int) -> None:
        self.passed += timedelta(**span)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    held = Clock(clock.now)
    monkeypatch.setattr(clock, "now", held)
    return held


async def probe(node: TestNode) -> int:
    async with node.database.transaction() as session:
        return await service.probe_all(session, node=node.node, interval=EVERY)


async def published(node: TestNode) -> None:
    """Kafka has confirmed all that waited."""
    async with node.database.transaction() as session:
        await session.execute(text("DELETE FROM outbox_waiting"))


async def probes(sender: TestNode, receiver: TestNode) -> list[Any]:
    return [as_record(row) for row in await sender.told(topic=f"tibs.{sender.region}.to.{receiver.region}.probes.v1")]


async def says(sender: TestNode, receiver: TestNode) -> str:
    """The sender probes, and its newest word arrives."""
    await probe(sender)
    await published(sender)
    return await receiver.take((await probes(sender, receiver))[-1], consumer="probes")


async def network(node: TestNode) -> Network:
    async with node.database.transaction() as session:
        return await service.network(session, node=node.node, interval=EVERY)


async def peer(node: TestNode, other: TestNode) -> PeerView:
    return next(one for one in (await network(node)).peers if one.region.code == other.region)


async def test_two_nodes_that_hear_each_other_say_so(pl: TestNode, fi: TestNode, time: Clock) -> None:
    for _ in range(3):
        assert await says(pl, fi) == "applied"
        assert await says(fi, pl) == "applied"
        time.passes(seconds=15)
    for one, other in ((pl, fi), (fi, pl)):
        seen = await peer(one, other)
        assert (seen.state.inbound.state, seen.state.outbound.state) == (State.UP, State.UP)
        assert seen.state.clock_off is None
        found = await network(one)
        assert (found.summary.own, found.summary.lamp, found.summary.up) == (OwnLine.UP, Lamp.GREEN, 1)


async def test_each_region_is_probed_once_an_interval_however_many_processes_try(pl: TestNode, time: Clock) -> None:
    others = len(pl.node.regions.others("pl84"))
    told = await asyncio.gather(*(probe(pl) for _ in range(4)))
    assert sum(told) == others
    await published(pl)
    assert await probe(pl) == 0
    time.passes(seconds=15)
    assert await probe(pl) == others


async def test_no_probe_is_added_to_one_that_waits(pl: TestNode, time: Clock) -> None:
    assert await probe(pl) > 0
    for _ in range(3):
        time.passes(seconds=15)
        assert await probe(pl) == 0
    await published(pl)
    time.passes(seconds=15)
    assert await probe(pl) > 0


async def test_a_probe_taken_twice_is_taken_once_and_an_old_one_changes_nothing(
    pl: TestNode, fi: TestNode, time: Clock
) -> None:
    for _ in range(4):
        await probe(fi)
        await published(fi)
        time.passes(seconds=15)
    told = await probes(fi, pl)
    newest = told[-1]
    order = [*told, *told]
    Random(7).shuffle(order)
    outcomes = [await pl.take(record, consumer="probes") for record in order]
    assert set(outcomes) <= {"applied", "repeated", "outdated"}
    [row] = await pl.rows("SELECT number, their_sent_at FROM peer WHERE region = 'fi1c'")
    assert row.number == json.loads(newest.value)["number"]
    for record in told:
        assert await pl.take(record, consumer="probes") == "repeated"
    assert await pl.rows("SELECT number, their_sent_at FROM peer WHERE region = 'fi1c'") == [row]


async def test_a_clock_wrong_by_two_hours_is_told_and_makes_nobody_look_down(
    pl: TestNode, fi: TestNode, time: Clock
) -> None:
    for _ in range(3):
        await probe(pl)
        await published(pl)
        time.off = timedelta(hours=2)  # while Kymenlaakso acts
        await fi.take((await probes(pl, fi))[-1], consumer="probes")
        await probe(fi)
        await published(fi)
        time.off = timedelta()
        await pl.take((await probes(fi, pl))[-1], consumer="probes")
        time.passes(seconds=15)
    seen = await peer(pl, fi)
    assert seen.state.inbound.state is State.UP
    assert seen.state.clock_off is not None
    assert abs(seen.state.clock_off - timedelta(hours=2)) < timedelta(seconds=5)


async def test_a_probe_that_waits_is_none_of_the_messages_that_wait_on_today(story: Story, time: Clock) -> None:
    pl = story.pl
    await probe(pl)
    time.passes(seconds=60)
    async with pl.database.transaction() as session:
        [waiting] = await waiting_to_send(session, own=None)
    assert (str(waiting.half.id), waiting.events) == (story.introduction_id, 1)


async def test_what_left_after_the_last_probe_that_was_heard_is_counted(story: Story, time: Clock) -> None:
    pl, fi = story.pl, story.fi
    seen = await peer(pl, fi)
    assert (seen.waiting, seen.unconfirmed) == (1, 1)
    await says(pl, fi)
    await says(fi, pl)
    seen = await peer(pl, fi)
    assert (seen.waiting, seen.unconfirmed) == (0, 0)
    await story.post(pl, "messages", {"text": "Are you there?", "language": "en"})
    await published(pl)
    seen = await peer(pl, fi)
    assert (seen.waiting, seen.unconfirmed) == (0, 1)


async def test_who_is_blocked_hears_why_and_is_not_heard(
    pl: TestNode, fi: TestNode, time: Clock, tmp_path: Path
) -> None:
    await says(fi, pl)
    file = tmp_path / "standings.yaml"
    file.write_text("- {region: fi1c, state: blocked, since: 2026-11-01, reason: its signing key was stolen}")
    regions = pl.node.regions
    standings = Standings(region="pl84", regions=regions, file=file)
    object.__setattr__(pl.node, "standings", standings)
    pl.consumers["probes"].trust = Trust(region="pl84", regions=regions, standings=standings)
    time.passes(seconds=15)
    assert await says(fi, pl) == "quarantined"
    # Nothing of it is kept: a quarantine full of probes would hide what somebody has to look at.
    assert await pl.rows("SELECT id FROM dead_letter") == []
    seen = await peer(pl, fi)
    assert (seen.state.inbound.reason, seen.state.inbound.words) == (Reason.WE_BLOCK, "its signing key was stolen")
    assert await says(pl, fi) == "applied"
    theirs = await peer(fi, pl)
    assert (theirs.state.inbound.state, theirs.state.outbound.reason) == (State.UP, Reason.THEY_BLOCK)
    assert theirs.state.outbound.words == "its signing key was stolen"
    # Let in again, it has not been silent meanwhile.
    time.passes(hours=2)
    await probe(pl)
    await published(pl)
    file.unlink()
    assert (await peer(pl, fi)).state.inbound.state is State.UNKNOWN
    assert await says(fi, pl) == "applied"
    assert (await peer(pl, fi)).state.inbound.state is State.UP


async def test_what_is_not_believed_is_told_as_that(pl: TestNode, fi: TestNode, time: Clock) -> None:
    pl.consumers["probes"].trust = Trust(region="pl84", regions=pl.node.regions)
    await probe(pl)
    await published(pl)
    await probe(fi)
    record = (await probes(fi, pl))[-1]
    unsigned = [pair for pair in record.headers if pair[0] != HEADER]
    assert await pl.take(replace(record, headers=unsigned), consumer="probes") == "quarantined"
    seen = await peer(pl, fi)
    assert (seen.state.inbound.state, seen.state.inbound.reason) == (State.REFUSING, Reason.NOT_BELIEVED)
    assert "not signed" in seen.state.inbound.words
    assert await pl.rows("SELECT id FROM dead_letter") == []


async def test_a_node_whose_kafka_is_away_accuses_nobody(pl: TestNode, fi: TestNode, time: Clock) -> None:
    await says(pl, fi)
    await says(fi, pl)
    time.passes(seconds=15)
    await probe(pl)
    async with pl.database.transaction() as session:
        await session.execute(text("UPDATE outbox SET created_at = created_at - interval '1 minute'"))
        await session.execute(
            text("INSERT INTO relay_state (failing, since, next_attempt_at) VALUES ('KafkaError', now(), now())")
        )
    found = await network(pl)
    assert (found.summary.own, found.summary.lamp) == (OwnLine.OFFLINE, Lamp.RED)
    assert {one.state.inbound.reason for one in found.peers} == {Reason.OFFLINE}
    assert found.failure is not None
    assert found.failure.next_attempt_at is not None


async def test_open_pages_hear_of_a_change_and_of_nothing_else(pl: TestNode, fi: TestNode, time: Clock) -> None:
    async def look() -> bool:
        async with pl.database.transaction() as session:
            return await service.look(session, node=pl.node, interval=EVERY)

    await probe(pl)
    await published(pl)
    assert await look()
    assert not await look()
    await says(fi, pl)
    assert await look()
    assert not await look()
    time.passes(minutes=3)
    await probe(pl)
    await published(pl)
    time.passes(minutes=3)
    await probe(pl)
    await published(pl)
    assert await look()


async def test_traces_of_probes_are_kept_for_an_hour_only(pl: TestNode, fi: TestNode, time: Clock) -> None:
    for _ in range(3):
        await says(pl, fi)
        await says(fi, pl)
        time.passes(seconds=15)
    async with pl.database.transaction() as session:
        await session.execute(text("UPDATE outbox SET created_at = created_at - interval '2 hours'"))
        await session.execute(text("UPDATE inbox SET received_at = received_at - interval '2 hours'"))
        await service.forget(session, node=pl.node)
    heard = await pl.rows("SELECT heard_number FROM peer WHERE region = 'fi1c'")
    left = await pl.rows("SELECT sequence FROM outbox WHERE topic = 'tibs.pl84.to.fi1c.probes.v1'")
    assert [row.sequence for row in left] == [row.heard_number for row in heard]
    assert await pl.rows("SELECT 1 FROM inbox WHERE consumer = 'probes'") == []
    # What was forgotten is not taken for new when a mirror repeats it.
    assert {await pl.take(record, consumer="probes") for record in await probes(fi, pl)} == {"outdated"}


@pytest.mark.parametrize("role", [Role.BROKER, Role.ANALYST])
async def test_the_api_tells_each_line_with_its_reason(pl: TestNode, fi: TestNode, time: Clock, role: Role) -> None:
    await says(pl, fi)
    await says(fi, pl)
    async with pl.api(make_principal(role, language="fi")) as api:
        answer = await api.get("/peers")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["own"], told["lamp"]) == ("up", "green")
    [peer] = [one for one in told["peers"] if one["region"] == "fi1c"]
    assert peer["name"] == "Kymenlaakso"
    assert peer["inbound"] | {"age_seconds": 0, "last_heard": ""} == {
        "state": "up",
        "reason": "works",
        "last_heard": "",
        "age_seconds": 0,
        "lag": None,
        "words": "",
    }
    assert (peer["outbound"]["lag"], peer["waiting"], peer["clock_off_seconds"]) == (0, 0, None)
