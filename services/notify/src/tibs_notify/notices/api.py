"""A person's notices over HTTP."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, Session
from tibs_chassis.node import Node
from tibs_chassis.text import Input, Output
from tibs_notify.notices import service
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import TYPE_OF, NoticeKind, NoticeType
from tibs_notify.notices.texts import words_of
from tibs_notify.paging import Cursor, Limit, Page
from tibs_notify.wiring import Here

router = APIRouter(prefix="/api/v1/notices", tags=["notices"], route_class=EdgeRoute)


class NoticeOut(Output):
    """A notice in the caller's language. `link` is the path of the page it is about."""

    id: UUID
    kind: NoticeKind
    type: NoticeType
    critical: bool
    title: str
    text: str
    link: str
    raised_at: datetime
    seen_at: datetime | None


class NoticePage(Page[NoticeOut]):
    """Notices, newest first. `unseen` counts all that were not seen, whatever the list shows."""

    unseen: int


class Unseen(Output):
    """How many notices the caller has not seen."""

    unseen: int


class SeenUpTo(Input):
    """`until`: the newest notice that was on the page; later ones stay unseen. Without it all are seen."""

    until: UUID | None = None


def _told(notice: Notice, *, language: str, node: Node) -> NoticeOut:
    words = words_of(notice.what, notice.parameters, language=language, regions=node.regions)
    return NoticeOut(
        id=notice.id,
        kind=notice.what,
        type=TYPE_OF[notice.what],
        critical=notice.critical,
        title=words.title,
        text=words.text,
        link=notice.link,
        raised_at=notice.raised_at,
        seen_at=notice.seen_at,
    )


@router.get("")
async def list_notices(
    session: Session,
    caller: Caller,
    node: Here,
    seen: bool | None = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> NoticePage:
    """The caller's own notices; `seen` leaves the others out."""
    found = await service.find(session, person=caller.person, seen=seen, limit=limit, cursor=cursor)
    return NoticePage(
        items=[_told(notice, language=caller.language, node=node) for notice in found.items],
        next=found.next,
        total=found.total,
        unseen=found.unseen,
    )


@router.get("/unseen")
async def count_unseen(session: Session, caller: Caller) -> Unseen:
    return Unseen(unseen=await service.count_unseen(session, person=caller.person))


@router.post("/seen")
async def see_all_notices(session: Session, caller: Caller, body: SeenUpTo | None = None) -> Unseen:
    """All of the caller's notices are seen, or all up to `until`."""
    await service.see_all(session, person=caller.person, until=body.until if body else None)
    return Unseen(unseen=await service.count_unseen(session, person=caller.person))


@router.post("/{notice_id}/seen")
async def see_notice(notice_id: UUID, session: Session, caller: Caller, node: Here) -> NoticeOut:
    """The caller has seen it. Saying so twice changes nothing."""
    notice = await service.see(session, person=caller.person, notice_id=notice_id)
    return _told(notice, language=caller.language, node=node)
