"""The `tibs` command: regions on this machine."""

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tibs_chassis.regions import RegionsError
from tibs_devstack.control import Refused, ask
from tibs_devstack.launch import InstalledServices, child_environment
from tibs_devstack.parts.base import MissingPart
from tibs_devstack.places import default_state_dir
from tibs_devstack.process import DidNotStart
from tibs_devstack.screen import Screen, print_addresses, print_status
from tibs_devstack.stack import AlreadyRunning, Stack
from tibs_devstack.state import StackState, StateFolder

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="TIBS regions on this machine."
)
_PASSED_ON = ("TIBS_EMBEDDER", "TIBS_OTLP_ENDPOINT", "TIBS_LOG_LEVEL")
"""Variables of the person's shell that the services get too."""

StateDir = Annotated[
    Path | None, typer.Option("--state-dir", help="Where data, keys and logs lie; another folder is another stack.")
]
SharedKafka = Annotated[bool, typer.Option("--shared-kafka", help="One Kafka for all regions, with no mirrors.")]
Region = Annotated[str, typer.Option(help="Code of the region.")]
Service = Annotated[str, typer.Option(help="registry, matching, cases or notify.")]


def _folder(state_dir: Path | None) -> StateFolder:
    return StateFolder((state_dir or default_state_dir()).resolve())


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def _running(state_dir: Path | None) -> tuple[StateFolder, StackState]:
    folder = _folder(state_dir)
    state = folder.read()
    if state is None or not folder.running():
        _fail(f"No stack is running in {folder.path}. Start one by `tibs up`.")
    return folder, state


@app.command()
def up(
    regions: Annotated[str, typer.Option(help="Codes, separated by commas.")] = "pl84,fi1c",
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready and keep it running.")] = False,
    shared_kafka: SharedKafka = False,
    state_dir: StateDir = None,
) -> None:
    """Start regions and keep them running until Ctrl-C."""
    codes = [code.strip() for code in regions.split(",") if code.strip()]
    folder = _folder(state_dir)
    screen = Screen()
    if folder.running():
        raise typer.Exit(_tell_running(folder, codes, screen))
    if detach:
        raise typer.Exit(_detached(folder, codes, screen, shared_kafka=shared_kafka))
    try:
        stack = Stack(
            regions=codes,
            state_dir=folder.path,
            say=screen.say,
            progress=screen.progress,
            environment={name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)},
            shared_kafka=shared_kafka,
        )
        asyncio.run(_serve(stack, screen))
    except (DidNotStart, MissingPart, RegionsError, ValueError) as error:
        _fail(str(error))
    except AlreadyRunning:
        raise typer.Exit(_tell_running(folder, codes, screen)) from None


async def _serve(stack: Stack, screen: Screen) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    work = asyncio.create_task(_up_and_wait(stack, screen, stopping))
    signals = 0

    def asked_to_stop() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            screen.say("Stopping; once more to end at once.")
            stopping.set()
            if not stack.state.ready:
                work.cancel()
        else:
            os._exit(130)  # the kernel ends the children

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_stop)
    with contextlib.suppress(asyncio.CancelledError):
        await work
    screen.say("Stopped.")


async def _up_and_wait(stack: Stack, screen: Screen, stopping: asyncio.Event) -> None:
    with screen:
        await stack.up()
    try:
        print_addresses(stack.state, screen.console)
        screen.say(f"\nReady after {stack.state.seconds} s. Ctrl-C or `tibs down` stops everything.")
        await stopping.wait()
    finally:
        await stack.down()


def _tell_running(folder: StateFolder, codes: Sequence[str], screen: Screen) -> int:
    state = folder.read()
    if state is None:
        screen.say(f"A stack is just starting in {folder.path}.")
        return 1
    held = ",".join(state.regions)
    screen.say(f"A stack with {held} is already running in {folder.path} (process {state.pid}).")
    print_addresses(state, screen.console)
    if set(codes) - set(state.regions):
        missing = [code for code in codes if code not in state.regions]
        screen.say(f"\nIt does not run {', '.join(missing)}; `tibs region add {missing[0]}` lets it join.")
        return 1
    return 0


