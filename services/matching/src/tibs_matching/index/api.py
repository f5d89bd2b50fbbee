"""HTTP: what the index holds."""

from fastapi import APIRouter

from tibs_chassis.edge import EdgeRoute, Session
from tibs_matching.index import service
from tibs_matching.index.model import IndexAnswer

router = APIRouter(prefix="/api/v1", tags=["index"], route_class=EdgeRoute)


@router.get("/index")
async def describe_index(session: Session) -> IndexAnswer:
    """Profiles held of each region, how many of them can be proposed, and the newest."""
    return await service.describe(session)
