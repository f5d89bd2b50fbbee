import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from joserfc.jwk import OKPKey

from tibs_chassis import migrations
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.regions import RegionKeys, Regions
from tibs_contracts.ids import new_id
from tibs_contracts.signatures import Signer, SigningKey
from tibs_contracts.topics import declared

REGIONS_FILE = Path(__file__).parents[2] / "deploy" / "regions.yaml"


@pytest.fixture(scope="session")
def regions() -> Regions:
    return Regions.load(REGIONS_FILE)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the chassis' tables."""
    await asyncio.to_thread(migrations.upgrade, database_url, "tibs_chassis")
    database = Database(database_url, application="test")
    yield database
    await database.close()


@pytest.fixture
def make_region() -> Callable[[], str]:
    """Codes of regions that no other test of this run writes to: their topics are empty."""
    return lambda: "xx" + uuid4().hex[:6]


@pytest.fixture
async def own_region(kafka: str, make_region: Callable[[], str]) -> str:
    """A region with topics of its own on the shared broker."""
    region = make_region()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics(
        [
            NewTopic(one.name, num_partitions=one.partitions, replication_factor=1, topic_configs=dict(one.config))
            for one in declared(region, ["fi1c"])
        ]
    )
    await admin.close()
    return region


@pytest.fixture
def node_of(regions: Regions) -> Callable[[str], Node]:
    template = regions["pl84"]

    def make(region: str) -> Node:
        signer = Signer(OKPKey.generate_key("Ed25519", parameters={"kid": f"{region}-1"}).as_dict(private=True))
        keys = RegionKeys(signing=[SigningKey.of(signer.public)])
        regions = Regions([template.model_copy(update={"code": region, "keys": keys})])
        return Node(region=region, service="registry", regions=regions, signer=signer)

    return make


@pytest.fixture
async def background() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]]:
    """Starts something that works until the test is over."""
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(work))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def fresh_id() -> str:
    return str(new_id())
