"""Notices: the page, the bell, and the live line that makes the bell ring without reloading."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from tibs_cases.web.deliveries import stuck
from tibs_cases.web.directory import View
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.shell import bench, caller, go

router = APIRouter(prefix="/notices", route_class=PageRoute, include_in_schema=False)


@router.get("", name="notices")
async def notices(request: Request, seen: str | None = None, cursor: str | None = None) -> Response:
    workbench = bench(request)
    only_new = "false" if seen == "false" else None
    found = await panel(workbench.notify.notices(caller(request), seen=only_new, cursor=cursor))
    view = View("/notices", q=None, chosen={"seen": ["false"] if only_new else []})
    return workbench.page(
        request,
        "pages/notices.html",
        nav="notices",
        found=found,
        view=view,
        only_new=bool(only_new),
        stuck=await stuck(request, limit=1),
    )


@router.get("/bell", name="notice_bell")
async def bell(request: Request) -> Response:
    """How many are new: asked when a page opens, and whenever the live line says so."""
    found = await panel(bench(request).notify.notices(caller(request), seen="false", limit=1))
    unseen: int | None = None
    if found.held is not None:
        unseen = found.held.unseen if found.held.unseen is not None else found.held.total
    return bench(request).page(request, "fragments/bell.html", unseen=unseen)


@router.get("/stream", name="notice_stream")
async def stream(request: Request, watch: Annotated[list[str], Query()] = []) -> Response:  # noqa: B006
    """`watch` names cases and introductions whose page is open. Hints hold nothing but that something changed."""
    events = request.app.state.live.events(person=caller(request).person, objects=frozenset(watch[:10]))
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


@router.post("/seen", name="see_all_notices")
async def see_all(request: Request) -> Response:
    await bench(request).notify.seen(caller(request))
    return go("/notices")


@router.post("/{notice_id}/seen", name="see_notice")
async def see_one(request: Request, notice_id: UUID) -> Response:
    await bench(request).notify.seen(caller(request), notice_id)
    return go("/notices")
