"""The directory of all regions over HTTP: what was published, and nothing else."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tibs_chassis.edge import EdgeRoute, Session
from tibs_chassis.text import Output
from tibs_chassis.values import Known, Limit, Page
from tibs_contracts.codes import ActorKind, ProfileType, RegionCode, Sector
from tibs_registry.directory import service
from tibs_registry.directory.model import DirectoryActor, DirectoryProfile, PublicActor, PublicProfile
from tibs_registry.paging import Cursor, Search

router = APIRouter(prefix="/api/v1/directory", tags=["directory"], route_class=EdgeRoute)

Regions = Annotated[tuple[RegionCode, ...], Query()]
Sectors = Annotated[tuple[Known[Sector], ...], Query()]
Kinds = Annotated[tuple[Known[ActorKind], ...], Query()]


class ListedProfile(PublicProfile, Output):
    """A published profile; `updated_at` is when its region last told of it."""

    updated_at: datetime


class ListedActor(PublicActor, Output):
    """A listed organisation; `updated_at` is when its region last told of it."""

    updated_at: datetime


class Faceted(Output):
    """How many results each value of a facet would give, the other filters kept: `{"region": {"fi1c": 12}}`."""

    facets: dict[str, dict[str, int]] = {}


class ProfilePage(Page[ListedProfile], Faceted):
    """Facets: type, region, sector, kind."""


class ActorPage(Page[ListedActor], Faceted):
    """Facets: kind, region, sector."""


def _profile(row: DirectoryProfile) -> ListedProfile:
    return ListedProfile(**row.public.model_dump(), updated_at=row.updated_at)


def _actor(row: DirectoryActor) -> ListedActor:
    return ListedActor(**row.public.model_dump(), updated_at=row.updated_at)


@router.get("/profiles")
async def search_profiles(
    session: Session,
    q: Search = None,
    type: Annotated[tuple[Known[ProfileType], ...], Query()] = (),
    region: Regions = (),
    sector: Sectors = (),
    kind: Kinds = (),
    limit: Limit = 25,
    cursor: Cursor = None,
) -> ProfilePage:
    """Valid profiles of all regions, the newest first. `kind` is the client's; a filter given twice means either."""
    chosen = {"type": type, "region": region, "sector": sector, "kind": kind}
    found = await service.search_profiles(session, q=q, chosen=chosen, limit=limit, cursor=cursor)
    return ProfilePage(
        items=[_profile(row) for row in found.items], next=found.next, total=found.total, facets=found.facets
    )


@router.get("/profiles/{profile_id}")
async def get_listed_profile(profile_id: UUID, session: Session) -> ListedProfile:
    return _profile(await service.get_profile(session, profile_id=profile_id))


@router.get("/actors")
async def search_actors(
    session: Session,
    q: Search = None,
    kind: Kinds = (),
    region: Regions = (),
    sector: Sectors = (),
    limit: Limit = 25,
    cursor: Cursor = None,
) -> ActorPage:
    """Listed organisations of all regions, by name."""
    chosen = {"kind": kind, "region": region, "sector": sector}
    found = await service.search_actors(session, q=q, chosen=chosen, limit=limit, cursor=cursor)
    return ActorPage(
        items=[_actor(row) for row in found.items], next=found.next, total=found.total, facets=found.facets
    )


@router.get("/actors/{actor_id}")
async def get_listed_actor(actor_id: UUID, session: Session) -> ListedActor:
    return _actor(await service.get_actor(session, actor_id=actor_id))
