"""The composition root: settings, database, embedder, routes, consumers; the only place that wires."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tibs_chassis.api import create_api
from tibs_chassis.app import Service, service_cli
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions
from tibs_chassis.settings import load_settings
from tibs_matching.access import ACCESS
from tibs_matching.embedders import Embedder, EmbedderAway, QueryCache, make_embedder
from tibs_matching.index import api as index_api
from tibs_matching.index import events
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.matches import api as matches_api
from tibs_matching.settings import Settings
from tibs_matching.verdicts import api as verdicts_api


def assemble(settings: Settings, *, embedder: Embedder | None = None) -> Service:
    """The service for these settings. Nothing is opened or loaded before it runs."""
    node = Node(region=settings.region, service="matching", regions=Regions.load(settings.regions_file))
    database = Database(settings.database_url, application=f"tibs-matching-{settings.region}")
    embedder = embedder or make_embedder(settings)
    queries = QueryCache(embedder)
    api = create_api(
        title="TIBS matching",
        database=database,
        settings=settings,
        node=node,
        routers=[matches_api.router, verdicts_api.router, index_api.router],
        access=ACCESS,
    )
    api.state.queries = queries

    @asynccontextmanager
    async def embedding() -> AsyncIterator[None]:
        # Before the first search rather than in it. If the model is away now, the first search asks again.
        with contextlib.suppress(EmbedderAway):
            await queries.background()
        yield
        await embedder.close()

    return Service(
        name="matching",
        settings=settings,
        node=node,
        database=database,
        api=api,
        consumers=events.consumers(region=settings.region, embedder=embedder),
        tasks=[Upkeep(database=database, embedder=embedder, pause=settings.upkeep_seconds).run],
        resources=[embedding],
    )


def build() -> Service:
    """The service as the environment describes it."""
    return assemble(load_settings(Settings))


main = service_cli("matching", build, "tibs_matching")
