"""What tests of every service share: identities, laws of consumers, the walk over the authorisation matrix."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
from fastapi import FastAPI
from joserfc.jwk import KeySet, OKPKey
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from tibs_chassis import clock
from tibs_chassis.access import Access, routes_of
from tibs_chassis.auth import Principal, Role
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.envelope import Envelope, source_of
from tibs_contracts.events import Event
from tibs_contracts.ids import new_id
from tibs_contracts.signatures import Signer
from tibs_contracts.topics import Channel, topic_name

T = TypeVar("T")


async def eventually(
    ask: Callable[[], Awaitable[T]], *, until: Callable[[T], object] = bool, within: float = 20.0, what: str = ""
) -> T:
    """Asks until the answer is right; AssertionError with the last answer when `within` seconds have passed."""
    end = time.monotonic() + within
    while True:
        answer = await ask()
        if until(answer):
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {within:.0f} s for {what or 'a condition'}; last: {answer!r}")
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class NodeFiles:
    """Key files of a node made for a test."""

    jwks: Path
    key: Path
    contacts_key: Path
    signing_key: Path
    regions: Path


def make_node_files(
    directory: Path, *, regions_file: Path, region: str = "pl84", like: Mapping[str, str] | None = None
) -> NodeFiles:
    """Fresh keys in `directory`, and regions.yaml with the public keys of each region.

    The private keys of every region are written as `contacts-<region>.json` and `signing-<region>.json`. `like` adds
    regions that are another one but for their code: on a Kafka that tests share, their topics are a test's own.
    """
    import yaml

    key = OKPKey.generate_key("Ed25519", parameters={"kid": "node-test", "use": "sig"})
    (directory / "node-key.json").write_text(json.dumps(key.as_dict(private=True)))
    (directory / "node-jwks.json").write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    content = yaml.safe_load(regions_file.read_text(encoding="utf-8"))
    by_code = {entry["code"]: entry for entry in content["regions"]}
    content["regions"] += [by_code[model] | {"code": code} for code, model in (like or {}).items()]
    for entry in content["regions"]:
        contacts = OKPKey.generate_key("X25519", parameters={"kid": f"contacts-{entry['code']}", "use": "enc"})
        (directory / f"contacts-{entry['code']}.json").write_text(json.dumps(contacts.as_dict(private=True)))
        signing = OKPKey.generate_key("Ed25519", parameters={"kid": f"{entry['code']}-1", "use": "sig"})
        (directory / f"signing-{entry['code']}.json").write_text(json.dumps(signing.as_dict(private=True)))
        entry["keys"] = {"contacts": [contacts.as_dict(private=False)], "signing": [signing.as_dict(private=False)]}
    (directory / "regions.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return NodeFiles(
        jwks=directory / "node-jwks.json",
        key=directory / "node-key.json",
        contacts_key=directory / f"contacts-{region}.json",
        signing_key=directory / f"signing-{region}.json",
        regions=directory / "regions.yaml",
    )


def make_principal(*roles: Role, person: str = "", region: str = "pl84", language: str = "en") -> Principal:
    """Somebody with these roles, named after the first of them."""
    name = person or (roles[0].value if roles else "nobody")
    return Principal(
        person=name,
        name=f"{name.capitalize()}, {region}",
        roles=frozenset(roles),
        region=region,
        email=f"{name}@{region}.example",
        language=language,
    )


@asynccontextmanager
async def api_client(
    app: FastAPI, *, minter: TokenMinter, audience: str, principal: Principal | None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in this process, signed in as `principal`."""
    headers = {} if principal is None else {"Authorization": f"Bearer {minter.mint(principal, audience)}"}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


async def walk_access(app: FastAPI, access: Access, *, minter: TokenMinter, audience: str) -> list[str]:
    """Calls every route as every role and as nobody; returns a sentence for each answer that the matrix does not allow.

    Ids in paths are fresh, bodies are empty: whoever may gets anything but 401 and 403.
    """
    wrong = []
    for route, role in itertools.product(routes_of(app), [None, *Role]):
        path = re.sub(r"\{[^}]+\}", lambda _: str(new_id()), route.path)
        principal = None if role is None else make_principal(role)
        async with api_client(app, minter=minter, audience=audience, principal=principal) as client:
            status = (await client.request(route.method, path)).status_code
        refused = status in (401, 403)
        if role is None and status != 401:
            wrong.append(f"{route.method} {path} answered {status} to nobody, not 401")
        elif role is not None and role in access[route.name] and refused:
            wrong.append(f"{route.method} {path} answered {status} to {role}, who may")
        elif role is not None and role not in access[route.name] and status != 403:
            wrong.append(f"{route.method} {path} answered {status} to {role}, who may not")
    return wrong


@dataclass(frozen=True)
class TestRecord:
    """A Kafka record without Kafka, for handing to a consumer."""

    __test__ = False

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


_offsets = itertools.count()


def record_of(
    event: Event,
    *,
    region: str,
    service: str,
    subject: UUID | str,
    sequence: int,
    to: str | None = None,
    correlation_id: UUID | None = None,
    signer: Signer | None = None,
) -> TestRecord:
    """The record that a service of a region would have written; signed if there is something to sign with."""
    envelope = Envelope(
        id=new_id(),
        source=source_of(region, service),
        type=event.type,
        subject=str(subject),
        time=clock.now(),
        sequence=sequence,
        correlation_id=correlation_id or new_id(),
    )
    local = service if event.channel is Channel.LOCAL else None
    topic, value = topic_name(event.channel, region, to=to, service=local), event.write()
    headers = envelope.headers() if signer is None else signer.headers(envelope, topic=topic, value=value)
    return TestRecord(
        topic=topic,
        partition=0,
        offset=next(_offsets),
        key=str(subject).encode(),
        value=value,
        headers=[(name, held) for name, held in headers],
    )


async def take_all(consumer: Consumer, records: Sequence[TestRecord], *, database: Database) -> list[str]:
    """Hands records to a consumer in the given order; returns what became of each."""
    return [await consumer.take(record, database=database) for record in records]


def assert_migrated(url: str, metadata: MetaData) -> None:
    """The tables of the models are those that the migrations made (columns, types, nullability, indexes)."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    names = set(metadata.tables)

    def ours(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
        return kind != "table" or name in names

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"include_name": ours, "compare_type": True, "target_metadata": metadata}
            )
            differences = compare_metadata(context, metadata)
    finally:
        engine.dispose()
    assert not differences, "\n".join(str(one) for one in differences)
