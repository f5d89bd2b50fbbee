"""The `tibs` command beside a running stack, beside none, and under Ctrl-C."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import stand_in
from typer.testing import CliRunner

from tibs_devstack.cli import app
from tibs_devstack.pytest_plugin import MakeFolder
from tibs_devstack.stack import Stack
from tibs_devstack.state import StateFolder

pytestmark = pytest.mark.integration


def _tibs(*arguments: str, folder: Path) -> tuple[int, str]:
    ended = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments, "--state-dir", str(folder)])
    return ended.exit_code, ended.output


@pytest.fixture(scope="module")
async def folder(make_folder: MakeFolder) -> AsyncIterator[Path]:
    path = make_folder("cli")
    async with Stack(regions=["pl84"], state_dir=path, launch=stand_in.StandIn("cases"), durable=False):
        yield path


def test_a_second_up_says_that_it_runs_and_where(folder: Path) -> None:
    code, told = _tibs("up", "--regions", "pl84", folder=folder)
    assert code == 0
    assert "A stack with pl84 is already running" in told
    assert "http://localhost:" in told
    assert "Broker, Podlaskie" in told


def test_a_second_up_with_other_regions_says_what_to_do(folder: Path) -> None:
    code, told = _tibs("up", "--regions", "pl84,fi1c", folder=folder)
    assert code == 1
    assert "It does not run fi1c; `tibs region add fi1c` lets it join." in told


def test_status_shows_each_process(folder: Path) -> None:
    code, told = _tibs("status", folder=folder)
    assert code == 0
    assert "pl84 cases" in told
    assert told.count("ready") >= 5
    code, told = _tibs("status", "--json", folder=folder)
    assert json.loads(told)["regions"]["pl84"]["services"]["cases"]["condition"] == "ready"


def test_logs_are_listed_and_shown(folder: Path) -> None:
    assert "postgres" in _tibs("logs", folder=folder)[1]
    assert "database system is ready" in _tibs("logs", "postgres", folder=folder)[1]
    code, told = _tibs("logs", "nothing", folder=folder)
    assert code == 1
    assert "There is no log 'nothing'" in told


def test_a_running_stack_is_not_reset(folder: Path) -> None:
    code, told = _tibs("reset", "--yes", folder=folder)
    assert code == 1
    assert "stop it by `tibs down` first" in told


def test_commands_of_a_service_that_is_not_there_are_refused(folder: Path) -> None:
    for command in (["dlq", "list"], ["replay"], ["reconcile", "--yes"]):
        code, told = _tibs(*command, "--region", "pl84", "--service", "registry", folder=folder)
        assert code == 1
        assert "has no service pl84 registry" in told


def test_where_nothing_runs_it_says_so(state_dir: Path) -> None:
    for command in ("status", "open", "down"):
        assert "No stack" in _tibs(command, folder=state_dir)[1]
    assert "is not the folder of a stack" in _tibs("reset", "--yes", folder=state_dir)[1]
    code, told = _tibs("up", "--regions", "xx99", folder=state_dir)
    assert code == 1
    assert "'xx99' is not a region of the network" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_asked_and_its_folder_can_be_reset(state_dir: Path, number: signal.Signals) -> None:
    run = subprocess.Popen(
        [sys.executable, str(Path(stand_in.__file__)), "cli", str(state_dir)], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    with run.stdout:
        lines = iter(run.stdout.readline, "")
        assert any("Ready after" in line for line in lines)
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)
        assert "Stopped." in "".join(lines)
    assert run.wait() == 0
    assert not any(child.is_running() for child in children)
    assert not StateFolder(state_dir).running()
    assert _tibs("reset", "--yes", folder=state_dir)[0] == 0
    assert not state_dir.exists()


def test_interrupted_while_starting_it_leaves_nothing(state_dir: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, str(Path(stand_in.__file__)), "cli", str(state_dir)], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    with run.stdout:
        assert any("postgres: ready" in line for line in iter(run.stdout.readline, ""))
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        assert "Stopped." in run.stdout.read()
    assert run.wait() == 0
    assert not any(child.is_running() for child in children)


def test_on_a_terminal_it_moves(state_dir: Path) -> None:
    near, far = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, str(Path(stand_in.__file__)), "cli", str(state_dir)],
        stdout=far,
        stderr=far,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(far)
    told = b""
    try:
        while b"Ready after" not in told:
            told += os.read(near, 4096)
        run.terminate()
        while b"Stopped." not in told:
            told += os.read(near, 4096)
    finally:
        run.kill()
        run.wait()
        os.close(near)
    assert "⠋".encode() in told or "✓".encode() in told
