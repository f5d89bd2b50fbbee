"""The parts of this service that are the same wherever it runs: its routes, its consumers, its timers."""

import asyncio
from datetime import timedelta

from tibs_cases import hints
from tibs_cases.cases import api as cases_api
from tibs_cases.desk import api as desk_api
from tibs_cases.introductions import api as introductions_api
from tibs_cases.introductions import events as introductions_events
from tibs_cases.node import CasesNode
from tibs_cases.peers import api as peers_api
from tibs_cases.peers import events as peers_events
from tibs_cases.peers import service as peers
from tibs_cases.profiles_known import events as profiles_events
from tibs_cases.promises import service as promises
from tibs_cases.timeline import api as timeline_api
from tibs_cases.today import api as today_api
from tibs_chassis import clock
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.log import logger

ROUTERS = (
    desk_api.router,
    cases_api.router,
    introductions_api.router,
    introductions_api.yes_router,
    peers_api.router,
    timeline_api.router,
    today_api.router,
)


def consumers(node: CasesNode) -> list[Consumer]:
    """All that this service reads."""
    return [
        *profiles_events.consumers(node),
        *introductions_events.consumers(node),
        *peers_events.consumers(node),
        *hints.consumers(node),
    ]


async def watch(*, database: Database, node: CasesNode, every: float) -> None:
    """Looks at the clocks of promises until cancelled. Several processes may do it: each promise moves once."""
    while True:
        try:
            moved = 1
            while moved:
                async with database.transaction() as session:
                    moved = await promises.check_clocks(session, node=node, now=clock.now())
        except Exception as error:
            # The clocks go on when the database is back: nothing is lost by looking later.
            logger.warning("promises.not_checked", reason=type(error).__name__)
        await asyncio.sleep(every)


FORGET_SECONDS = 600


async def watch_peers(*, database: Database, node: CasesNode, interval: timedelta) -> None:
    """Probes other regions and looks how each stands, until cancelled. Several processes may do it: each probe is
    sent by one of them."""
    pause = max(0.5, min(5.0, interval.total_seconds() / 3))
    loop = asyncio.get_running_loop()
    forgot = loop.time()
    while True:
        try:
            async with database.transaction() as session:
                await peers.probe_all(session, node=node, interval=interval)
            async with database.transaction() as session:
                await peers.look(session, node=node, interval=interval)
            if loop.time() - forgot > FORGET_SECONDS:
                forgot = loop.time()
                async with database.transaction() as session:
                    await peers.forget(session, node=node)
        except Exception as error:
            # While the database is away nothing could be sent either; the next turn begins where this one stopped.
            logger.warning("peers.not_watched", reason=type(error).__name__)
        await asyncio.sleep(pause)
