"""HTTP: verdicts on proposed partners. The bodies are in `model.py`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, Session
from tibs_matching.verdicts import service
from tibs_matching.verdicts.model import VerdictAnswer, VerdictEntry, VerdictList

router = APIRouter(prefix="/api/v1", tags=["verdicts"], route_class=EdgeRoute)


@router.post("/verdicts", status_code=201)
async def give_verdict(body: VerdictEntry, session: Session, caller: Caller) -> VerdictAnswer:
    """Keeps the caller's verdict on a profile for a need; an earlier one of the same person is replaced."""
    return await service.give(session, entry=body, principal=caller)


@router.get("/verdicts")
async def list_verdicts(need_id: Annotated[UUID, Query()], session: Session) -> VerdictList:
    """Everybody's verdicts on one need, newest first."""
    items = await service.of_need(session, need_id=need_id)
    return VerdictList(items=items, total=len(items))
