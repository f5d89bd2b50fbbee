"""A service as a process: it becomes ready, tells how it fares, survives Kafka being away, and ends when asked."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tibs_chassis import migrations
from tibs_chassis.testing import eventually, make_node_files

pytestmark = pytest.mark.integration

REGIONS_FILE = Path(__file__).parents[2] / "deploy" / "regions.yaml"

PROGRAM = """
from tibs_chassis.api import create_api
from tibs_chassis.app import Service, service_cli
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, handles
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions
from tibs_chassis.settings import NodeSettings, load_settings
from tibs_contracts.events import ActorListed
from tibs_contracts.topics import Channel, every_region

async def nothing(session, received): ...

def build():
    settings = load_settings(NodeSettings)
    database = Database(settings.database_url, application="toy")
    node = Node(region=settings.region, service="registry", regions=Regions.load(settings.regions_file))
    api = create_api(title="Toy", database=database, settings=settings, node=node, routers=[], access={})
    listed = handles(ActorListed, nothing, latest_only=True)
    consumer = Consumer("listed-actors", topics=every_region(Channel.REGISTRY), handlers=[listed])
    return Service(name="registry", settings=settings, node=node, database=database, api=api, consumers=[consumer])

service_cli("registry", build, "tibs_chassis")()
"""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Toy:
    """The process and how to ask it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    async def ask(self, path: str) -> httpx.Response | None:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return await client.get(self.url + path)
        except httpx.TransportError:
            return None


def _environment(folder: Path, *, database_url: str, kafka: str) -> dict[str, str]:
    """What the program finds around it; it is written into the folder as `toy.py`."""
    files = make_node_files(folder, regions_file=REGIONS_FILE)
    (folder / "toy.py").write_text(PROGRAM)
    return os.environ | {
        "TIBS_REGION": "pl84",
        "TIBS_REGIONS_FILE": str(files.regions),
        "TIBS_DATABASE_URL": database_url,
        "TIBS_KAFKA": kafka,
        "TIBS_NODE_JWKS": str(files.jwks),
        "TIBS_OIDC_ISSUER": "http://127.0.0.1:1",
    }


@pytest.fixture
async def toy(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> AsyncIterator[Toy]:
    """Started with the Kafka address that the test gives as parameter; `real` is the one that runs."""
    kafka = request.getfixturevalue("kafka") if request.param == "real" else request.param
    await asyncio.to_thread(migrations.upgrade, database_url, "tibs_chassis")
    port = _free_port()
    environment = _environment(tmp_path, database_url=database_url, kafka=kafka) | {"TIBS_HTTP_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "toy.py"), "run", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    yield Toy(process, port)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _status(toy: Toy, path: str) -> int | None:
    answer = await toy.ask(path)
    return None if answer is None else answer.status_code


@pytest.mark.parametrize("toy", ["real"], indirect=True)
async def test_a_service_becomes_ready_tells_how_it_fares_and_ends_when_asked(toy: Toy) -> None:
    await eventually(lambda: _status(toy, "/readyz"), until=lambda status: status == 200, within=30)

    async def consumers() -> object:
        answer = await toy.ask("/readyz")
        return answer.json()["consumers"] if answer is not None else None

    await eventually(consumers, until=lambda told: told and told[0]["name"] == "listed-actors", within=30)
    metrics = await toy.ask("/metrics")
    assert metrics is not None
    assert "tibs_outbox_waiting 0.0" in metrics.text

    toy.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(toy.process.wait(), timeout=20) == 0


@pytest.mark.parametrize("toy", ["127.0.0.1:1"], indirect=True)
async def test_a_service_stays_up_while_kafka_is_away(toy: Toy) -> None:
    await eventually(lambda: _status(toy, "/readyz"), until=lambda status: status == 200, within=30)
    answer = await toy.ask("/readyz")
    assert answer is not None
    assert answer.json()["kafka"] == "waiting"
    assert await _status(toy, "/livez") == 200


@pytest.mark.parametrize(
    ("address", "code", "sentence"),
    [("real", 0, "The topics hold nothing beyond the database."), ("127.0.0.1:1", 2, "Nothing was changed: ")],
)
async def test_reconciling_says_how_it_ended(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str, address: str, code: int, sentence: str
) -> None:
    kafka = request.getfixturevalue("kafka") if address == "real" else address
    await asyncio.to_thread(migrations.upgrade, database_url, "tibs_chassis")
    environment = _environment(tmp_path, database_url=database_url, kafka=kafka)
    for arguments in ([], ["--yes"]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(tmp_path / "toy.py"), "reconcile", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, wrong = await process.communicate()
        assert (process.returncode, sentence.encode() in told + wrong) == (code, True), wrong.decode()


async def test_a_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(tmp_path / "toy.py"),
        "run",
        env=os.environ | {"TIBS_REGION": "Podlaskie"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode == 2
    assert b"TIBS_REGION held 'Podlaskie'" in told
    assert b"Traceback" not in told
