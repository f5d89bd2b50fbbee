"""The directory of all regions: profiles and organisations, searched and filtered, each view with its own address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from tibs_cases.web import words
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.i18n import current_language
from tibs_cases.web.shell import Workbench, bench, caller

router = APIRouter(prefix="/directory", route_class=PageRoute, include_in_schema=False)

Chosen = Annotated[list[str], Query()]


@dataclass(frozen=True)
class Choice:
    """One value of a filter: what it is called, how many it would leave, and the view with or without it."""

    code: str
    name: str
    count: int | None
    on: bool
    href: str


class View:
    """A list as its address describes it."""

    def __init__(self, path: str, *, q: str | None, chosen: dict[str, list[str]]) -> None:
        self.path = path
        self.q = q
        self.chosen = {name: values for name, values in chosen.items() if values}

    def address(self, *, cursor: str | None = None, changed: dict[str, list[str]] | None = None) -> str:
        query: list[tuple[str, str]] = [("q", self.q)] if self.q else []
        for name, values in {**self.chosen, **(changed or {})}.items():
            query += [(name, value) for value in values]
        if cursor:
            query.append(("cursor", cursor))
        return f"{self.path}?{urlencode(query)}" if query else self.path

    def choices(self, name: str, options: Sequence[tuple[str, str]], counts: dict[str, int] | None) -> list[Choice]:
        held = self.chosen.get(name, [])
        return [
            Choice(
                code=code,
                name=text,
                count=counts.get(code, 0) if counts is not None else None,
                on=code in held,
                href=self.address(
                    changed={name: [one for one in held if one != code] if code in held else [*held, code]}
                ),
            )
            for code, text in options
            if code in held or counts is None or counts.get(code)
        ]


def _counts(facets: dict[str, dict[str, int]] | None, name: str) -> dict[str, int] | None:
    """How many results each value would give; nothing when nobody counted."""
    return None if facets is None else facets.get(name, {})


def _toggled(held: list[str], code: str) -> list[str]:
    return [one for one in held if one != code] if code in held else [*held, code]


def searched(q: str | None) -> str:
    """The words of a search as they may reach a database: printable, and not endless."""
    return "".join(letter for letter in q or "" if letter.isprintable())[:200].strip()


def region_options(workbench: Workbench) -> list[tuple[str, str]]:
    return [(region.code, region.name_in(current_language())) for region in workbench.node.regions]


@router.get("", name="directory_profiles")
async def profiles(
    request: Request,
    q: str | None = None,
    type: Chosen = [],  # noqa: B006 - FastAPI copies it
    region: Chosen = [],  # noqa: B006
    sector: Chosen = [],  # noqa: B006
    cursor: str | None = None,
) -> Response:
    workbench, q = bench(request), searched(q)
    view = View("/directory", q=q, chosen={"type": type, "region": region, "sector": sector})
    found = await panel(
        workbench.registry.public_profiles(
            caller(request), q=q or None, type=type, region=region, sector=sector, limit=25, cursor=cursor
        )
    )
    facets = found.held.facets if found.held else None
    return workbench.page(
        request,
        "pages/directory_profiles.html",
        nav="directory",
        view=view,
        found=found,
        filters=[
            ("type", view.choices("type", words.options("type"), _counts(facets, "type"))),
            ("region", view.choices("region", region_options(workbench), _counts(facets, "region"))),
            ("sector", view.choices("sector", words.options("sector"), _counts(facets, "sector"))),
        ],
    )


@router.get("/organisations", name="directory_actors")
async def organisations(
    request: Request,
    q: str | None = None,
    kind: Chosen = [],  # noqa: B006
    region: Chosen = [],  # noqa: B006
    sector: Chosen = [],  # noqa: B006
    cursor: str | None = None,
) -> Response:
    workbench, q = bench(request), searched(q)
    view = View("/directory/organisations", q=q, chosen={"kind": kind, "region": region, "sector": sector})
    found = await panel(
        workbench.registry.public_actors(
            caller(request), q=q or None, kind=kind, region=region, sector=sector, limit=25, cursor=cursor
        )
    )
    facets = found.held.facets if found.held else None
    return workbench.page(
        request,
        "pages/directory_actors.html",
        nav="directory",
        view=view,
        found=found,
        filters=[
            ("kind", view.choices("kind", words.options("kind"), _counts(facets, "kind"))),
            ("region", view.choices("region", region_options(workbench), _counts(facets, "region"))),
            ("sector", view.choices("sector", words.options("sector"), _counts(facets, "sector"))),
        ],
    )


@router.get("/profiles/{profile_id}", name="directory_profile")
async def profile(request: Request, profile_id: UUID) -> Response:
    workbench = bench(request)
    found = await workbench.registry.public_profile(caller(request), profile_id)
    return workbench.page(request, "pages/directory_profile.html", nav="directory", profile=found)


@router.get("/organisations/{actor_id}", name="directory_actor")
async def organisation(request: Request, actor_id: UUID) -> Response:
    workbench = bench(request)
    found = await workbench.registry.public_actor(caller(request), actor_id)
    return workbench.page(request, "pages/directory_actor.html", nav="directory", actor=found)
