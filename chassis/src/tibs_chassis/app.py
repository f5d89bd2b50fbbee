"""A service's process: its roles, its start and its end, and the command line that every service has."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn, cast
from uuid import UUID

import typer
import uvicorn
from fastapi import FastAPI

from tibs_chassis import deadletters, migrations
from tibs_chassis.database import Database
from tibs_chassis.health import Health
from tibs_chassis.inbox import Consumer, PermanentError
from tibs_chassis.kafka import ConsumerHost
from tibs_chassis.log import configure_logging, logger
from tibs_chassis.node import Node
from tibs_chassis.regions import RegionsError
from tibs_chassis.relay import Relay
from tibs_chassis.replay import replay
from tibs_chassis.restored.command import reconcile
from tibs_chassis.restored.reconcile import Versions
from tibs_chassis.settings import NodeSettings
from tibs_chassis.standings import Standings, StandingsError
from tibs_chassis.telemetry import REQUESTS, configure_telemetry
from tibs_chassis.trust import Trust
from tibs_chassis.verify.command import verify
from tibs_contracts.signatures import SignatureError

Task = Callable[[], Coroutine[Any, Any, None]]


class RunRole(StrEnum):
    """What a process does. `all` is one process for everything, the way of a demonstration or a small node."""

    ALL = "all"
    WEB = "web"
    CONSUMER = "consumer"
    RELAY = "relay"


@dataclass
class Service:
    """A service put together: what `build` in a service's `app.py` returns.

    `tasks` are coroutines that work until cancelled (job workers, timers), in the roles consumer and all; `web_tasks`
    the same beside the API; `resources` are entered before anything starts and left after everything has ended.
    `versions` tells what counts the versions of its aggregates, for the day when a backup is restored.
    """

    name: str
    settings: NodeSettings
    node: Node
    database: Database
    api: FastAPI | None = None
    consumers: Sequence[Consumer] = ()
    tasks: Sequence[Task] = ()
    web_tasks: Sequence[Task] = ()
    resources: Sequence[Callable[[], AbstractAsyncContextManager[Any]]] = field(default_factory=tuple)
    versions: Versions = field(default_factory=Versions)


async def run(service: Service, role: RunRole) -> None:
    """Runs until SIGTERM or SIGINT, or until a part ends that should not: the process then ends with an error."""
    settings = service.settings

    def does(wanted: RunRole) -> bool:
        return role in (RunRole.ALL, wanted)

    host = relay = None
    parts: dict[str, Coroutine[Any, Any, None]] = {}
    if does(RunRole.CONSUMER):
        host = ConsumerHost(
            kafka=settings.kafka,
            service=service.name,
            region=settings.region,
            consumers=service.consumers,
            database=service.database,
        )
        if service.consumers:
            parts["consumers"] = host.run()
        parts |= {f"task {task.__name__}": task() for task in service.tasks}
    if does(RunRole.RELAY):
        relay = Relay(
            database=service.database,
            kafka=settings.kafka,
            service=service.name,
            region=settings.region,
            regions=service.node.regions,
            versions=service.versions.tables,
        )
        parts["relay"] = relay.run()
    if does(RunRole.WEB):
        parts |= {f"task {task.__name__}": task() for task in service.web_tasks}
    app = service.api if does(RunRole.WEB) else None
    if app is None:
        app = FastAPI(openapi_url=None, telemetry=REQUESTS)
    health = Health(database=service.database, host=host, relay=relay)
    health.mount(app)
    # A reverse proxy stands in front in production; it says who is there and over which scheme.
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            server_header=False,
            proxy_headers=True,
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.database.close)
        for resource in service.resources:
            await stack.enter_async_context(resource())
        tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
        health.parts = tasks
        await _until_stopped(server, tasks)


async def _until_stopped(server: uvicorn.Server, tasks: Sequence[asyncio.Task[None]]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    web = asyncio.create_task(server._serve(), name="http")
    stop: asyncio.Task[Any] = asyncio.create_task(stopping.wait(), name="stop")
    logger.info("service.started")
    done, _ = await asyncio.wait([web, stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in tasks:
        task.cancel()
    stop.cancel()
    await asyncio.gather(*tasks, stop, return_exceptions=True)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(web, timeout=10)
    logger.info("service.stopped")
    for task in done - {stop}:
        failure = task.exception()
        logger.error("service.part_ended", part=task.get_name(), reason=repr(failure))
        raise SystemExit(1)


def trust_of(service: Service) -> Trust:
    """Lets every consumer of a service believe only what the regions signed, and returns who judges.

    Raises StandingsError.
    """
    settings, regions = service.settings, service.node.regions
    standings = service.node.standings or Standings(
        region=settings.region, regions=regions, file=settings.standings_file
    )
    trust = Trust(region=settings.region, regions=regions, standings=standings)
    for consumer in service.consumers:
        consumer.trust = trust
    return trust


def service_cli(name: str, build: Callable[[], Service], package: str) -> Callable[[], None]:
    """The command of a service: run, migrate, dlq, replay, reconcile, verify, openapi."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, help=f"The {name} service of a TIBS node.")
    dlq = typer.Typer(no_args_is_help=True, help="Records that could not be applied.")
    app.add_typer(dlq, name="dlq")

    def built() -> Service:
        try:
            service = build()
            trust_of(service)
        except (RegionsError, SignatureError, StandingsError) as error:
            typer.echo(f"{error}.", err=True)
            raise SystemExit(2) from None
        configure_logging(region=service.settings.region, service=name, level=service.settings.log_level)
        return service

    @app.command("run")
    def run_command(role: RunRole = typer.Option(RunRole.ALL, help="What this process does.")) -> None:
        """Serve until stopped."""
        service = built()
        provider = configure_telemetry(
            region=service.settings.region, service=name, otlp_endpoint=service.settings.otlp_endpoint
        )
        # What was imported stays for good: without it the collector's full rounds took 110 ms out of the relay, often.
        gc.collect()
        gc.freeze()
        try:
            asyncio.run(run(service, role))
        finally:
            provider.shutdown()

    @app.command()
    def migrate() -> None:
        """Bring the database to the newest schema. Safe to run again."""
        migrations.upgrade(built().settings.database_url, package)
        typer.echo(f"{name}: the database is at the newest schema")

    @app.command()
    def openapi() -> None:
        """Print the API's OpenAPI document."""
        import json

        api = build().api
        typer.echo(json.dumps(api.openapi() if api is not None else {}, indent=2, ensure_ascii=False))

    @app.command("replay")
    def replay_command(
        consumer: str = typer.Option(None, help="Only this consumer; all of them otherwise."),
        topic: str = typer.Option(None, help="Only topics whose whole name this pattern matches."),
        rebuild: bool = typer.Option(False, help="Empty what the consumer built, then build it anew."),
    ) -> None:
        """Read topics again from their beginning, while the service serves."""
        asyncio.run(_replay(built(), consumer, topic, rebuild))

    @app.command("reconcile")
    def reconcile_command(
        yes: bool = typer.Option(False, help="Reconcile; without it, what would be is listed."),
    ) -> None:
        """After a restore: bring the database in step with what it had published. Exit code 1 if it is not."""
        service = built()
        raise SystemExit(reconcile(service, yes=yes, hear_again=lambda: _replay_all(service)))

    @app.command("verify")
    def verify_command(
        peer: list[str] = typer.Option([], help="Another region and its Kafka to compare with, fi1c=host:9092."),
        wait: float = typer.Option(10.0, help="Seconds to wait for what is still on its way."),
        as_json: bool = typer.Option(False, "--json", help="For machines, with every difference."),
        limit: int = typer.Option(50, help="How many differences to name."),
    ) -> None:
        """Is what was written what is held? Exit code 1 if not, 2 if it could not be found out."""
        raise SystemExit(verify(built(), peers=peer, wait=wait, as_json=as_json, limit=limit))

    @dlq.command("list")
    def dlq_list(everything: bool = typer.Option(False, "--all", help="Settled ones too.")) -> None:
        """One line a record."""
        asyncio.run(_dlq_list(built(), everything))

    @dlq.command("show")
    def dlq_show(id: UUID) -> None:
        """All that is known of one record. Its value may hold personal data."""
        asyncio.run(_dlq_show(built(), id))

    @dlq.command("replay")
    def dlq_replay(id: str = typer.Argument(help="A record's id, or 'all'.")) -> None:
        """Apply a record again, for instance after an update."""
        asyncio.run(_dlq_replay(built(), id))

    @dlq.command("discard")
    def dlq_discard(id: UUID) -> None:
        """Let a record go. It stays in the table, marked."""
        asyncio.run(_dlq_discard(built(), id))

    return cast("Callable[[], None]", app)


