import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tibs_chassis import clock, migrations
from tibs_chassis.app import Service
from tibs_chassis.auth import Role
from tibs_chassis.testing import NodeFiles, api_client, make_node_files, make_principal
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.codes import ActorKind, ProfileType
from tibs_contracts.events import AnonymousClient, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_matching.app import assemble
from tibs_matching.embedders.hashing import HashingEmbedder
from tibs_matching.index import service as index
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.settings import Settings

REGIONS_FILE = Path(__file__).parents[3] / "deploy" / "regions.yaml"

MakeProfile = Callable[..., ProfilePublished]


@pytest.fixture(scope="session")
def make_profile() -> MakeProfile:
    """A business offer of a Finnish boatyard, or what else is told of it."""

    def make(**told: Any) -> ProfilePublished:
        now = clock.now()
        client = AnonymousClient(
            country=told.pop("country", "FI"), kind=told.pop("kind", ActorKind.SME), size=told.pop("size", None)
        )
        values: dict[str, Any] = {
            "profile_id": new_id(),
            "reference": "BOFI20260302001",
            "profile_type": ProfileType.BUSINESS_OFFER,
            "title": "Hulls of glass fibre for small boats",
            "summary": "A boatyard makes hulls of glass fibre.",
            "description": "It has laminated hulls for thirty years. It looks for buyers abroad.",
            "language": "en",
            "desk": "Cursor Oy",
            "client": client,
            "published_at": now - timedelta(days=3),
            "valid_until": now.date() + timedelta(days=300),
        }
        return ProfilePublished.model_validate(values | told)

    return make


@pytest.fixture(scope="session")
def node_files(tmp_path_factory: pytest.TempPathFactory) -> NodeFiles:
    return make_node_files(tmp_path_factory.mktemp("node"), regions_file=REGIONS_FILE)


@pytest.fixture(scope="session")
def minter(node_files: NodeFiles) -> TokenMinter:
    return TokenMinter(region="pl84", key_file=node_files.key)


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
async def matching(database_url: str, node_files: NodeFiles, embedder: HashingEmbedder) -> AsyncIterator[Service]:
    """The service on a fresh database, with an embedder that knows words but no meaning."""
    await asyncio.to_thread(migrations.upgrade, database_url, "tibs_matching")
    settings = Settings(
        region="pl84",
        regions_file=node_files.regions,
        database_url=database_url,
        kafka="127.0.0.1:9",
        node_jwks=node_files.jwks,
        oidc_issuer="http://127.0.0.1:9",
        embedder="hashing",
    )
    service = assemble(settings, embedder=embedder)
    yield service
    await service.database.close()


@pytest.fixture
def upkeep(matching: Service, embedder: HashingEmbedder) -> Upkeep:
    return Upkeep(database=matching.database, embedder=embedder, pause=0.01)


@pytest.fixture
def hold(matching: Service, embedder: HashingEmbedder, upkeep: Upkeep) -> Callable[..., Any]:
    """Puts profiles into the index and brings it up to date."""

    async def hold(*profiles: ProfilePublished, region: str = "fi1c") -> None:
        async with matching.database.transaction() as session:
            for profile in profiles:
                await index.hold(session, profile=profile, region=region, embedder=embedder)
        await upkeep.settle()

    return hold


@pytest.fixture
async def broker(matching: Service, minter: TokenMinter) -> AsyncIterator[httpx.AsyncClient]:
    """A broker's client of the API."""
    assert matching.api is not None
    async with api_client(
        matching.api, minter=minter, audience="matching", principal=make_principal(Role.BROKER)
    ) as client:
        yield client
