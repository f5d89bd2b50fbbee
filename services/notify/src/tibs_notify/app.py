"""The composition root: settings → database → desk, mail → consumer, worker, routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tibs_chassis.api import create_api
from tibs_chassis.app import Service, service_cli
from tibs_chassis.client import ServiceClient
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions
from tibs_chassis.settings import load_settings
from tibs_chassis.tokens import TokenMinter
from tibs_notify.access import ACCESS
from tibs_notify.deliveries import api as deliveries
from tibs_notify.deliveries.mail import Letterhead
from tibs_notify.deliveries.sending import Mailroom
from tibs_notify.deliveries.smtp import SmtpSender
from tibs_notify.notices import api as notices
from tibs_notify.notices.events import consumer
from tibs_notify.people import CasesDesk
from tibs_notify.preferences import api as preferences
from tibs_notify.preferences.links import UnsubscribeLinks
from tibs_notify.restored import VERSIONS
from tibs_notify.settings import NotifySettings
from tibs_notify.worker import Worker

NAME = "notify"


def build() -> Service:
    """The service as the environment configures it."""
    return assemble(load_settings(NotifySettings))


def assemble(settings: NotifySettings) -> Service:
    """The service, put together."""
    regions = Regions.load(settings.regions_file)
    node = Node(region=settings.region, service=NAME, regions=regions)
    database = Database(settings.database_url, application=f"tibs-{NAME}")
    minter = TokenMinter(region=settings.region, key_file=settings.node_key)
    desk = CasesDesk(
        ServiceClient(settings.cases_url, audience="cases", minter=minter, timeout=5.0), caller=minter.node(NAME)
    )
    links = UnsubscribeLinks(
        public_url=settings.public_url,
        region=settings.region,
        key_file=settings.node_key,
        jwks_file=settings.node_jwks,
    )
    mailroom = Mailroom(
        database=database,
        desk=desk,
        sender=SmtpSender(settings.smtp_url.get_secret_value()),
        head=Letterhead(
            sender=settings.mail_from,
            region=settings.region,
            regions=regions,
            public_url=settings.public_url,
            links=links,
        ),
        schedule=settings.mail_retry_seconds,
    )
    worker = Worker(database=database, node=node, mailroom=mailroom, desk=desk, parallel=settings.mail_parallel)
    api = create_api(
        title="TIBS notify",
        database=database,
        settings=settings,
        node=node,
        routers=[notices.router, deliveries.router, preferences.router],
        access=ACCESS,
    )
    api.state.unsubscribe_links = links

    @asynccontextmanager
    async def desk_line() -> AsyncIterator[None]:
        yield
        await desk.close()

    return Service(
        name=NAME,
        settings=settings,
        node=node,
        database=database,
        api=api,
        consumers=[consumer(node)],
        tasks=[worker.work],
        resources=[desk_line],
        versions=VERSIONS,
    )


main = service_cli(NAME, build, "tibs_notify")
