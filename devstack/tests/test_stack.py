"""A whole stack, with stand-ins for the services: it comes up, heals, and goes down without a trace."""

import asyncio
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
import stand_in
from aiokafka.admin import AIOKafkaAdminClient

from tibs_chassis.regions import Regions
from tibs_chassis.settings import NodeSettings, load_settings
from tibs_chassis.trust import load_signer
from tibs_contracts.topics import SERVICES, Channel, topic_name
from tibs_devstack import nodes
from tibs_devstack.control import Refused, ask
from tibs_devstack.process import DidNotStart
from tibs_devstack.pytest_plugin import MakeFolder
from tibs_devstack.stack import AlreadyRunning, Stack
from tibs_devstack.state import StackState, StateFolder

pytestmark = pytest.mark.integration


def _stack(folder: Path, *regions: str, services: tuple[str, ...] = (), shared_kafka: bool = False) -> Stack:
    return Stack(
        regions=regions or ["pl84", "fi1c"],
        state_dir=folder,
        launch=stand_in.StandIn(*services),
        durable=False,
        shared_kafka=shared_kafka,
    )


@pytest.fixture(scope="module")
async def stack(make_folder: MakeFolder) -> AsyncIterator[Stack]:
    async with _stack(make_folder("stack")) as running:
        yield running


async def until(condition: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        await asyncio.sleep(0.05)


def _pids(state: StackState) -> set[int]:
    found = {part.pid for part in state.parts.values()}
    found |= {one.pid for region in state.regions.values() for one in region.services.values()}
    return {pid for pid in found if pid is not None}


async def test_it_tells_where_everything_is(stack: Stack) -> None:
    state = StateFolder(stack.folder.path).read()
    assert state is not None
    assert state.ready
    assert state.versions["kafka"] == "4.3.1"
    assert state.versions["postgres"].startswith("18.")
    assert state.regions["fi1c"].people[0].name == "Broker, Kymenlaakso"
    assert len(_pids(state)) == 2 + 2 * (3 + 4), "PostgreSQL and mail; Kafka, mirror, identity and services of each"
    async with httpx.AsyncClient() as http:
        for code, region in state.regions.items():
            assert (await http.get(region.services["registry"].url)).text == code


async def test_every_topic_of_every_region_is_declared(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka("pl84").address)
    await admin.start()
    try:
        topics = {name for name in await admin.list_topics() if name.startswith("tibs")}
        described = await admin.describe_topics(["tibs.pl84.registry.v1", "tibs.fi1c.registry.v1"])
    finally:
        await admin.close()
    assert {
        topic_name(Channel.REGISTRY, "pl84"),
        topic_name(Channel.CASES, "pl84", to="fi1c"),
        topic_name(Channel.CASES, "pl84", to="dk03"),  # not run here: what is meant for it waits in its topic
        topic_name(Channel.REGISTRY, "fi1c"),
        topic_name(Channel.CONTACTS, "fi1c", to="pl84"),
    } <= topics
    assert not {name for name in topics if name.startswith(("tibs-local.fi1c", "tibs.fi1c.to.dk03"))}
    assert [len(one["partitions"]) for one in described] == [6, 6]


async def test_a_service_reaches_its_own_database_and_no_other(stack: Stack) -> None:
    own = stack.environment("pl84", "registry")["TIBS_DATABASE_URL"]
    with psycopg.connect(own) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("pl84_registry",)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(own.removesuffix("pl84_registry") + "fi1c_registry")


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_accepts_the_environment_it_gets(
    stack: Stack, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"tibs_{service}.settings")
    (settings,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, NodeSettings) and one is not NodeSettings
    )
    for name, value in stack.environment("fi1c", service).items():
        monkeypatch.setenv(name, value)
    held = load_settings(settings)
    assert held.region == "fi1c"
    known = {f"TIBS_{field.upper()}" for field in settings.model_fields}
    assert set(stack.environment("fi1c", service)) <= known, "nothing is set that nobody reads"


