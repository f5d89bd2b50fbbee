"""Mails that did not arrive: why, when they are tried again, and a button to try at once."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.desk.service import names
from tibs_cases.web.directory import View
from tibs_cases.web.forms import Form
from tibs_cases.web.gateways import Panel, panel
from tibs_cases.web.guard import PageRoute, form_key
from tibs_cases.web.shapes import Delivery, Page
from tibs_cases.web.shell import bench, caller, go
from tibs_chassis.auth import Role
from tibs_chassis.problems import Problem

PATH = "/notices/deliveries"

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)


async def stuck(
    request: Request, *, own: bool = False, limit: int = 25, cursor: str | None = None
) -> Panel[Page[Delivery]]:
    """Mails that did not arrive yet: to the caller, or to anybody of the desk if a lead asks."""
    desk = "true" if caller(request).has(Role.LEAD) and not own else None
    return await panel(
        bench(request).notify.deliveries(caller(request), stuck="true", desk=desk, limit=limit, cursor=cursor)
    )


@router.get("", name="deliveries")
async def deliveries(request: Request, own: str | None = None, cursor: str | None = None) -> Response:
    workbench = bench(request)
    only_own = own == "true"
    found = await stuck(request, own=only_own, cursor=cursor)
    people = {delivery.person for delivery in found.held.items} if found.held is not None else set()
    async with workbench.database.transaction() as session:
        called = await names(session, ids=people)
    return workbench.page(
        request,
        "pages/deliveries.html",
        nav="notices",
        found=found,
        names=called,
        only_own=only_own,
        view=View(PATH, q=None, chosen={"own": ["true"] if only_own else []}),
    )


@router.post("/{delivery_id}/attempts", name="try_delivery_again")
async def try_again(request: Request, delivery_id: UUID) -> Response:
    form = Form.typed(await request.form())
    try:
        await bench(request).notify.try_again(caller(request), delivery_id, key=await form_key(request))
    except Problem as problem:
        # Somebody else was faster: it is on its way, and the list says how far.
        if problem.status != 409:
            raise
    return go(f"{PATH}?own=true" if form.flag("own") else PATH)
