"""The command `reconcile` of every service."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import psycopg
import typer
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError

from tibs_chassis.database import Database
from tibs_chassis.inbox import is_transient
from tibs_chassis.node import Node
from tibs_chassis.restored.reconcile import NotReconciled, Reconciled, Versions, apply, look, nobody_publishes
from tibs_chassis.restored.rules import Beyond
from tibs_chassis.settings import NodeSettings

ATTEMPTS = 5
NOT_YET, COULD_NOT = 1, 2
"""Exit codes: something is beyond the database and was not reconciled; it could not be found out or done."""


class Restored(Protocol):
    """What of a service is reconciled."""

    @property
    def settings(self) -> NodeSettings: ...
    @property
    def node(self) -> Node: ...
    @property
    def database(self) -> Database: ...
    @property
    def versions(self) -> Versions: ...


def reconcile(service: Restored, *, yes: bool, hear_again: Callable[[], Awaitable[None]]) -> int:
    """Lists, and with `yes` reconciles; returns the exit code. `hear_again` takes in what others told since."""
    try:
        return asyncio.run(_reconcile(service, yes=yes, hear_again=hear_again))
    except NotReconciled as error:
        return _failed(f"Nothing was changed: {error}.")
    except (KafkaError, psycopg.Error, DBAPIError, OSError) as error:
        return _failed(f"Nothing was changed: {type(error).__name__}: {error}")


async def _reconcile(service: Restored, *, yes: bool, hear_again: Callable[[], Awaitable[None]]) -> int:
    try:
        async with service.database.direct() as connection:
            found = await _look(service, connection)
        if not (yes and found):
            _list(found)
            return NOT_YET if found else 0
        async with nobody_publishes(service.database) as connection:
            # First what others told: it may bring back rows that are then lifted with the rest.
            await hear_again()
            _list(found := await _look(service, connection))
            _tell(await _apply(service, found))
        return 0
    finally:
        await service.database.close()


async def _look(service: Restored, connection: psycopg.AsyncConnection) -> list[Beyond]:
    return await look(connection, node=service.node, kafka=service.settings.kafka, tables=service.versions.tables)


async def _apply(service: Restored, found: Sequence[Beyond]) -> Reconciled:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with service.database.transaction() as session:
                return await apply(session, found, node=service.node, versions=service.versions)
        except DBAPIError as error:
            # Somebody was writing and held what we wait for, while they waited for us.
            if attempt == ATTEMPTS or not is_transient(error):
                raise
    raise AssertionError("unreachable")


def _failed(sentence: str) -> int:
    typer.echo(sentence, err=True)
    return COULD_NOT


def _list(found: Sequence[Beyond]) -> None:
    if not found:
        typer.echo("The topics hold nothing beyond the database.")
        return
    typer.echo(f"Beyond the database, of {len(found)} aggregate{'' if len(found) == 1 else 's'}:")
    for beyond in found:
        for line in beyond.lines:
            typer.echo(f"  {line}")


def _tell(done: Reconciled) -> None:
    typer.echo(
        f"Reconciled: {done.remembered} events are known again, {done.lifted} versions were lifted, "
        f"{done.renumbered} waiting events got new numbers, {len(done.told_again)} aggregates are told again."
    )
    if done.left:
        typer.echo("Left for a person to look at; readers have seen these facts, the database has not:")
    for beyond in done.left:
        for told in beyond.told:
            typer.echo(f"  {told.written:%Y-%m-%d %H:%M}  {told.type}  {told.subject}  {told.topic}")
