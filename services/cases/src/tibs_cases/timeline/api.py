"""Timelines over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from tibs_cases.cases.service import case_for
from tibs_cases.introductions.service import half_for
from tibs_cases.timeline import service
from tibs_cases.timeline.model import Entry, EntryKind
from tibs_cases.values import Cursor, Here, next_cursor
from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, Session
from tibs_chassis.text import Input, Output
from tibs_chassis.values import Limit, Page

router = APIRouter(prefix="/api/v1", tags=["timeline"], route_class=EdgeRoute)

Kinds = Annotated[tuple[EntryKind, ...], Query()]


class EntryOut(Output):
    id: UUID
    introduction_id: UUID | None
    kind: EntryKind
    at: datetime
    by: str | None
    region: str
    details: dict[str, Any]
    pinned: bool


class PinBody(Input):
    pinned: bool


def _page(entries: list[Entry], *, limit: int) -> Page[EntryOut]:
    return Page(
        items=[EntryOut.model_validate(entry) for entry in entries],
        next=next_cursor([entry.id for entry in entries], limit=limit),
    )


@router.get("/cases/{case_id}/timeline")
async def case_timeline(
    case_id: UUID,
    session: Session,
    node: Here,
    caller: Caller,
    kind: Kinds = (),
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EntryOut]:
    """What happened, the newest first."""
    case = await case_for(session, node=node, principal=caller, case_id=case_id)
    entries = await service.entries(session, feed=case.id, kinds=kind, before=cursor, limit=limit)
    return _page(entries, limit=limit)


@router.put("/cases/{case_id}/timeline/{entry_id}")
async def pin_entry(
    case_id: UUID, entry_id: UUID, body: PinBody, session: Session, node: Here, caller: Caller
) -> EntryOut:
    case = await case_for(session, node=node, principal=caller, case_id=case_id)
    return EntryOut.model_validate(await service.pin(session, feed=case.id, entry_id=entry_id, pinned=body.pinned))


@router.get("/introductions/{introduction_id}/timeline")
async def introduction_timeline(
    introduction_id: UUID,
    session: Session,
    node: Here,
    caller: Caller,
    kind: Kinds = (),
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EntryOut]:
    """What happened around one introduction, the newest first."""
    half = await half_for(session, node=node, principal=caller, introduction_id=introduction_id)
    entries = await service.entries(
        session, feed=half.feed, introduction_id=half.id, kinds=kind, before=cursor, limit=limit
    )
    return _page(entries, limit=limit)