async def test_secrets_are_only_for_their_owner(stack: Stack) -> None:
    for file in [*stack.folder.path.glob("keys/*/*.jwk"), *stack.folder.path.glob("env/*.json")]:
        assert file.stat().st_mode & 0o077 == 0, file
    state = json.dumps(json.loads(stack.folder.file.read_text()))
    assert urlsplit(stack.environment("pl84", "cases")["TIBS_DATABASE_URL"]).password not in state
    assert stack.environment("pl84", "cases")["TIBS_SESSION_SECRET"] not in state


async def test_the_regions_file_carries_public_keys_only(stack: Stack) -> None:
    keys = Regions.load(stack.folder.path / "regions.yaml")["fi1c"].keys
    assert keys.contacts[0]["crv"] == "X25519"
    assert "d" not in keys.contacts[0]
    assert len(keys.signing) == 1
    assert stack.environment("pl84", "cases")["TIBS_CONTACTS_KEY"].endswith("keys/pl84/contacts.jwk")


@pytest.mark.parametrize("service", ["registry", "cases"])
async def test_who_tells_other_regions_has_the_key_that_they_know(stack: Stack, service: str) -> None:
    known = Regions.load(stack.folder.path / "regions.yaml")["fi1c"]
    load_signer(Path(stack.environment("fi1c", service)["TIBS_SIGNING_KEY"]), region=known)
    assert "TIBS_SIGNING_KEY" not in stack.environment("fi1c", "notify")


async def test_a_crashed_service_is_started_again(stack: Stack) -> None:
    service = stack.service("pl84", "registry")
    assert service.child is not None
    first, restarts = service.child.pid, service.restarts
    os.kill(first, signal.SIGKILL)
    await until(lambda: service.restarts > restarts and service.condition == "ready", "the restart")
    assert service.child.pid != first
    async with httpx.AsyncClient() as http:
        assert (await http.get(stack.url("pl84", "registry"))).text == "pl84"


async def test_a_killed_service_stays_down_until_started(stack: Stack) -> None:
    url = stack.url("fi1c", "cases")
    await stack.kill("fi1c", "cases")
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
        assert stack.service("fi1c", "cases").condition == "down"
        await stack.start("fi1c", "cases")
        assert (await http.get(url)).text == "fi1c"


async def test_kafka_comes_back_at_the_same_address(stack: Stack) -> None:
    kafka, topics = stack.kafka("pl84"), []
    address = kafka.address
    await stack.stop_kafka("pl84")
    assert kafka.pid is None
    assert stack.kafka("fi1c").pid is not None
    await stack.start_kafka("pl84")
    assert kafka.address == address
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    topics = await admin.list_topics()
    await admin.close()
    assert "tibs.pl84.registry.v1" in topics


async def test_a_second_stack_in_the_same_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(AlreadyRunning):
        await _stack(stack.folder.path).up()
    assert StateFolder(stack.folder.path).running()


async def test_another_folder_is_another_stack_even_when_its_ports_are_taken(stack: Stack, state_dir: Path) -> None:
    """The first stack has the ports that regions like."""
    async with _stack(state_dir, "pl84", services=("cases",)) as other:
        assert other.url("pl84") != stack.url("pl84")
        assert other.kafka("pl84").address not in {stack.kafka(code).address for code in stack.regions}
        async with httpx.AsyncClient() as http:
            assert (await http.get(other.url("pl84"))).text == "pl84"
    assert StateFolder(stack.folder.path).running()


async def test_a_region_joins_while_others_run(state_dir: Path) -> None:
    async with _stack(state_dir, "pl84", services=("cases",)) as stack:
        before = _pids(stack.state)
        asked = partial(ask, stack.folder.path, do="add")

        with pytest.raises(Refused, match="'xx9' is not a region of the network: pl84, "):
            await asyncio.to_thread(lambda: list(asked(region="xx9")))
        with pytest.raises(Refused, match="pl84 runs already"):
            await asyncio.to_thread(lambda: list(asked(region="pl84")))
        steps = await asyncio.to_thread(lambda: list(asked(region="lv008")))

        assert {name for name, condition, _ in steps if condition == "ready"} == {
            *("lv008 kafka", "lv008 mirror", "lv008 identity", "lv008 cases", "databases"),
        }
        assert before < _pids(stack.state), "nothing was restarted"
        assert stack.mirror("pl84").states().keys() == {"lv008"}
        assert stack.mirror("lv008").states().keys() == {"pl84"}
        async with httpx.AsyncClient() as http:
            assert (await http.get(stack.url("lv008"))).text == "lv008"
        assert Regions.load(state_dir / "regions.yaml")["lv008"].keys.contacts
    assert not any(map(psutil.pid_exists, _pids(stack.state)))


