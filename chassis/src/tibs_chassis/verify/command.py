"""The command `verify` of every service."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Protocol

import psycopg
import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer
from tibs_chassis.node import Node
from tibs_chassis.settings import NodeSettings
from tibs_chassis.verify.mirrors import between
from tibs_chassis.verify.reading import Progress, silent
from tibs_chassis.verify.report import Report, show
from tibs_chassis.verify.service import own

COULD_NOT = 2
"""The exit code when something to compare with did not answer; 1 says that there are differences."""


class Compared(Protocol):
    """What of a service is compared."""

    @property
    def settings(self) -> NodeSettings: ...
    @property
    def node(self) -> Node: ...
    @property
    def database(self) -> Database: ...
    @property
    def consumers(self) -> Sequence[Consumer]: ...


def verify(service: Compared, *, peers: Sequence[str], wait: float, as_json: bool, limit: int) -> int:
    """Compares, prints, and returns the exit code. `peers` are regions with their Kafka: `fi1c=host:port`."""
    try:
        others = [_peer(one, service.node) for one in peers]
        report = asyncio.run(_compared(service, others, wait=wait, progress=silent if as_json else on_terminal()))
    except ValueError as error:
        return _failed(str(error))
    except (KafkaError, psycopg.Error, OSError) as error:
        return _failed(f"Nothing was compared: {type(error).__name__}: {error}")
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
    else:
        show(report, Console(highlight=False, soft_wrap=True), limit=limit)
    return 0 if report.equal else 1


def _failed(sentence: str) -> int:
    typer.echo(sentence, err=True)
    return COULD_NOT


def _peer(text: str, node: Node) -> tuple[str, str]:
    region, _, kafka = text.partition("=")
    if not kafka or region not in node.regions or region == node.region:
        known = ", ".join(one.code for one in node.regions.others(node.region))
        raise ValueError(f"--peer held '{text}', not a region and its Kafka such as fi1c=host:9092; regions: {known}")
    return region, kafka


async def _compared(service: Compared, others: Sequence[tuple[str, str]], *, wait: float, progress: Progress) -> Report:
    try:
        report = await own(
            node=service.node,
            database=service.database,
            kafka=service.settings.kafka,
            consumers=service.consumers,
            wait=wait,
            progress=progress,
        )
        here = (service.node.region, service.settings.kafka)
        for other in others:
            report += await between(here, other, wait=wait, progress=progress)
        return report
    finally:
        await service.database.close()


def on_terminal() -> Progress:
    """One line that moves, where somebody looks at it."""
    if not sys.stderr.isatty():
        return silent

    def tell(what: str, done: int, total: int) -> None:
        sys.stderr.write(f"\r\x1b[K  {what}: {done} of {total}\r")
        if done >= total:
            sys.stderr.write("\x1b[K")
        sys.stderr.flush()

    return tell
