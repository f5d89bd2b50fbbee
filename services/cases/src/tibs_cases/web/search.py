"""The palette: cases, clients and profiles by a few letters."""

from fastapi import APIRouter, Request, Response

from tibs_cases.cases import service as cases
from tibs_cases.web.directory import searched
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.shell import bench, caller

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/palette", name="palette")
async def palette(request: Request, q: str = "") -> Response:
    workbench, me, words = bench(request), caller(request), searched(q)
    if len(words) < 2:
        return workbench.page(request, "fragments/palette.html", q="", cases=[], actors=None, profiles=None)
    async with workbench.database.transaction() as session:
        found, _total = await cases.list_cases(session, node=workbench.node, principal=me, words=words, limit=5)
    return workbench.page(
        request,
        "fragments/palette.html",
        q=words,
        cases=found,
        actors=await panel(workbench.registry.actors(me, q=words, limit=5)),
        profiles=await panel(workbench.registry.public_profiles(me, q=words, limit=5)),
    )
