"""`/livez`: should this process be started anew? `/readyz`: should it get work? `/metrics` for Prometheus."""

from collections.abc import Sequence
from typing import Protocol

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tibs_chassis.database import Database
from tibs_chassis.kafka import ConsumerHost
from tibs_chassis.relay import Relay


class Part(Protocol):
    """A long-running part of the process."""

    def done(self) -> bool: ...
    def get_name(self) -> str: ...


class Health:
    """What the probes ask about."""

    def __init__(self, *, database: Database, host: ConsumerHost | None = None, relay: Relay | None = None) -> None:
        self._database = database
        self._host = host
        self._relay = relay
        self.parts: Sequence[Part] = ()

    def alive(self) -> list[str]:
        """Why the process should be started anew; empty if it should not. Kafka being away is no reason."""
        reasons = [f"{part.get_name()} has ended" for part in self.parts if part.done()]
        if self._host is not None:
            reasons += [f"consumer {one.consumer}: {one.stalled}" for one in self._host.progress() if one.stalled]
        return reasons

    async def ready(self) -> tuple[list[str], dict[str, object]]:
        """Why the process cannot do its work, and what it knows besides."""
        reasons = self.alive()
        more: dict[str, object] = {}
        try:
            async with self._database.transaction() as session:
                await session.execute(text("SELECT 1"))
        except (SQLAlchemyError, psycopg.Error, OSError, TimeoutError) as error:
            reasons.append(f"the database does not answer ({type(error).__name__})")
        if self._host is not None:
            more["consumers"] = [
                {"name": one.consumer, "partitions": one.partitions, "lag": one.lag} for one in self._host.progress()
            ]
            more["kafka"] = "connected" if self._host.connected else "waiting"
        if self._relay is not None:
            # Events wait in the outbox meanwhile: the service stays up and writable.
            more["relay"] = self._relay.failing or ("active" if self._relay.active else "standby")
        return reasons, more

    def mount(self, app: FastAPI) -> None:
        async def livez(_: Request) -> Response:
            reasons = self.alive()
            return JSONResponse({"alive": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

        async def readyz(_: Request) -> Response:
            reasons, more = await self.ready()
            return JSONResponse({"ready": not reasons, "reasons": reasons, **more}, status_code=503 if reasons else 200)

        async def metrics(_: Request) -> Response:
            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

        # Plain routes: no token, no transaction, not part of the API.
        app.add_route("/livez", livez, include_in_schema=False)
        app.add_route("/readyz", readyz, include_in_schema=False)
        app.add_route("/metrics", metrics, include_in_schema=False)