async def _replay(service: Service, name: str | None, topic: str | None, rebuild: bool) -> None:
    chosen = [one for one in service.consumers if name is None or one.name == name]
    if not chosen:
        _fail(f"there is no consumer '{name}'; there are {', '.join(one.name for one in service.consumers)}")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.database.close)
        await _take_again(service, chosen, topic, rebuild)


async def _replay_all(service: Service) -> None:
    await _take_again(service, service.consumers, None, rebuild=False)


async def _take_again(service: Service, chosen: Sequence[Consumer], topic: str | None, rebuild: bool) -> None:
    async with AsyncExitStack() as stack:
        for resource in service.resources:
            await stack.enter_async_context(resource())
        for one in chosen:
            if rebuild and one.reset is None:
                typer.echo(f"{one.name}: holds more than copies of events, is not rebuilt")
                continue
            outcomes = await replay(
                one,
                database=service.database,
                kafka=service.settings.kafka,
                topic_pattern=topic,
                rebuild=rebuild,
                progress=lambda done, total: print(f"  {done} of {total}", end="\r", file=sys.stderr),
            )
            told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing to read"
            typer.echo(f"{one.name}: {told}")


async def _dlq_list(service: Service, everything: bool) -> None:
    async with service.database.transaction() as session:
        letters = await deadletters.find(session, state=None if everything else "open")
    for letter in letters:
        reason = f"quarantined: {letter.reason}" if letter.kind == "untrusted" else letter.reason
        typer.echo(
            f"{letter.id}  {letter.arrived_at:%Y-%m-%d %H:%M}  {letter.state:9}  {letter.consumer}  "
            f"{letter.topic}/{letter.partition}@{letter.offset}  {reason}"
        )
    told = f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"
    if aside := sum(letter.kind == "untrusted" for letter in letters):
        told += f", {aside} of them quarantined"
    typer.echo(told)
    await service.database.close()


