"""Reviewing a profile: four eyes, a rubric whose criteria block, comments at the field."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.web.actors import REFUSED
from tibs_cases.web.forms import Form
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import PageRoute, form_key
from tibs_cases.web.i18n import gettext
from tibs_cases.web.i18n import marked as _
from tibs_cases.web.profiles import desk_names
from tibs_cases.web.shell import bench, caller, go
from tibs_chassis.problems import Problem

router = APIRouter(prefix="/profiles/{profile_id}/review", route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Judgement:
    """One criterion as a reviewer reads it."""

    code: str
    name: str
    help: str
    blocks: bool = True
    """Whether a no keeps the profile from being published."""


RUBRIC = (
    Judgement("right_type", _("The type is right"), _("Who pays whom fits the type: money flows to the offer.")),
    Judgement("specific", _("It is specific"), _("A reader knows after the summary whether it concerns them.")),
    Judgement(
        "problem_and_solution_clear",
        _("Problem and solution are clear"),
        _("What is missing today, and what will be different."),
    ),
    Judgement(
        "partner_role_concrete", _("The partner's role is concrete"), _("Who it should be, and what it would do.")
    ),
    Judgement(
        "advantage_quantified",
        _("The advantage has a number"),
        _("Such as: saves a third of the energy. Innovative is none."),
        blocks=False,
    ),
    Judgement(
        "keywords_fit",
        _("The keywords fit"),
        _("Sectors and keywords name the matter, not the hope."),
        blocks=False,
    ),
    Judgement("anonymous", _("It is anonymous"), _("No name, brand, link, patent number or person.")),
)
"""In the order of reading."""

COMMENTED = ("title", "summary", "description", "advantages", "partner_sought.field", "partner_sought.task")
"""Fields that a reviewer comments on where they stand."""


@router.get("", name="review_page")
async def review_page(request: Request, profile_id: UUID) -> Response:
    return await _page(request, profile_id, form=Form())


@router.post("", name="decide_review")
async def decide(request: Request, profile_id: UUID) -> Response:
    form = Form.typed(await request.form())
    version = form.number("version")
    body: dict[str, Any] = {
        "decision": form.text("decision"),
        "rubric": {
            judged.code: form.value(f"rubric.{judged.code}") == "yes"
            for judged in RUBRIC
            if form.value(f"rubric.{judged.code}")
        },
        "comments": [
            {"field": field, "comment": form.text(f"comments.{field}")}
            for field in COMMENTED
            if form.text(f"comments.{field}")
        ],
    }
    unjudged = [judged.code for judged in RUBRIC if judged.code not in body["rubric"]]
    if body["decision"] == "publish" and unjudged:
        form.require((f"rubric.{code}", gettext("Say yes or no.")) for code in unjudged)
        return await _page(request, profile_id, form=form, status=422)
    try:
        await bench(request).registry.move_profile(
            caller(request),
            profile_id,
            "review",
            body,
            version=version if isinstance(version, int) else 0,
            key=await form_key(request),
        )
    except Problem as problem:
        if problem.status not in REFUSED:
            raise
        form.refuse(problem, names=[f"rubric.{judged.code}" for judged in RUBRIC])
        return await _page(request, profile_id, form=form, status=problem.status)
    return go(f"/profiles/{profile_id}")


async def _page(request: Request, profile_id: UUID, *, form: Form, status: int = 200) -> Response:
    workbench, me = bench(request), caller(request)
    profile = await workbench.registry.profile(me, profile_id)
    if profile.state != "internal_review":
        return go(f"/profiles/{profile_id}")
    async with workbench.database.transaction() as session:
        names = await desk_names(session, profile)
    return workbench.page(
        request,
        "pages/review.html",
        nav="profiles",
        status=status,
        form=form,
        profile=profile,
        names=names,
        findings=await panel(workbench.registry.anonymity(me, profile_id)),
        rubric=RUBRIC,
        may_review="publish" in profile.moves,
    )
