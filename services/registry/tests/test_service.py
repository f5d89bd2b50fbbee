"""The service as a whole: its rights, its tables, its way to Kafka and back."""

import ast
import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text

from tibs_chassis import migrations
from tibs_chassis.app import Service
from tibs_chassis.auth import Role
from tibs_chassis.kafka import ConsumerHost
from tibs_chassis.relay import Relay
from tibs_chassis.replay import replay
from tibs_chassis.testing import assert_migrated, eventually, walk_access
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.topics import declared
from tibs_registry import app as registry
from tibs_registry.access import ACCESS
from tibs_registry.mothers import actor_body, made, seen
from tibs_registry.tables import Table

from .conftest import MakeRegistry

pytestmark = pytest.mark.integration


async def test_every_route_keeps_to_the_matrix(service: Service, minter: TokenMinter) -> None:
    assert service.api is not None
    assert await walk_access(service.api, ACCESS, minter=minter, audience="registry") == []


async def test_models_are_what_the_migrations_made(service: Service) -> None:
    await asyncio.to_thread(assert_migrated, service.settings.database_url, Table.metadata)


async def test_the_expiry_task_survives_a_database_that_is_away(service: Service) -> None:
    looked: list[None] = []

    class Away:
        def transaction(self) -> Any:
            looked.append(None)
            raise OSError("away")

    task = asyncio.create_task(registry.expiry(database=Away(), node=service.node, interval=0.01)())  # type: ignore[arg-type]

    async def looks() -> int:
        return len(looked)

    await eventually(looks, until=lambda count: count >= 2)
    task.cancel()


def test_no_use_case_commits_and_nothing_else_publishes() -> None:
    sources = Path(registry.__file__).parent.rglob("*.py")
    found = [
        str(path)
        for path in sources
        for word in (".commit(", "AIOKafkaProducer", ".publish(")
        if word in path.read_text()
    ]
    assert found == []


async def test_what_is_published_comes_back_from_kafka_once(
    make_registry: MakeRegistry, make_database: Callable[..., str], kafka: str
) -> None:
    url, region = make_database("told"), "pltold"
    await asyncio.to_thread(migrations.upgrade, url, "tibs_registry")
    registry = make_registry(region, url, kafka)
    service, broker = registry.service, await registry.sign_in(Role.BROKER)
    published = await registry.published(await made(broker.post("/api/v1/actors", json=actor_body())))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics(
        [NewTopic(one.name, num_partitions=one.partitions, replication_factor=1) for one in declared(region, [])]
    )
    await admin.close()
    actor = await made(broker.post("/api/v1/actors", json=actor_body("Łomża Dairy", listed=True)))
    listed = f"/api/v1/directory/actors/{actor['id']}"
    relay = Relay(database=service.database, kafka=kafka, service="registry", region=region)
    host = ConsumerHost(
        kafka=kafka, service="registry", region=region, consumers=service.consumers, database=service.database
    )
    parts = [asyncio.create_task(part) for part in (relay.run(), host.run())]
    try:
        there = f"/api/v1/directory/profiles/{published['id']}"
        profile = await eventually(lambda: broker.get(there), until=lambda answer: answer.status_code == 200)
        assert profile.json()["reference"] == published["reference"]
        await eventually(lambda: broker.get(listed), until=lambda answer: answer.status_code == 200)
        withdrawal = f"/api/v1/profiles/{published['id']}/withdrawal"
        await made(broker.post(withdrawal, json={}, headers=seen(published)))
        await made(
            broker.put(f"/api/v1/actors/{actor['id']}", json=actor_body("Łomża Milk", listed=True), headers=seen(actor))
        )
        await eventually(lambda: broker.get(listed), until=lambda answer: answer.json()["name"] == "Łomża Milk")
        await eventually(lambda: broker.get(there), until=lambda answer: answer.status_code == 404)
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)

    async def directory() -> list[Any]:
        # Other tests share the broker; what they tell is no concern of this one.
        async with service.database.transaction() as session:
            profiles = await session.execute(text("SELECT * FROM directory_profile WHERE region = 'pltold'"))
            actors = await session.execute(text("SELECT * FROM directory_actor WHERE region = 'pltold'"))
            return [tuple(row) for row in [*profiles, *actors]]

    live, topic = await directory(), r"tibs\.pltold\.registry\.v1"
    for _ in range(2):
        await replay(service.consumers[0], database=service.database, kafka=kafka, topic_pattern=topic, rebuild=True)
        assert await directory() == live
    outcomes = await replay(service.consumers[0], database=service.database, kafka=kafka, topic_pattern=topic)
    assert "applied" not in outcomes
    assert await directory() == live


def test_the_api_describes_itself(service: Service) -> None:
    assert service.api is not None
    document = service.api.openapi()
    assert {route.rpartition("/api/v1/")[2].split("/")[0] for route in document["paths"]} == {
        "actors",
        "profiles",
        "directory",
    }


def test_rules_import_no_io() -> None:
    folder = Path(registry.__file__).parent
    more = ("words.py", "profiles/anonymity.py", "actors/numbers.py")
    pure = [*folder.rglob("rules.py"), *(folder / name for name in more)]
    allowed = re.compile(r"tibs_contracts|tibs_registry\.(\w+\.rules|words)$|stdnum")
    for path in pure:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                known = name.split(".")[0] in sys.stdlib_module_names - {"asyncio", "socket", "urllib.request"}
                assert known or allowed.match(name), f"{path.name} imports {name}"
