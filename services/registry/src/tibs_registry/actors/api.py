"""Organisations of the region over HTTP."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, IfMatch, Session, etag
from tibs_chassis.text import Output
from tibs_chassis.values import Known, Limit, Page
from tibs_contracts.codes import ActorKind, Sector, SizeClass
from tibs_registry.actors import service
from tibs_registry.actors.model import Actor, ActorEntry
from tibs_registry.paging import Cursor, Search
from tibs_registry.wiring import Here

router = APIRouter(prefix="/api/v1/actors", tags=["actors"], route_class=EdgeRoute)


class ActorBody(ActorEntry):
    """An organisation to be kept.

    If it seems to be there already, the answer is 409 with `duplicates`. A same name or domain may be a coincidence:
    `accept_duplicate` says that somebody looked. A same number never is.
    """

    accept_duplicate: bool = False

    def entry(self) -> ActorEntry:
        return ActorEntry.model_construct(**{name: getattr(self, name) for name in ActorEntry.model_fields})


class ActorOut(Output):
    """An organisation as its own region knows it."""

    id: UUID
    version: int
    name: str
    short_name: str | None
    kind: ActorKind
    country: str
    registration_number: str | None
    vat: str | None
    size: SizeClass | None
    founded: int | None
    turnover_band: str | None
    town: str | None
    nuts: str | None
    nuts_version: str | None
    website: str | None
    sectors: list[Sector]
    technologies: list[str]
    languages: list[str]
    certificates: list[str]
    experience: str | None
    description: str
    description_language: str
    listed: bool
    confirmed_on: date
    owner: str
    desk: str
    created_at: datetime
    updated_at: datetime


def _answer(actor: Actor, response: Response) -> ActorOut:
    response.headers.update(etag(actor.version))
    return ActorOut.model_validate(actor)


@router.get("")
async def list_actors(
    session: Session,
    q: Search = None,
    kind: Annotated[tuple[Known[ActorKind], ...], Query()] = (),
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Page[ActorOut]:
    """Own organisations by name."""
    found = await service.search(session, q=q, kinds=kind, limit=limit, cursor=cursor)
    return Page(items=[ActorOut.model_validate(actor) for actor in found.items], next=found.next, total=found.total)


@router.post("", status_code=201)
async def register_actor(body: ActorBody, session: Session, caller: Caller, node: Here, response: Response) -> ActorOut:
    """Keeps a new organisation."""
    actor = await service.register(
        session, node=node, principal=caller, entry=body.entry(), accept_duplicate=body.accept_duplicate
    )
    response.headers["Location"] = f"{router.prefix}/{actor.id}"
    return _answer(actor, response)


@router.get("/{actor_id}")
async def get_actor(actor_id: UUID, session: Session, response: Response) -> ActorOut:
    return _answer(await service.get(session, actor_id=actor_id), response)


@router.put("/{actor_id}")
async def change_actor(
    actor_id: UUID,
    body: ActorBody,
    version: IfMatch,
    session: Session,
    caller: Caller,
    node: Here,
    response: Response,
) -> ActorOut:
    """Replaces all that was entered; what is left out becomes empty, but for owner and confirmed_on."""
    actor = await service.change(
        session,
        node=node,
        principal=caller,
        actor_id=actor_id,
        version=version,
        entry=body.entry(),
        accept_duplicate=body.accept_duplicate,
    )
    return _answer(actor, response)
