"""The registry's database is replaced by its backup: what others hold of it ends up as what the backup holds."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import text

from tibs_chassis import migrations
from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_chassis.relay import Relay
from tibs_chassis.replay import replay
from tibs_chassis.restored.command import reconcile
from tibs_chassis.restored.rules import Told
from tibs_chassis.restored.topics import OwnTopics
from tibs_chassis.testing import eventually
from tibs_contracts.events import ProfileMoved, all_events
from tibs_contracts.events.registry import ProfileState
from tibs_contracts.topics import declared
from tibs_devstack.topics import declare_topics
from tibs_registry.mothers import actor_body, made, profile_body, seen
from tibs_registry.restored import VERSIONS

from .conftest import MakeRegistry, Registry

pytestmark = pytest.mark.integration
HOME, AWAY = "plback", "fiback"
MASTS = "Boatyard seeks a maker of masts"


def test_every_aggregate_that_the_registry_tells_of_is_counted() -> None:
    told = {event.aggregate() for event in all_events().values() if event.__module__.endswith("events.registry")}
    assert told == set(VERSIONS.tables)


async def waiting(database: Database) -> int:
    async with database.transaction() as session:
        return int((await session.execute(text("SELECT count(*) FROM outbox_waiting"))).scalar_one())


def relay_of(registry: Registry) -> Relay:
    service = registry.service
    return Relay(
        database=service.database,
        kafka=service.settings.kafka,
        service="registry",
        region=service.node.region,
        regions=service.node.regions,
        versions=service.versions.tables,
        hold_seconds=0.1,
    )


async def publish(registry: Registry) -> None:
    task = asyncio.create_task(relay_of(registry).run())
    await eventually(lambda: waiting(registry.service.database), until=lambda count: count == 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def told_by(registry: Registry) -> list[Told]:
    service = registry.service
    own = OwnTopics(kafka=service.settings.kafka, region=HOME, service="registry", regions=service.node.regions)
    return [told async for batch in own.everything() for told in batch]


async def hears(registry: Registry) -> None:
    """Reads on in what the home region told."""
    service = registry.service
    await replay(
        service.consumers[0],
        database=service.database,
        kafka=service.settings.kafka,
        topic_pattern=rf"tibs\.{HOME}\.registry\.v1",
    )


async def directory(registry: Registry) -> set[tuple[str, str]]:
    """Who and what stands in a registry's directory, by id and by name or title."""
    async with registry.service.database.transaction() as session:
        actors = await session.execute(text("SELECT actor_id, public ->> 'name' FROM directory_actor"))
        profiles = await session.execute(text("SELECT profile_id, public ->> 'title' FROM directory_profile"))
        return {(str(id), name) for id, name in [*actors, *profiles]}


async def test_other_regions_end_with_exactly_what_the_restored_registry_holds(
    make_registry: MakeRegistry, make_database: Callable[..., str], kafka: str
) -> None:
    urls = {region: make_database(region) for region in (HOME, AWAY)}
    for url in urls.values():
        await asyncio.to_thread(migrations.upgrade, url, "tibs_registry")
    await declare_topics(kafka, declared(HOME, [AWAY]))
    home, away = (make_registry(region, url, kafka) for region, url in urls.items())
    broker, reviewer = await home.sign_in(Role.BROKER), await home.sign_in(Role.REVIEWER)

    renamed = await made(broker.post("/api/v1/actors", json=actor_body("Suprasl Hulls", listed=True)))
    hidden = await made(broker.post("/api/v1/actors", json=actor_body("Narew Sails", listed=True)))
    withdrawn = await home.published(renamed, title="Boatyard seeks a maker of sails")
    drafted = await made(broker.post("/api/v1/profiles", json=profile_body(renamed["id"], title=MASTS)))
    await publish(home)
    await home.service.database.close()
    backup = make_database("backup", template=urls[HOME])

    for name in ("Forgotten Hulls", "Forgotten Hulls again"):
        answer = await broker.get(f"/api/v1/actors/{renamed['id']}")
        body = actor_body(name, listed=True)
        await made(broker.put(f"/api/v1/actors/{renamed['id']}", json=body, headers=seen(answer.json())))
    await made(broker.put(f"/api/v1/actors/{hidden['id']}", json=actor_body("Narew Sails"), headers=seen(hidden)))
    await made(broker.post("/api/v1/actors", json=actor_body("Biebrza Boats", listed=True)))
    path = f"/api/v1/profiles/{withdrawn['id']}/withdrawal"
    await made(broker.post(path, json={}, headers=seen(withdrawn)))
    await home.publish(broker, reviewer, drafted)
    strange = await home.published(renamed, title="Boatyard seeks a maker of anchors")
    await publish(home)
    await hears(away)
    assert {name for _, name in await directory(away)} == {
        "Forgotten Hulls again",
        "Biebrza Boats",
        MASTS,
        "Boatyard seeks a maker of anchors",
    }
    await home.service.database.close()

    restored = make_registry(HOME, backup, kafka)
    before = len(await told_by(restored))
    relay = relay_of(restored)
    running = asyncio.create_task(relay.run())
    try:
        await eventually(lambda: _held(relay), within=40)
        # The service stays writable; what is written waits.
        broker = await restored.sign_in(Role.BROKER)
        body = actor_body("Suprasl Hulls, renamed", listed=True)
        await made(broker.put(f"/api/v1/actors/{renamed['id']}", json=body, headers=seen(renamed)))
        assert await waiting(restored.service.database) == 1
        assert len(await told_by(restored)) == before

        # As the command does, with a connection pool of its own, in a loop of its own.
        service = make_registry(HOME, backup, kafka).service
        assert await asyncio.to_thread(reconcile, service, yes=False, hear_again=_nothing) == 1
        assert await asyncio.to_thread(reconcile, service, yes=True, hear_again=_nothing) == 0
        await eventually(lambda: waiting(restored.service.database), until=lambda count: count == 0)
        assert relay.failing is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    expected = {
        (renamed["id"], "Suprasl Hulls, renamed"),
        (hidden["id"], "Narew Sails"),
        (withdrawn["id"], "Boatyard seeks a maker of sails"),
    }
    for reader in (away, restored):
        await hears(reader)
        assert await directory(reader) == expected
    told = await told_by(restored)
    _require_no_number_twice(told)
    steps = {one.subject: ProfileMoved.read(one.value or b"") for one in told if one.type == ProfileMoved.type}
    assert {subject: step.state for subject, step in steps.items()} == {
        withdrawn["id"]: ProfileState.PUBLISHED,
        drafted["id"]: ProfileState.DRAFT,
        strange["id"]: ProfileState.WITHDRAWN,
    }
    assert await asyncio.to_thread(reconcile, service, yes=False, hear_again=_nothing) == 0
    # A reference that others have read is not given to another profile.
    next_one = await made(broker.post("/api/v1/profiles", json=profile_body(renamed["id"])))
    assert next_one["reference"] > strange["reference"]


async def _held(relay: Relay) -> bool:
    return relay.held


async def _nothing() -> None:
    """What others told is taken in by the test itself."""


def _require_no_number_twice(told: list[Told]) -> None:
    events = {(one.topic, one.aggregate, one.subject, one.sequence, one.id) for one in told}
    assert [number for number, count in Counter(event[:-1] for event in events).items() if count > 1] == []
