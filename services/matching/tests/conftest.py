import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tibs_chassis import migrations
from tibs_chassis.app import Service
from tibs_chassis.testing import NodeFiles, make_node_files
from tibs_chassis.tokens import TokenMinter
from tibs_matching.app import assemble
from tibs_matching.embedders.hashing import HashingEmbedder
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.settings import Settings

REGIONS_FILE = Path(__file__).parents[3] / "deploy" / "regions.yaml"


@pytest.fixture(scope="session")
def node_files(tmp_path_factory: pytest.TempPathFactory) -> NodeFiles:
    return make_node_files(tmp_path_factory.mktemp("node"), regions_file=REGIONS_FILE)


@pytest.fixture(scope="session")
def minter(node_files: NodeFiles) -> TokenMinter:
    return TokenMinter(region="pl84", key_file=node_files.key)


def settings_for(database_url: str, files: NodeFiles) -> Settings:
    return Settings(
        region="pl84",
        regions_file=files.regions,
        database_url=database_url,
        kafka="127.0.0.1:9",
        node_jwks=files.jwks,
        oidc_issuer="http://127.0.0.1:9",
        embedder="hashing",
    )


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
async def matching(database_url: str, node_files: NodeFiles, embedder: HashingEmbedder) -> AsyncIterator[Service]:
    """The service on a fresh database, with an embedder that knows words but no meaning."""
    await asyncio.to_thread(migrations.upgrade, database_url, "tibs_matching")
    service = assemble(settings_for(database_url, node_files), embedder=embedder)
    yield service
    await service.database.close()


@pytest.fixture
def upkeep(matching: Service, embedder: HashingEmbedder) -> Upkeep:
    return Upkeep(database=matching.database, embedder=embedder, pause=0.01)
