"""The service as a whole: its rights, its tables, its way to Kafka and back."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text

from tibs_chassis.app import Service
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
    service: Service, kafka: str, broker: httpx.AsyncClient, reviewer: httpx.AsyncClient, published: dict[str, Any]
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics(
        [NewTopic(one.name, num_partitions=one.partitions, replication_factor=1) for one in declared("pl84", [])]
    )
    await admin.close()
    actor = await made(broker.post("/api/v1/actors", json=actor_body("Łomża Dairy", listed=True)))
    listed = f"/api/v1/directory/actors/{actor['id']}"
    relay = Relay(database=service.database, kafka=kafka, service="registry", region="pl84")
    host = ConsumerHost(
        kafka=kafka, service="registry", region="pl84", consumers=service.consumers, database=service.database
    )
    parts = [asyncio.create_task(part) for part in (relay.run(), host.run())]
    try:
        page = await eventually(
            lambda: made(broker.get("/api/v1/directory/profiles")), until=lambda page: page["total"] == 1
        )
        assert page["items"][0]["reference"] == published["reference"]
        await eventually(lambda: broker.get(listed), until=lambda answer: answer.status_code == 200)
        withdrawal = f"/api/v1/profiles/{published['id']}/withdrawal"
        await made(broker.post(withdrawal, json={}, headers=seen(published)))
        await made(
            broker.put(f"/api/v1/actors/{actor['id']}", json=actor_body("Łomża Milk", listed=True), headers=seen(actor))
        )
        await eventually(lambda: broker.get(listed), until=lambda answer: answer.json()["name"] == "Łomża Milk")
        gone = f"/api/v1/directory/profiles/{published['id']}"
        await eventually(lambda: broker.get(gone), until=lambda answer: answer.status_code == 404)
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)

    async def directory() -> list[Any]:
        async with service.database.transaction() as session:
            profiles = await session.execute(text("SELECT * FROM directory_profile"))
            return [tuple(row) for row in [*profiles, *await session.execute(text("SELECT * FROM directory_actor"))]]

    live = await directory()
    for _ in range(2):
        await replay(service.consumers[0], database=service.database, kafka=kafka, rebuild=True)
        assert await directory() == live
    outcomes = await replay(service.consumers[0], database=service.database, kafka=kafka)
    assert set(outcomes) == {"repeated"}
    assert await directory() == live
