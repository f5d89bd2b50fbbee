"""Two nodes of the cases service on real databases. The other services of the nodes are stood in for."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tibs_cases.access import ACCESS
from tibs_cases.desk.service import remember_person
from tibs_cases.node import CasesNode
from tibs_cases.settings import Settings
from tibs_cases.wiring import ROUTERS, consumers
from tibs_chassis import clock, migrations
from tibs_chassis.api import create_api
from tibs_chassis.auth import Principal, Role
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.problems import NotFound
from tibs_chassis.regions import Regions
from tibs_chassis.sealing import load_key
from tibs_chassis.testing import NodeFiles, TestRecord, api_client, make_node_files, make_principal, record_of
from tibs_chassis.tokens import TokenMinter
from tibs_chassis.trust import load_signer
from tibs_contracts.codes import ActorKind, ProfileType, Sector
from tibs_contracts.events import (
    AnonymousClient,
    DisclosedContact,
    Event,
    ProfileMoved,
    ProfilePublished,
    ProfileState,
)
from tibs_contracts.ids import new_id
from tibs_devstack.parts.postgres import PostgresServer

REGIONS_FILE = Path(__file__).parents[3] / "deploy" / "regions.yaml"
_offsets = itertools.count(1_000_000)


OWN_TOPICS = {
    "plwire": "pl84",
    "fiwire": "fi1c",
    "plprobe": "pl84",
    "fiprobe": "fi1c",
    "plback": "pl84",
    "fiback": "fi1c",
    "plother": "pl84",
}
"""Regions for tests that publish: a relay holds back when its topics hold events that its database never wrote."""


@pytest.fixture(scope="session")
def node_files(tmp_path_factory: pytest.TempPathFactory) -> NodeFiles:
    return make_node_files(tmp_path_factory.mktemp("node"), regions_file=REGIONS_FILE, like=OWN_TOPICS)


class Contacts:
    """The registry's contact people, as far as these tests need them."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.known: dict[tuple[UUID, UUID], DisclosedContact] = {}

    def add(self, actor_id: UUID, *, organisation: str) -> UUID:
        contact_id = new_id()
        self.known[(actor_id, contact_id)] = DisclosedContact(
            organisation=organisation,
            country=self.region[:2].upper(),
            name="Partnership office",
            email=f"partnership@{self.region}-client.example",
            language="en",
            broker=f"Broker, {self.region}",
        )
        return contact_id

    async def contact(self, *, actor_id: UUID, contact_id: UUID, principal: Principal) -> DisclosedContact:
        try:
            return self.known[(actor_id, contact_id)]
        except KeyError:
            raise NotFound("contact", contact_id) from None


