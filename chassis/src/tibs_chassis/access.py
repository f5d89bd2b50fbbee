"""Who may call what: one row a route, in one table a service, so that a test can walk all of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tibs_chassis.auth import Principal, Role
from tibs_chassis.problems import Forbidden

Access = Mapping[str, frozenset[Role]]


@dataclass(frozen=True)
class ApiRoute:
    """A route as it is served. `path` holds its parameters in braces."""

    name: str
    method: str
    path: str


def routes_of(app: FastAPI) -> list[ApiRoute]:
    """All routes of the API, those of included routers too; health, metrics and documentation are none."""
    return [
        ApiRoute(name=one.name or "", method=method, path=one.path_format or "")
        for one in iter_route_contexts(app.routes)
        if isinstance(one.original_route, APIRoute)
        for method in sorted(one.methods or ())
    ]


def check_complete(app: FastAPI, access: Access) -> None:
    """Raises RuntimeError for a route without a row, a row without a route, or two routes of one name."""
    names = [route.name for route in routes_of(app)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RuntimeError(f"two routes share a name: {', '.join(twice)}")
    if missing := sorted(set(names) - set(access)):
        raise RuntimeError(f"no authorisation row for: {', '.join(missing)}")
    if extra := sorted(set(access) - set(names)):
        raise RuntimeError(f"authorisation rows without a route: {', '.join(extra)}")


def authorise(principal: Principal, *, route: str, access: Access) -> None:
    """Raises Forbidden, saying which roles may."""
    allowed = access[route]
    if principal.roles.isdisjoint(allowed):
        held = ", ".join(sorted(principal.roles)) or "none"
        raise Forbidden(f"This needs one of the roles {', '.join(sorted(allowed))}; yours: {held}.")
