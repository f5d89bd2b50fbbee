"""The service as it runs: a process of its own between a real Kafka, a real PostgreSQL and a mail server."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import uvicorn
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tibs_chassis.testing import NodeFiles, eventually, record_of
from tibs_contracts.events import IntroductionMoved, IntroductionStep, NoticeRaised, Side
from tibs_contracts.ids import new_id
from tibs_contracts.topics import Channel, declared, topic_name

pytestmark = pytest.mark.integration

Tell = Callable[[], Awaitable[None]]


@pytest.fixture
def region() -> str:
    """A region of this test's own: the broker is shared."""
    return f"xx{uuid4().hex[:8]}"


@pytest.fixture
async def topics(kafka: str, region: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(one.name, one.partitions, 1) for one in declared(region, [])])
    await admin.close()


@pytest.fixture
async def tell(kafka: str, region: str, topics: None) -> AsyncIterator[Tell]:
    """Says that an introduction has arrived, as the cases service would."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()

    async def write() -> None:
        moved = IntroductionMoved(
            introduction_id=new_id(),
            case_id=new_id(),
            side=Side.COUNTERPART,
            step=IntroductionStep.RECEIVED,
            other_region="fi1c",
            title="Sensors for wood drying",
            concerned=["broker"],
            due=date(2026, 12, 1),
            moved_at=datetime.now(UTC),
        )
        record = record_of(moved, region=region, service="cases", subject=moved.introduction_id, sequence=1)
        await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))

    yield write
    await producer.stop()


@pytest.fixture
async def cases_url() -> AsyncIterator[str]:
    """A desk that knows everybody."""

    async def person(request: Request) -> JSONResponse:
        assert request.headers["authorization"].startswith("Bearer ")
        name = request.path_params["person"]
        return JSONResponse({"id": name, "email": f"{name}@desk.example", "language": "en"})

    app = Starlette(routes=[Route("/api/v1/people/{person}", person)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
def environment(
    files: NodeFiles,
    tmp_path: Path,
    region: str,
    kafka: str,
    make_database: Callable[..., str],
    cases_url: str,
    catcher: Any,
) -> dict[str, str]:
    content = yaml.safe_load(files.regions.read_text())
    content["regions"].append(content["regions"][0] | {"code": region})
    regions_file = tmp_path / "regions.yaml"
    regions_file.write_text(yaml.safe_dump(content, allow_unicode=True))
    values = {
        "REGION": region,
        "REGIONS_FILE": regions_file,
        "DATABASE_URL": make_database("notify"),
        "KAFKA": kafka,
        "NODE_JWKS": files.jwks,
        "NODE_KEY": files.key,
        "OIDC_ISSUER": "http://127.0.0.1:1",
        "SMTP_URL": catcher.url,
        "MAIL_FROM": "TIBS <no-reply@desk.example>",
        "CASES_URL": cases_url,
        "PUBLIC_URL": "http://localhost:3",
    }
    return {**os.environ, **{f"TIBS_{name}": str(value) for name, value in values.items()}}


async def command(environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tibs_notify",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await command(environment, "run", "--role", "all")
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.read())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        print((await reading).decode())


async def test_a_fact_from_kafka_becomes_a_mail_and_a_fact_on_kafka_once_also_after_a_kill(
    environment: dict[str, str], kafka: str, region: str, tell: Tell, catcher: Any
) -> None:
    migrated = await command(environment, "migrate")
    out, _ = await migrated.communicate()
    assert migrated.returncode == 0, out.decode()

    async def mails() -> int:
        return len(catcher.mails)

    await tell()
    async with running(environment) as process:
        await eventually(mails, until=lambda count: count == 1, within=60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await tell()
    async with running(environment) as process:
        await eventually(mails, until=lambda count: len({one["Message-ID"] for one in catcher.mails}) == 2, within=60)
        assert await told(kafka, region, wanted=2) == {("broker", "introduction_received")}
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), timeout=30) == 0
    # A kill between sending and writing down may repeat a mail, but never under another id.
    assert len({one["Message-ID"] for one in catcher.mails}) == 2
    assert {one["To"] for one in catcher.mails} == {"broker@desk.example"}


async def told(kafka: str, region: str, *, wanted: int) -> set[tuple[str, str]]:
    """What the service has told its node."""
    topic = topic_name(Channel.LOCAL, region, service="notify")
    found = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            async for record in consumer:
                found.append(NoticeRaised.read(record.value))
                if len(found) == wanted:
                    break
        more = await consumer.getmany(timeout_ms=300)
    assert not more
    assert len({one.notice_id for one in found}) == wanted
    return {(one.person, one.kind) for one in found}


async def test_the_openapi_document_names_every_route(environment: dict[str, str]) -> None:
    process = await command(environment, "openapi")
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    paths = json.loads(out)["paths"]
    assert "/api/v1/notices/{notice_id}/seen" in paths
    assert "/api/v1/unsubscriptions" in paths
