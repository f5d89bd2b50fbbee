"""Searching partners without a case: free words, or any published profile."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.web.directory import Chosen, View, region_options
from tibs_cases.web.gateways import Panel, panel
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.shapes import Matches
from tibs_cases.web.shell import bench, caller

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SHOWN = 20


@router.get("/matches", name="matches")
async def matches(
    request: Request,
    text: str = "",
    profile_id: UUID | None = None,
    region: Chosen = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    workbench, me = bench(request), caller(request)
    need: Panel[Any] = Panel()
    found: Panel[Matches] | None = None
    question: dict[str, Any] = {"limit": SHOWN}
    if region:
        question["regions"] = region
    if profile_id is not None:
        need = await panel(workbench.registry.public_profile(me, profile_id))
        found = await panel(workbench.matching.matches(me, {"profile_id": str(profile_id), **question}))
    elif text.strip():
        found = await panel(workbench.matching.matches(me, {"text": text.strip()[:5000], **question}))
    chosen = {"region": region, "text": [text] if text else [], "profile_id": [str(profile_id)] if profile_id else []}
    view = View("/matches", q=None, chosen=chosen)
    return workbench.page(
        request,
        "pages/matches.html",
        nav="matches",
        text=text,
        need=need.held,
        found=found,
        view=view,
        filters=[("region", view.choices("region", region_options(workbench), None))] if found else [],
    )
