"""Who may call what: one row a route, in one table a service, so that a test can walk all of it."""

from collections.abc import Iterable, Mapping

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from tibs_chassis.auth import Principal, Role
from tibs_chassis.problems import Forbidden

Access = Mapping[str, frozenset[Role]]


def check_complete(routes: Iterable[BaseRoute], access: Access) -> None:
    """Raises RuntimeError for a route without a row, a row without a route, or two routes of one name."""
    names = [route.name for route in routes if isinstance(route, APIRoute)]
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