async def test_a_region_that_cannot_start_is_taken_away_again(state_dir: Path) -> None:
    async with _stack(state_dir, "pl84", services=("cases",)) as stack:
        before = _pids(stack.state)
        (state_dir / "refuses").touch()
        with pytest.raises(Refused, match="that is no region"):
            await asyncio.to_thread(lambda: list(ask(stack.folder.path, do="add", region="lv008")))
        assert (stack.regions, _pids(stack.state), stack.mirror("pl84").states()) == (["pl84"], before, {})
        (state_dir / "refuses").unlink()
        await stack.add("lv008")
        assert stack.regions == ["pl84", "lv008"]


async def test_one_cluster_may_serve_all_regions_from_the_beginning_on(state_dir: Path) -> None:
    first = _stack(state_dir, "pl84", "fi1c", services=("cases",), shared_kafka=True)
    async with first:
        assert first.kafka("pl84") is first.kafka("fi1c")
        assert len(_pids(first.state)) == 3 + 2 * 2, "PostgreSQL, mail, Kafka; identity and service of each"
        await first.add("lv008")
        assert first.environment("lv008", "cases")["TIBS_KAFKA"] == first.kafka("pl84").address
    with pytest.raises(ValueError, match="were begun with --shared-kafka: go on with it"):
        await _stack(state_dir, "pl84", services=("cases",)).up()
    assert not StateFolder(state_dir).running()


async def test_started_twice_it_keeps_its_data_and_addresses(state_dir: Path) -> None:
    first = _stack(state_dir, "lv008", services=("cases",))
    async with first:
        url = first.environment("lv008", "cases")["TIBS_DATABASE_URL"]
        address, page = first.kafka("lv008").address, first.url("lv008")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
    assert not any(map(psutil.pid_exists, _pids(first.state)))
    async with _stack(state_dir, "lv008", services=("cases",)) as second:
        assert second.kafka("lv008").address == address
        assert second.url("lv008") == page
        assert second.environment("lv008", "cases")["TIBS_DATABASE_URL"] == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


async def test_a_service_that_refuses_its_settings_stops_the_start(state_dir: Path) -> None:
    (state_dir / "refuses").touch()
    stack = _stack(state_dir, "lt", services=("cases",))
    with pytest.raises(DidNotStart, match="that is no region"):
        await stack.up()
    assert not StateFolder(state_dir).running()
    assert not any(map(psutil.pid_exists, _pids(stack.state)))


async def test_killing_the_supervisor_leaves_nothing_running_and_nothing_corrupt(state_dir: Path) -> None:
    program = [sys.executable, str(Path(stand_in.__file__)), "up", str(state_dir)]
    supervisor = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: ASYNC220 (quick)
    assert supervisor.stdout is not None
    with supervisor.stdout:
        assert await asyncio.to_thread(supervisor.stdout.readline) == b"ready\n"
        state = StateFolder(state_dir).read()
        assert state is not None
        family = _pids(state) | {child.pid for child in psutil.Process(supervisor.pid).children(recursive=True)}
        supervisor.kill()
        supervisor.wait()
    await until(lambda: not any(map(psutil.pid_exists, family)), "the end of every child", seconds=10)
    async with _stack(state_dir) as again:
        assert again.state.ready


def test_a_region_has_its_liked_port_and_codes_to_come_have_one_too() -> None:
    assert nodes.liked_port("pl84") == 8084
    assert nodes.liked_port("se99") == nodes.liked_port("se99")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        from tibs_devstack.process import free_port

        assert free_port(port) != port