def _detached(folder: StateFolder, codes: Sequence[str], screen: Screen, *, shared_kafka: bool) -> int:
    folder.logs.mkdir(parents=True, exist_ok=True)
    log = folder.logs / "supervisor.log"
    begin = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [
                *(sys.executable, "-m", "tibs_devstack.cli", "up"),
                *("--regions", ",".join(codes), "--state-dir", str(folder.path)),
                *(["--shared-kafka"] if shared_kafka else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _follow_start(folder, supervisor, log, begin, screen)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        return 130


def _follow_start(
    folder: StateFolder, supervisor: "subprocess.Popen[bytes]", log: Path, begin: int, screen: Screen
) -> int:
    with log.open("rb") as told:
        told.seek(begin)
        while True:
            code, state = supervisor.poll(), folder.read()
            sys.stdout.write(told.read().decode(errors="replace"))
            sys.stdout.flush()
            if code is not None:
                return code or 1
            if state is not None and state.pid == supervisor.pid and state.ready:
                screen.say(f"It runs in the background (process {state.pid}).")
                return 0
            time.sleep(0.1)


@app.command()
def down(state_dir: StateDir = None) -> None:
    """Stop what `tibs up` started."""
    folder = _folder(state_dir)
    typer.echo("Stopped." if folder.stop() else f"No stack was running in {folder.path}.")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As state.json holds it.")] = False, state_dir: StateDir = None
) -> None:
    """Show every process, its condition and address. Exit code 1 if no stack runs."""
    folder = _folder(state_dir)
    running, state = folder.running(), folder.read()
    if as_json:
        typer.echo(state.model_dump_json(indent=1) if state is not None and running else "null")
    elif state is not None and running:
        print_status(state, running=running, console=Screen().console)
    else:
        typer.echo(f"No stack is running in {folder.path}.")
    raise typer.Exit(0 if running else 1)


@app.command("open")
def addresses(state_dir: StateDir = None) -> None:
    """Print the addresses of the running regions and who can sign in."""
    _, state = _running(state_dir)
    print_addresses(state, Screen().console)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="postgres, mail, or e.g. pl84-kafka, pl84-cases.")] = None,
    lines: Annotated[int, typer.Option("-n", help="So many from the end.")] = 40,
    follow: Annotated[bool, typer.Option("-f", help="Go on showing what comes.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Show the log of one process, or which logs there are."""
    folder = _folder(state_dir)
    if name is None:
        for path in sorted(folder.logs.glob("*.log")):
            typer.echo(f"{path.stem:24}{path.stat().st_size:>10} bytes  {path}")
        return
    log = folder.logs / f"{name}.log"
    if not log.exists():
        known = ", ".join(sorted(path.stem for path in folder.logs.glob("*.log")))
        _fail(f"There is no log '{name}'. There are: {known or 'none yet'}.")
    with log.open(encoding="utf-8", errors="replace") as file:
        typer.echo("".join(file.readlines()[-lines:]), nl=False)
        with contextlib.suppress(KeyboardInterrupt):
            while follow:
                typer.echo(file.read(), nl=False)
                time.sleep(0.3)


region_app = typer.Typer(no_args_is_help=True, help="The regions of a stack that runs.")
app.add_typer(region_app, name="region")


@region_app.command("add")
def add_region(
    code: Annotated[str, typer.Argument(help="Of a region in regions.yaml.")], state_dir: StateDir = None
) -> None:
    """Let a region join the ones that run: it gets their whole history, they get its, and none is restarted."""
    folder, state = _running(state_dir)
    if code in state.regions:
        _fail(f"{code} runs already.")
    screen = Screen()
    try:
        with screen:
            for step in ask(folder.path, do="add", region=code):
                screen.progress(*step)
    except Refused as error:
        _fail(str(error))
    now = folder.read()
    assert now is not None
    print_addresses(now, screen.console)


def _service_command(region: str, service: str, arguments: Sequence[str], state_dir: Path | None) -> NoReturn:
    """The service's own command line, in the surroundings of its process."""
    import json

    folder = _folder(state_dir)
    file = folder.environment_file(region, service)
    if not file.exists():
        _fail(f"The stack in {folder.path} has no service {region} {service}. `tibs status` shows which there are.")
    command = [*InstalledServices().command(service), *arguments]
    settings = json.loads(file.read_text(encoding="utf-8"))
    ended = subprocess.run(command, env=child_environment(settings), check=False)
    raise typer.Exit(ended.returncode)


_PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_PASS_THROUGH)
def dlq(context: typer.Context, region: Region, service: Service, state_dir: StateDir = None) -> None:
    """Work off records that could not be applied: list, show ID, replay ID|all, discard ID."""
    _service_command(region, service, ["dlq", *context.args], state_dir)


@app.command(context_settings=_PASS_THROUGH)
def replay(context: typer.Context, region: Region, service: Service, state_dir: StateDir = None) -> None:
    """Read topics again from their beginning (--consumer, --topic, --rebuild)."""
    _service_command(region, service, ["replay", *context.args], state_dir)


@app.command(context_settings=_PASS_THROUGH)
def reconcile(context: typer.Context, region: Region, service: Service, state_dir: StateDir = None) -> None:
    """After a backup was restored: what topics hold beyond the database; --yes brings it in step."""
    _service_command(region, service, ["reconcile", *context.args], state_dir)


@app.command()
def verify(
    regions: Annotated[
        list[str] | None, typer.Argument(help="Two regions, e.g. pl84 fi1c; those of the stack if it has just two.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for what is still on its way.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, with every difference.")] = False,
    limit: Annotated[int, typer.Option(help="How many differences to name.")] = 50,
    state_dir: StateDir = None,
) -> None:
    """Is what each region wrote what the other holds? Exit code 1 if not, 2 if it could not be found out."""
    import psycopg
    from aiokafka.errors import KafkaError

    from tibs_chassis.verify.report import show
    from tibs_devstack.verify import compare_regions, pair_of

    try:
        folder, state = _running(state_dir)
    except typer.Exit:
        raise typer.Exit(2) from None
    screen = Screen(to_stderr=True)
    try:
        with screen:
            pair = pair_of(state, regions or [])
            report = asyncio.run(compare_regions(folder, state, pair, wait=wait, step=screen.progress))
    except (KafkaError, psycopg.Error, OSError) as error:
        typer.echo(f"Not all could be compared: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(2) from None
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
    else:
        show(report, Screen().console, limit=limit)
    raise typer.Exit(0 if report.equal else 1)


def _tell(name: str, arguments: list[str]) -> NoReturn:
    """The main job is told by a module of its own, which is heavy and loaded only then."""
    try:
        teller = importlib.import_module("tibs_devstack.story")
    except ModuleNotFoundError as error:
        if error.name != "tibs_devstack.story":
            raise
        _fail("There is no story to tell in this version.")
    raise typer.Exit(getattr(teller, name)(arguments) or 0)


@app.command(context_settings=_PASS_THROUGH, add_help_option=False)
def story(context: typer.Context) -> None:
    """Run the main job, step by step, in the stack that runs."""
    _tell("run", context.args)


@app.command(context_settings=_PASS_THROUGH, add_help_option=False)
def demo(context: typer.Context) -> None:
    """Start regions, run the main job in them, and leave the UI up."""
    _tell("demo", context.args)


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, state_dir: StateDir = None) -> None:
    """Forget everything: databases, events, mails, keys."""
    folder = _folder(state_dir)
    if not folder.path.exists():
        typer.echo(f"There is nothing in {folder.path}.")
        return
    if folder.running():
        _fail(f"A stack is running in {folder.path}: stop it by `tibs down` first.")
    if not (folder.path / "lock").exists():
        _fail(f"{folder.path} is not the folder of a stack, so nothing in it is touched.")
    if not yes:
        typer.confirm(f"Delete all data in {folder.path}?", abort=True)
    shutil.rmtree(folder.path)
    typer.echo(f"Deleted {folder.path}.")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
