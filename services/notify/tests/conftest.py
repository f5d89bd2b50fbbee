import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope

from tibs_chassis import migrations
from tibs_chassis.app import Service
from tibs_chassis.auth import Principal, Role
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions
from tibs_chassis.testing import NodeFiles, api_client, make_node_files
from tibs_chassis.tokens import TokenMinter
from tibs_devstack.parts.postgres import PostgresServer
from tibs_notify.app import assemble
from tibs_notify.deliveries.mail import Letterhead
from tibs_notify.deliveries.sending import Mailroom
from tibs_notify.deliveries.smtp import SmtpSender
from tibs_notify.notices.events import consumer
from tibs_notify.people import DeskAway, Reachable
from tibs_notify.preferences.links import UnsubscribeLinks
from tibs_notify.settings import NotifySettings
from tibs_notify.worker import Worker

REGIONS_FILE = Path(__file__).parents[3] / "deploy" / "regions.yaml"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> NodeFiles:
    return make_node_files(tmp_path_factory.mktemp("node"), regions_file=REGIONS_FILE)


@pytest.fixture(scope="session")
def regions(files: NodeFiles) -> Regions:
    return Regions.load(files.regions)


@pytest.fixture(scope="session")
def links(files: NodeFiles) -> UnsubscribeLinks:
    return UnsubscribeLinks(public_url="https://node.example", region="pl84", key_file=files.key, jwks_file=files.jwks)


@pytest.fixture
def node(regions: Regions) -> Node:
    return Node(region="pl84", service="notify", regions=regions)


@pytest.fixture
def minter(files: NodeFiles) -> TokenMinter:
    return TokenMinter(region="pl84", key_file=files.key)


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> Iterator[str]:
    """A database to copy: to migrate one for each test takes most of their time."""
    name = f"notify_template_{os.getpid()}"
    url = postgres.create_database(name)
    migrations.upgrade(url, "tibs_notify")
    yield url
    postgres.drop_database(name)
    postgres.drop_role(name)


@pytest.fixture
def database_url(make_database: Callable[..., str], migrated: str) -> str:
    return make_database("notify", template=migrated)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, application="test")
    yield database
    await database.close()


@pytest.fixture
def notices(node: Node) -> Consumer:
    return consumer(node)


class FakeDesk:
    """The desk of a test: people by id, or away."""

    def __init__(self) -> None:
        self.people: dict[str, Reachable] = {}
        self.roles: dict[str, set[Role]] = {}
        self.away = False

    def has(self, person: str, *roles: Role, address: str | None = "", language: str = "en") -> None:
        address = f"{person}@pl84.example" if address == "" else address
        self.people[person] = Reachable(address=address, language=language)
        self.roles[person] = set(roles)

    async def person(self, person: str) -> Reachable | None:
        self._answers()
        return self.people.get(person)

    async def holders(self, role: Role) -> tuple[str, ...]:
        self._answers()
        return tuple(person for person, roles in self.roles.items() if role in roles)

    def _answers(self) -> None:
        if self.away:
            raise DeskAway("the desk does not answer (ConnectError)")


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


class Catcher:
    """A real mail server that keeps what it takes, or refuses it with `answer`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.answer = "250 OK"
        self._server: asyncio.Server | None = None
        self.port = 0

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer

    async def start(self) -> None:
        """On the port it had before, if it was started before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="catcher"), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    catcher = Catcher()
    await catcher.start()
    yield catcher
    await catcher.stop()


@pytest.fixture
def head(regions: Regions, links: UnsubscribeLinks) -> Letterhead:
    return Letterhead(
        sender="TIBS Podlaskie <no-reply@pl84.example>",
        region="pl84",
        regions=regions,
        public_url="https://node.example",
        links=links,
    )


@pytest.fixture
def mailroom(database: Database, desk: FakeDesk, catcher: Catcher, head: Letterhead) -> Mailroom:
    return Mailroom(database=database, desk=desk, sender=SmtpSender(catcher.url), head=head, schedule=(1, 60))


@pytest.fixture
def worker(database: Database, node: Node, mailroom: Mailroom, desk: FakeDesk) -> Worker:
    return Worker(database=database, node=node, mailroom=mailroom, desk=desk, parallel=2)


@pytest.fixture
async def service(database: Database, database_url: str, files: NodeFiles) -> AsyncIterator[Service]:
    settings = NotifySettings(
        region="pl84",
        regions_file=files.regions,
        database_url=database_url,
        kafka="localhost:1",
        node_jwks=files.jwks,
        node_key=files.key,
        oidc_issuer="http://127.0.0.1:1",
        smtp_url="smtp://127.0.0.1:1",
        mail_from="TIBS Podlaskie <no-reply@pl84.example>",
        cases_url="http://127.0.0.1:1",
        public_url="https://node.example",
    )
    service = assemble(settings)
    yield service
    await service.database.close()


SignIn = Callable[[Principal | None], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def signed_in(service: Service, minter: TokenMinter) -> SignIn:
    """`async with signed_in(principal) as client`."""
    assert service.api is not None
    api = service.api
    return lambda principal: api_client(api, minter=minter, audience="notify", principal=principal)