async def _letter(service: Service, id: UUID) -> deadletters.DeadLetter:
    async with service.database.transaction() as session:
        letter = await deadletters.get(session, id)
    if letter is None:
        _fail(f"there is no dead letter {id}")
    return letter


async def _dlq_show(service: Service, id: UUID) -> None:
    letter = await _letter(service, id)
    typer.echo(f"consumer   {letter.consumer}\nrecord     {letter.topic}/{letter.partition}@{letter.offset}")
    typer.echo(f"arrived    {letter.arrived_at:%Y-%m-%d %H:%M:%S}\nstate      {letter.state}, {letter.attempts} tried")
    typer.echo(f"kind       {letter.kind}\nreason     {letter.reason}")
    for name, _ in letter.headers:
        typer.echo(f"header     {name} = {letter.header(name)}")
    if letter.trace:
        typer.echo(letter.trace)
    typer.echo((letter.value or b"").decode(errors="backslashreplace"))
    await service.database.close()


async def _dlq_replay(service: Service, id: str) -> None:
    if id == "all":
        async with service.database.transaction() as session:
            letters = await deadletters.find(session, limit=100_000)
    else:
        letters = [await _letter(service, UUID(id))]
    failed = 0
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.database.close)
        for resource in service.resources:
            await stack.enter_async_context(resource())
        for letter in letters:
            try:
                outcome = await deadletters.replay(service.database, letter, consumers=service.consumers)
                typer.echo(f"{letter.id}  {outcome}")
            except (PermanentError, LookupError) as error:
                failed += 1
                typer.echo(f"{letter.id}  still wrong: {error}")
    if failed:
        raise SystemExit(1)


async def _dlq_discard(service: Service, id: UUID) -> None:
    letter = await _letter(service, id)
    async with service.database.transaction() as session:
        await deadletters.settle(session, letter.id, state="discarded")
    typer.echo(f"{letter.id}  discarded")
    await service.database.close()


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise SystemExit(1)
