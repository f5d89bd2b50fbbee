"""The composition root: settings, database, routes, consumers, tasks. The only place that wires."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from tibs_chassis import clock
from tibs_chassis.api import create_api
from tibs_chassis.app import Service, service_cli
from tibs_chassis.database import Database
from tibs_chassis.log import logger
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions
from tibs_chassis.settings import load_settings
from tibs_chassis.trust import load_signer
from tibs_registry.access import ACCESS
from tibs_registry.actors.api import router as actor_routes
from tibs_registry.contacts.api import router as contact_routes
from tibs_registry.directory.api import router as directory_routes
from tibs_registry.directory.events import consumer as directory_consumer
from tibs_registry.profiles import service as profile_use_cases
from tibs_registry.profiles.api import router as profile_routes
from tibs_registry.restored import VERSIONS
from tibs_registry.settings import RegistrySettings

NAME = "registry"


def build(settings: RegistrySettings | None = None) -> Service:
    """The service, put together from the environment, or from the settings of a test."""
    settings = settings or load_settings(RegistrySettings)
    regions = Regions.load(settings.regions_file)
    signer = load_signer(settings.signing_key, region=regions[settings.region])
    node = Node(region=settings.region, service=NAME, regions=regions, signer=signer)
    database = Database(settings.database_url, application=f"tibs-{NAME}-{settings.region}")
    api = create_api(
        title="TIBS registry",
        database=database,
        settings=settings,
        node=node,
        routers=[actor_routes, contact_routes, profile_routes, directory_routes],
        access=ACCESS,
    )
    return Service(
        name=NAME,
        settings=settings,
        node=node,
        database=database,
        api=api,
        consumers=[directory_consumer()],
        tasks=[expiry(database=database, node=node, interval=settings.expiry_interval)],
        versions=VERSIONS,
    )


def expiry(*, database: Database, node: Node, interval: float) -> Callable[[], Coroutine[Any, Any, None]]:
    """A task that looks every `interval` seconds for published profiles whose time has passed."""

    async def expire_profiles() -> None:
        while True:
            try:
                await expire_all(database=database, node=node)
            except (DBAPIError, psycopg.OperationalError, OSError) as error:
                # The database is away; there is another look.
                logger.warning("profiles.expiry_failed", reason=type(error).__name__)
            await asyncio.sleep(interval)

    return expire_profiles


async def expire_all(*, database: Database, node: Node) -> int:
    """Ends all that is over now, some at a time, so that no transaction holds many locks; returns how many."""
    at, ended = clock.now(), 0
    while True:
        async with database.transaction() as session:
            some = await profile_use_cases.expire(session, node=node, at=at)
        ended += some
        if some == 0:
            return ended


main = service_cli(NAME, build, "tibs_registry")
