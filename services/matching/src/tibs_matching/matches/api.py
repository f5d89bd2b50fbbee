"""HTTP: proposed partners for a need. The bodies are in `model.py`."""

from fastapi import APIRouter

from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, Session
from tibs_matching.matches import service
from tibs_matching.matches.model import MatchAnswer, MatchRequest
from tibs_matching.wiring import Queries, ThisNode

router = APIRouter(prefix="/api/v1", tags=["matches"], route_class=EdgeRoute)


@router.post("/matches")
async def find_matches(
    body: MatchRequest, session: Session, caller: Caller, queries: Queries, node: ThisNode
) -> MatchAnswer:
    """Ranks the published profiles of all regions for a need, with reasons."""
    return await service.find(session, request=body, caller=caller, queries=queries, node=node)
