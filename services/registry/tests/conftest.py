import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tibs_chassis import migrations
from tibs_chassis.app import Service, trust_of
from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_chassis.regions import Regions
from tibs_chassis.tables import metadata as chassis_tables
from tibs_chassis.testing import NodeFiles, api_client, make_node_files, make_principal
from tibs_chassis.tokens import TokenMinter
from tibs_devstack.parts.postgres import PostgresServer
from tibs_registry.app import build
from tibs_registry.mothers import actor_body, made, profile_body, seen, verdict_body
from tibs_registry.settings import RegistrySettings
from tibs_registry.tables import Table

REGIONS_FILE = Path(__file__).parents[3] / "deploy" / "regions.yaml"

OWN_TOPICS = {"pltold": "pl84", "plback": "pl84", "fiback": "fi1c"}
"""Regions for tests that publish: a relay holds back when its topics hold events that its database never wrote."""

SignIn = Callable[..., Awaitable[httpx.AsyncClient]]
Outbox = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture(scope="session")
def regions() -> Regions:
    return Regions.load(REGIONS_FILE)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> NodeFiles:
    return make_node_files(tmp_path_factory.mktemp("node"), regions_file=REGIONS_FILE, like=OWN_TOPICS)


@pytest.fixture(scope="session")
def minter(files: NodeFiles) -> TokenMinter:
    return TokenMinter(region="pl84", key_file=files.key)


@pytest.fixture(scope="session")
async def built(files: NodeFiles, postgres: PostgresServer) -> AsyncIterator[Service]:
    """The registry of Podlaskie, with one database for all tests: to make one for each takes most of their time."""
    name = f"registry_{os.getpid()}"
    url = postgres.create_database(name, extensions=["vector"])
    migrations.upgrade(url, "tibs_registry")
    settings = RegistrySettings(
        region="pl84",
        regions_file=files.regions,
        database_url=url,
        kafka="127.0.0.1:1",
        node_jwks=files.jwks,
        signing_key=files.signing_key,
        oidc_issuer="http://127.0.0.1:1",
    )
    service = build(settings)
    yield service
    await service.database.close()
    postgres.drop_database(name)
    postgres.drop_role(name)


@pytest.fixture
async def service(built: Service) -> Service:
    """The registry of Podlaskie, empty."""
    tables = [*reversed(Table.metadata.sorted_tables), *chassis_tables.sorted_tables]
    async with built.database.transaction() as session:
        await session.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_append_only"))
        for table in tables:
            await session.execute(table.delete())
        await session.execute(text("ALTER TABLE audit ENABLE TRIGGER audit_append_only"))
    return built


@pytest.fixture
def database(service: Service) -> Database:
    return service.database


@pytest.fixture
async def sign_in(service: Service, minter: TokenMinter) -> AsyncIterator[SignIn]:
    """`await sign_in(Role.BROKER, person="…")` → a client of the API."""
    assert service.api is not None
    async with AsyncExitStack() as stack:

        async def enter(*roles: Role, person: str = "") -> httpx.AsyncClient:
            principal = make_principal(*roles, person=person)
            client = api_client(service.api, minter=minter, audience="registry", principal=principal)  # type: ignore[arg-type]
            return await stack.enter_async_context(client)

        yield enter


@pytest.fixture
async def broker(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in(Role.BROKER)


@pytest.fixture
async def reviewer(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in(Role.REVIEWER)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    """`await outbox(subject)` → the events of one aggregate in the order of the outbox."""

    async def read(subject: str | None = None) -> list[dict[str, Any]]:
        async with database.transaction() as session:
            rows = await session.execute(
                text("SELECT type, topic, subject, sequence, payload FROM outbox ORDER BY seq")
            )
            return [
                {"type": row.type, "topic": row.topic, "sequence": row.sequence, "data": json.loads(row.payload)}
                for row in rows
                if subject in (None, row.subject)
            ]

    return read


@dataclass
class Registry:
    """The registry of a region, and a hand on its API."""

    service: Service
    minter: TokenMinter
    stack: AsyncExitStack

    async def sign_in(self, *roles: Role) -> httpx.AsyncClient:
        assert self.service.api is not None
        principal = make_principal(*roles, region=self.service.node.region)
        client = api_client(self.service.api, minter=self.minter, audience="registry", principal=principal)
        return await self.stack.enter_async_context(client)

    async def published(self, actor: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A profile that another person has reviewed."""
        broker, reviewer = await self.sign_in(Role.BROKER), await self.sign_in(Role.REVIEWER)
        draft = await made(broker.post("/api/v1/profiles", json=profile_body(actor["id"], **changes)))
        return await self.publish(broker, reviewer, draft)

    async def publish(
        self, broker: httpx.AsyncClient, reviewer: httpx.AsyncClient, draft: dict[str, Any]
    ) -> dict[str, Any]:
        path = f"/api/v1/profiles/{draft['id']}"
        submitted = await made(broker.post(f"{path}/submission", headers=seen(draft)))
        return await made(reviewer.post(f"{path}/review", json=verdict_body(), headers=seen(submitted)))


MakeRegistry = Callable[..., Registry]


@pytest.fixture
async def make_registry(files: NodeFiles) -> AsyncIterator[MakeRegistry]:
    """`make_registry(region, url, kafka)` → the registry of one of `OWN_TOPICS` on a migrated database."""
    async with AsyncExitStack() as stack:

        def make(region: str, url: str, kafka: str) -> Registry:
            settings = RegistrySettings(
                region=region,
                regions_file=files.regions,
                database_url=url,
                kafka=kafka,
                node_jwks=files.jwks,
                signing_key=files.regions.parent / f"signing-{region}.json",
                oidc_issuer="http://127.0.0.1:1",
            )
            service = build(settings)
            trust_of(service)
            stack.push_async_callback(service.database.close)
            return Registry(service, TokenMinter(region=region, key_file=files.key), stack)

        yield make


@pytest.fixture
async def actor(broker: httpx.AsyncClient) -> dict[str, Any]:
    """A client of the region."""
    return await made(broker.post("/api/v1/actors", json=actor_body(website="https://www.suprasl-hulls.example")))


@pytest.fixture
async def draft(broker: httpx.AsyncClient, actor: dict[str, Any]) -> dict[str, Any]:
    """A complete, anonymous draft."""
    return await made(broker.post("/api/v1/profiles", json=profile_body(actor["id"])))


@pytest.fixture
async def submitted(broker: httpx.AsyncClient, draft: dict[str, Any]) -> dict[str, Any]:
    return await made(broker.post(f"/api/v1/profiles/{draft['id']}/submission", headers=seen(draft)))


@pytest.fixture
async def published(reviewer: httpx.AsyncClient, submitted: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/v1/profiles/{submitted['id']}/review"
    return await made(reviewer.post(path, json=verdict_body(), headers=seen(submitted)))
