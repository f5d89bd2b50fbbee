"""A case's matches: the list, one comparison, and the broker's verdict on each."""

import asyncio
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.cases import shortlist
from tibs_cases.cases.model import Case, Verdict
from tibs_cases.web import case_view
from tibs_cases.web.forms import Form
from tibs_cases.web.gateways import Panel, panel
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.shapes import Matches
from tibs_cases.web.shell import Workbench, bench, caller, go
from tibs_chassis.auth import Principal
from tibs_chassis.client import Unreachable
from tibs_chassis.problems import Problem

router = APIRouter(prefix="/cases/{case_id}", route_class=PageRoute, include_in_schema=False)

SHOWN = 20


@router.get("/matches", name="case_matches")
async def matches_page(request: Request, case_id: UUID, profile: UUID | None = None) -> Response:
    workbench, me = bench(request), caller(request)
    async with workbench.database.transaction() as session:
        view = await case_view.load(session, workbench=workbench, principal=me, case_id=case_id)
    found = await panel(matches_for(workbench, me, view.case))
    items = found.held.items if found.held else []
    chosen = next((match for match in items if match.profile.profile_id == profile), items[0] if items else None)
    return workbench.page(
        request,
        "pages/case_matches.html",
        nav="cases",
        tab="matches",
        view=view,
        case=view.case,
        found=found,
        chosen=chosen,
        kept={entry.profile_id for entry in view.kept},
        rejected={
            match.profile.profile_id
            for match in items
            if any(verdict.verdict == "rejected" for verdict in match.verdicts)
        }
        | {entry.profile_id for entry in view.shortlist if entry.verdict is Verdict.REJECTED},
    )


async def matches_for(workbench: Workbench, me: Principal, case: Case) -> Matches:
    """Partners for the case's need: by its published profile if it has one, else by what the case tells."""
    common = {"need_id": str(case.id), "exclude_client": str(case.client_actor_id), "limit": SHOWN}
    if case.profile_id is not None:
        try:
            return await workbench.matching.matches(me, {"profile_id": str(case.profile_id), **common})
        except Unreachable:
            raise
        except Problem as problem:
            # Withdrawn, or not indexed yet: the case still knows what is needed.
            if problem.status != 404:
                raise
    return await workbench.matching.matches(me, {"need": case_view.need_of(case), **common})


@router.post("/shortlist", name="shortlist_profile_form")
async def keep(request: Request, case_id: UUID) -> Response:
    """Puts a profile on the shortlist; the search hears of it, if it is there to hear."""
    workbench, me = bench(request), caller(request)
    form = Form.typed(await request.form())
    profile_id = form.id("profile_id")
    async with workbench.database.transaction() as session:
        await shortlist.shortlist_profile(
            session,
            node=workbench.node,
            principal=me,
            case_id=case_id,
            profile_id=profile_id,
            note=form.text("note")[:1000],
        )
    await _tell_matching(workbench, me, case_id=case_id, profile_id=profile_id, verdict="shortlisted", reason="")
    return go(form.text("next") if form.text("next").startswith(f"/cases/{case_id}") else f"/cases/{case_id}/matches")


@router.post("/rejections", name="reject_match_form")
async def reject(request: Request, case_id: UUID) -> Response:
    """Says why a proposed profile does not fit: colleagues will meet it again."""
    workbench, me = bench(request), caller(request)
    form = Form.typed(await request.form())
    profile_id, reason = form.id("profile_id"), form.text("reason")[:500]
    async with workbench.database.transaction() as session:
        entries = await shortlist.shortlist(session, node=workbench.node, principal=me, case_id=case_id)
        if any(entry.profile_id == profile_id for entry in entries):
            await shortlist.judge_profile(
                session,
                node=workbench.node,
                principal=me,
                case_id=case_id,
                profile_id=profile_id,
                verdict=Verdict.REJECTED,
                reason=reason,
            )
    await _tell_matching(workbench, me, case_id=case_id, profile_id=profile_id, verdict="rejected", reason=reason)
    return go(f"/cases/{case_id}/matches")


@router.post("/shortlist/{profile_id}/removal", name="remove_from_shortlist_form")
async def remove(request: Request, case_id: UUID, profile_id: UUID) -> Response:
    workbench = bench(request)
    async with workbench.database.transaction() as session:
        await shortlist.remove_profile(
            session, node=workbench.node, principal=caller(request), case_id=case_id, profile_id=profile_id
        )
    return go(f"/cases/{case_id}")


async def _tell_matching(
    workbench: Workbench, me: Principal, *, case_id: UUID, profile_id: UUID, verdict: str, reason: str
) -> Panel[None]:
    body = {"need_id": str(case_id), "profile_id": str(profile_id), "verdict": verdict, "reason": reason}
    return await panel(asyncio.wait_for(workbench.matching.verdict(me, body), timeout=2.0))