@dataclass
class TestNode:
    """One region's cases service, its people, and a hand on its events."""

    __test__ = False

    node: CasesNode
    database: Database
    app: FastAPI
    minter: TokenMinter
    contacts: Contacts
    broker: Principal
    lead: Principal
    consumers: dict[str, Consumer] = field(default_factory=dict)

    @property
    def region(self) -> str:
        return self.node.region

    @asynccontextmanager
    async def api(self, principal: Principal | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A client that acts as the broker, or as whom you name."""
        async with api_client(
            self.app, minter=self.minter, audience="cases", principal=principal or self.broker
        ) as client:
            client.base_url = httpx.URL("http://test/api/v1")
            yield client

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as session:
            return list((await session.execute(text(sql), values)).all())

    async def told(self, *, type_: str = "%", topic: str = "%") -> list[Any]:
        """Events in the outbox, oldest first."""
        return await self.rows(
            "SELECT seq, type, topic, subject, sequence, headers, payload, convert_from(payload, 'UTF8')::jsonb AS data"
            " FROM outbox WHERE type LIKE :type AND topic LIKE :topic ORDER BY seq",
            type=f"eu.tibs.{type_}",
            topic=topic,
        )

    async def take(self, record: TestRecord, *, consumer: str) -> str:
        return await self.consumers[consumer].take(record, database=self.database)

    async def hears(self, event: Event, *, consumer: str, region: str, service: str, **more: Any) -> str:
        return await self.take(record_of(event, region=region, service=service, **more), consumer=consumer)


@pytest.fixture(scope="session")
async def migrated(postgres: PostgresServer) -> AsyncIterator[str]:
    """A database with our tables, to be copied."""
    name = f"cases_template_{os.getpid()}"
    url = postgres.create_database(name, role=name)
    await asyncio.to_thread(migrations.upgrade, url, "tibs_cases")
    yield url
    postgres.drop_database(name)
    postgres.drop_role(name)


@pytest.fixture
async def make_node(
    node_files: NodeFiles, migrated: str, make_database: Callable[..., str]
) -> AsyncIterator[Callable[..., Awaitable[TestNode]]]:
    async with AsyncExitStack() as stack:

        async def make(region: str, *, template: str = migrated) -> TestNode:
            url = make_database(region, template=template)
            files = node_files
            settings = Settings(
                region=region,
                regions_file=files.regions,
                database_url=url,
                kafka="127.0.0.1:1",
                node_jwks=files.jwks,
                node_key=files.key,
                oidc_issuer="http://127.0.0.1:1",
                public_url="http://127.0.0.1:1",
                registry_url="http://127.0.0.1:1",
                matching_url="http://127.0.0.1:1",
                notify_url="http://127.0.0.1:1",
                contacts_key=files.regions.parent / f"contacts-{region}.json",
                signing_key=files.regions.parent / f"signing-{region}.json",
                session_secret="a secret of tests, long enough",
            )
            regions = Regions.load(files.regions)
            node = CasesNode(
                region=region,
                service="cases",
                regions=regions,
                signer=load_signer(settings.signing_key, region=regions[region]),
                terms=settings.terms,
                contacts_key=load_key(settings.contacts_key),
            )
            database = Database(url, application="cases-test")
            stack.push_async_callback(database.close)
            app = create_api(
                title="cases", database=database, settings=settings, node=node, routers=ROUTERS, access=ACCESS
            )
            contacts = Contacts(region)
            app.state.registry = contacts
            made = TestNode(
                node=node,
                database=database,
                app=app,
                minter=TokenMinter(region=region, key_file=files.key),
                contacts=contacts,
                broker=make_principal(Role.BROKER, person=f"broker-{region}", region=region),
                lead=make_principal(Role.LEAD, Role.REVIEWER, person=f"lead-{region}", region=region),
                consumers={consumer.name: consumer for consumer in consumers(node)},
            )
            async with database.transaction() as session:
                await remember_person(session, principal=made.broker)
                await remember_person(session, principal=made.lead)
            return made

        yield make


@pytest.fixture
async def pl(make_node: Callable[..., Awaitable[TestNode]]) -> TestNode:
    return await make_node("pl84")


@pytest.fixture
async def fi(make_node: Callable[..., Awaitable[TestNode]]) -> TestNode:
    return await make_node("fi1c")


def profile_event(*, title: str = "Timber modules for homes", **changes: Any) -> ProfilePublished:
    """A published technology offer."""
    profile_id = new_id()
    held: dict[str, Any] = {
        "profile_id": profile_id,
        "reference": f"TOFI20261124{profile_id.int % 1000:03d}",
        "profile_type": ProfileType.TECHNOLOGY_OFFER,
        "title": title,
        "summary": "Prefabricated modules of glued timber for detached houses.",
        "description": "A maker of timber modules offers its technology to builders in the Baltic Sea region.",
        "language": "en",
        "sectors": [Sector.SUSTAINABLE_CONSTRUCTION],
        "client": AnonymousClient(country="FI", kind=ActorKind.SME),
        "desk": "Cursor Oy",
        "published_at": clock.now(),
        "valid_until": date(2999, 1, 1),
    }
    return ProfilePublished(**(held | changes))


async def publish(event: ProfilePublished, *, home: TestNode, nodes: Iterable[TestNode], author: str) -> UUID:
    """Lets nodes know of a profile of `home`, and `home` whose it is. Returns the client's actor id."""
    actor_id = new_id()
    for node in nodes:
        await node.hears(
            event,
            consumer="known-profiles",
            region=home.region,
            service="registry",
            subject=event.profile_id,
            sequence=1,
        )
    moved = ProfileMoved(
        profile_id=event.profile_id,
        actor_id=actor_id,
        reference=event.reference,
        profile_type=event.profile_type,
        title=event.title,
        state=ProfileState.PUBLISHED,
        author=author,
        moved_at=clock.now(),
        region=home.region,
    )
    await home.hears(
        moved,
        consumer="own-profiles",
        region=home.region,
        service="registry",
        subject=event.profile_id,
        sequence=1,
    )
    return actor_id


def case_body(**changes: Any) -> dict[str, Any]:
    """A case that is ready for an introduction."""
    body: dict[str, Any] = {
        "client": {"actor_id": str(new_id()), "name": "Zakład Sokół Sp. z o.o.", "country": "PL", "kind": "sme"},
        "need": {
            "title": "Timber modules for public buildings",
            "summary": "A builder looks for prefabricated timber modules.",
            "description": "Schools and offices of two floors, from 2027.",
            "language": "en",
            "profile_type": "TR",
            "sectors": ["sustainable_construction"],
        },
        "no_conflict": True,
        "diagnosis": "The client builds well and lacks a supplier of modules.",
    }
    return body | changes


@dataclass
class Wire:
    """What two nodes have sent each other, and what has arrived of it."""

    one: TestNode
    other: TestNode
    carried: dict[str, int] = field(default_factory=dict)

    async def waiting(self) -> list[tuple[TestNode, TestRecord]]:
        found = []
        for sender, receiver in ((self.one, self.other), (self.other, self.one)):
            rows = await sender.told(topic=f"tibs.{sender.region}.to.{receiver.region}.%")
            found += [(receiver, as_record(row)) for row in rows if row.seq > self.carried.get(sender.region, 0)]
            self.carried[sender.region] = max((row.seq for row in rows), default=0)
        return found

    async def deliver(self, random: Random | None = None) -> None:
        """Carries until nothing waits: in order, or in any order and some of it twice."""
        pending: list[tuple[TestNode, TestRecord]] = []
        while (new := await self.waiting()) or pending:
            pending += new
            if random is not None:
                random.shuffle(pending)
            receiver, record = pending.pop(0)
            assert await take(receiver, record) in ("applied", "repeated")
            if random is not None and random.random() < 0.2:
                assert await take(receiver, record) == "repeated"


def as_record(row: Any) -> TestRecord:
    """An outbox row as the record that the relay would make of it."""
    return TestRecord(
        topic=row.topic,
        partition=0,
        offset=next(_offsets),
        key=row.subject.encode(),
        value=row.payload,
        headers=[(name, value.encode()) for name, value in row.headers],
    )


async def take(node: TestNode, record: TestRecord) -> str:
    return await node.take(record, consumer="contacts" if record.topic.endswith(".contacts.v1") else "introductions")


@dataclass
class Story:
    """A case in Podlaskie, an offer in Kymenlaakso, and an introduction that was asked for."""

    pl: TestNode
    fi: TestNode
    wire: Wire
    case_id: str
    introduction_id: str
    offer: ProfilePublished
    pl_yes: dict[str, str]
    fi_yes: dict[str, str]

    async def post(self, node: TestNode, step: str, body: dict[str, Any] | None = None) -> httpx.Response:
        async with node.api() as api:
            return await api.post(f"/introductions/{self.introduction_id}/{step}", json=body)

    async def half(self, node: TestNode) -> dict[str, Any]:
        async with node.api() as api:
            answer = await api.get(f"/introductions/{self.introduction_id}")
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

    async def case(self) -> dict[str, Any]:
        async with self.pl.api() as api:
            found: dict[str, Any] = (await api.get(f"/cases/{self.case_id}")).json()
            return found


@pytest.fixture
async def story(pl: TestNode, fi: TestNode) -> Story:
    offer = profile_event()
    fi_actor = await publish(offer, home=fi, nodes=[pl, fi], author=fi.broker.person)
    body = case_body()
    async with pl.api() as api:
        opened = await api.post("/cases", json=body)
        assert opened.status_code == 201, opened.text
        case_id = opened.json()["id"]
        asked = await api.post(
            f"/cases/{case_id}/introductions",
            json={"profile_id": str(offer.profile_id), "message": "Would your client like to talk?"},
        )
        assert asked.status_code == 201, asked.text
    pl_actor = UUID(body["client"]["actor_id"])
    return Story(
        pl=pl,
        fi=fi,
        wire=Wire(pl, fi),
        case_id=case_id,
        introduction_id=asked.json()["id"],
        offer=offer,
        pl_yes=_yes(pl, pl_actor),
        fi_yes=_yes(fi, fi_actor),
    )


def _yes(node: TestNode, actor_id: UUID) -> dict[str, str]:
    contact = node.contacts.add(actor_id, organisation=f"Client of {node.region}")
    return {"actor_id": str(actor_id), "contact_id": str(contact), "method": "meeting"}
