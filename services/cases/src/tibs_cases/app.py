"""The composition root: the only place that wires."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from tibs_cases.access import ACCESS
from tibs_cases.introductions.gateway import HttpRegistry
from tibs_cases.node import CasesNode
from tibs_cases.restored import VERSIONS
from tibs_cases.settings import Settings
from tibs_cases.web.app import create_workbench
from tibs_cases.wiring import ROUTERS, consumers, watch, watch_peers
from tibs_chassis.api import create_api
from tibs_chassis.app import Service, service_cli
from tibs_chassis.client import ServiceClient
from tibs_chassis.database import Database
from tibs_chassis.regions import Regions
from tibs_chassis.sealing import load_key
from tibs_chassis.settings import load_settings
from tibs_chassis.standings import Standings
from tibs_chassis.tokens import TokenMinter
from tibs_chassis.trust import load_signer


def build() -> Service:
    """The service, from the environment."""
    settings = load_settings(Settings)
    regions = Regions.load(settings.regions_file)
    node = CasesNode(
        region=settings.region,
        service="cases",
        regions=regions,
        signer=load_signer(settings.signing_key, region=regions[settings.region]),
        standings=Standings(region=settings.region, regions=regions, file=settings.standings_file),
        terms=settings.terms,
        contacts_key=load_key(settings.contacts_key),
    )
    database = Database(settings.database_url, application="tibs-cases", pool_size=10)
    minter = TokenMinter(region=settings.region, key_file=settings.node_key)
    registry = ServiceClient(settings.registry_url, audience="registry", minter=minter)
    matching = ServiceClient(settings.matching_url, audience="matching", minter=minter)
    notify = ServiceClient(settings.notify_url, audience="notify", minter=minter)
    api = create_api(
        title="TIBS cases", database=database, settings=settings, node=node, routers=ROUTERS, access=ACCESS
    )
    api.state.registry = HttpRegistry(registry)
    workbench = create_workbench(
        settings=settings,
        database=database,
        node=node,
        registry=registry,
        matching=matching,
        notify=notify,
        itself=minter.node("cases"),
    )

    _serve_pages(api, workbench)

    @asynccontextmanager
    async def clients() -> AsyncIterator[None]:
        try:
            yield
        finally:
            for client in (registry, matching, notify):
                await client.close()

    async def watch_promises() -> None:
        await watch(database=database, node=node, every=settings.promise_check_seconds)

    async def watch_network() -> None:
        await watch_peers(database=database, node=node, interval=settings.probe_interval)

    return Service(
        name="cases",
        settings=settings,
        node=node,
        database=database,
        api=api,
        consumers=consumers(node),
        tasks=[watch_promises, watch_network],
        resources=[clients],
        versions=VERSIONS,
    )


def _serve_pages(api: FastAPI, workbench: FastAPI) -> None:
    """What is no route and lies outside the API is a page. No mount: health and metrics are routes added later."""
    not_found = api.router.default

    async def page_or_nothing(scope: Scope, receive: Receive, send: Send) -> None:
        nothing = str(scope.get("path", "")).startswith("/api/")
        await (not_found if nothing else workbench)(scope, receive, send)

    api.router.default = page_or_nothing


main = service_cli("cases", build, "tibs_cases")
