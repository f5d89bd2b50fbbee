"""A service's HTTP API: routes, who may call them, problems, telemetry."""

import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, FastAPI, Request, Response

from tibs_chassis import access as rights
from tibs_chassis import metrics, problems, telemetry
from tibs_chassis.auth import TokenVerifier
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.problems import ProblemDocument
from tibs_chassis.settings import NodeSettings

VERSION = "0.1.0"
_PROBLEM = {"model": ProblemDocument, "content": {problems.MEDIA_TYPE: {}}}


def create_api(
    *,
    title: str,
    database: Database,
    settings: NodeSettings,
    node: Node,
    routers: Sequence[APIRouter],
    access: rights.Access,
) -> FastAPI:
    """The application. Raises RuntimeError if a route has no authorisation row."""
    app = FastAPI(
        title=title,
        version=VERSION,
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        telemetry=telemetry.REQUESTS,
        responses={status: {**_PROBLEM, "description": "Problem document"} for status in (401, 403, 404, 422)},
    )
    for router in routers:
        app.include_router(router)
    rights.check_complete(app, access)
    app.state.database = database
    app.state.node = node
    app.state.settings = settings
    app.state.access = access
    app.state.verifier = TokenVerifier(
        region=node.region,
        service=node.service,
        node_jwks=settings.node_jwks,
        oidc_issuer=settings.oidc_issuer,
        oidc_audience=settings.oidc_audience,
    )
    problems.install(app)

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        route = request.scope.get("route")
        metrics.REQUEST_SECONDS.labels(
            getattr(route, "path", "unknown"), request.method, str(response.status_code)
        ).observe(time.perf_counter() - started)
        if (trace_id := telemetry.trace_id()) is not None:
            response.headers["X-Trace-Id"] = trace_id
        return response

    return app
