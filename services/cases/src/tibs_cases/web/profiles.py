"""Partnership profiles of the region: draft, check, submit, withdraw."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.web import words
from tibs_cases.web.actors import REFUSED
from tibs_cases.web.directory import Chosen, View
from tibs_cases.web.forms import Form
from tibs_cases.web.gateways import Panel, panel
from tibs_cases.web.guard import PageRoute, form_key
from tibs_cases.web.i18n import gettext
from tibs_cases.web.shapes import Actor, Finding, OwnProfile, Page
from tibs_cases.web.shell import bench, caller, go
from tibs_chassis.problems import Problem

router = APIRouter(prefix="/profiles", route_class=PageRoute, include_in_schema=False)

LIMITS = {"title": 200, "summary": 500, "description": 4000, "advantages": 2000}


@router.get("", name="profiles")
async def profiles(
    request: Request,
    state: Chosen = [],  # noqa: B006 - FastAPI copies it
    cursor: str | None = None,
) -> Response:
    workbench = bench(request)
    view = View("/profiles", q=None, chosen={"state": state})
    found = await panel(workbench.registry.profiles(caller(request), state=state, limit=25, cursor=cursor))
    states = [(code, gettext(sign.word)) for code, sign in words.PROFILE_STATES.items()]
    return workbench.page(
        request,
        "pages/profiles.html",
        nav="profiles",
        view=view,
        found=found,
        filters=[("state", view.choices("state", states, None))],
    )


@router.get("/new", name="new_profile")
async def new_profile(request: Request, actor_id: UUID | None = None) -> Response:
    workbench = bench(request)
    if actor_id is None:
        found = await panel(workbench.registry.actors(caller(request), limit=100))
        return workbench.page(request, "pages/profile_client.html", nav="profiles", found=found)
    actor = await workbench.registry.actor(caller(request), actor_id)
    blank = Form({"actor_id": actor.id, "language": "en", "open_for_interest": True, "sectors": actor.sectors})
    return _form(request, form=blank, actor=actor, profile=None)


@router.post("", name="add_profile")
async def add_profile(request: Request) -> Response:
    registry, me = bench(request).registry, caller(request)
    form = Form.typed(await request.form())
    try:
        body = {"actor_id": str(form.id("actor_id")), **body_of(form)}
        profile = await registry.add_profile(me, body, key=await form_key(request))
    except Problem as problem:
        actor = await registry.actor(me, form.id("actor_id"))
        return _refused(request, problem, form=form, actor=actor, profile=None)
    return go(f"/profiles/{profile.id}")


@router.get("/{profile_id}", name="profile")
async def profile_page(request: Request, profile_id: UUID) -> Response:
    return await show(request, profile_id)


async def show(request: Request, profile_id: UUID, *, problem: Problem | None = None, status: int = 200) -> Response:
    """The profile with where it stands: what is missing, what gives the client away, who said what."""
    workbench, me = bench(request), caller(request)
    profile = await workbench.registry.profile(me, profile_id)
    async with workbench.database.transaction() as session:
        names = await desk_names(session, profile)
    findings: Panel[list[Finding]] = Panel(held=[])
    if profile.state in ("draft", "returned", "internal_review"):
        findings = await panel(workbench.registry.anonymity(me, profile_id))
    return workbench.page(
        request,
        "pages/profile.html",
        nav="profiles",
        status=status,
        profile=profile,
        findings=findings,
        names=names,
        problem=problem,
    )


@router.get("/{profile_id}/edit", name="edit_profile")
async def edit_profile(request: Request, profile_id: UUID) -> Response:
    workbench, me = bench(request), caller(request)
    profile = await workbench.registry.profile(me, profile_id)
    actor = await workbench.registry.actor(me, profile.actor_id)
    findings = await panel(workbench.registry.anonymity(me, profile_id))
    return _form(request, form=Form(_held(profile)), actor=actor, profile=profile, findings=findings.held or [])


@router.post("/{profile_id}", name="change_profile")
async def change_profile(request: Request, profile_id: UUID) -> Response:
    registry, me = bench(request).registry, caller(request)
    form = Form.typed(await request.form())
    version = form.number("version")
    try:
        await registry.change_profile(me, profile_id, body_of(form), version=version if isinstance(version, int) else 0)
    except Problem as problem:
        profile = await registry.profile(me, profile_id)
        actor = await registry.actor(me, profile.actor_id)
        return _refused(request, problem, form=form, actor=actor, profile=profile)
    return go(f"/profiles/{profile_id}")


@router.post("/{profile_id}/submission", name="submit_profile")
async def submit_profile(request: Request, profile_id: UUID) -> Response:
    return await _move(request, profile_id, "submission", None)


@router.post("/{profile_id}/withdrawal", name="withdraw_profile")
async def withdraw_profile(request: Request, profile_id: UUID) -> Response:
    form = Form.typed(await request.form())
    return await _move(request, profile_id, "withdrawal", {"note": form.text("note")})


async def _move(request: Request, profile_id: UUID, step: str, body: dict[str, Any] | None) -> Response:
    form = Form.typed(await request.form())
    version = form.number("version")
    try:
        await bench(request).registry.move_profile(
            caller(request),
            profile_id,
            step,
            body,
            version=version if isinstance(version, int) else 0,
            key=await form_key(request),
        )
    except Problem as problem:
        if problem.status not in REFUSED:
            raise
        return await show(request, profile_id, problem=problem, status=problem.status)
    return go(f"/profiles/{profile_id}")


def body_of(form: Form) -> dict[str, Any]:
    """The registry's body from what was typed."""
    body: dict[str, Any] = {
        "profile_type": form.text("profile_type"),
        "title": form.text("title"),
        "summary": form.text("summary"),
        "description": form.text("description"),
        "advantages": form.text("advantages"),
        "language": form.text("language") or "en",
        "stage": form.optional("stage"),
        "trl": form.number("trl"),
        "stage_comment": form.optional("stage_comment"),
        "ipr": form.optional("ipr"),
        "ipr_comment": form.optional("ipr_comment"),
        "cooperation": form.chosen("cooperation"),
        "partner_sought": {
            "kinds": form.chosen("partner_sought.kinds"),
            "sizes": form.chosen("partner_sought.sizes"),
            "field": form.text("partner_sought.field"),
            "task": form.text("partner_sought.task"),
        },
        "target_countries": form.chosen("target_countries"),
        "sectors": form.chosen("sectors"),
        "technology_keywords": form.words("technology_keywords"),
        "market_keywords": form.words("market_keywords"),
        "nace": form.words("nace"),
        "trans_s3": form.chosen("trans_s3"),
        "languages": form.chosen("languages"),
        "open_for_interest": form.flag("open_for_interest"),
    }
    if body["profile_type"] == "RDR" and form.text("research_call.programme"):
        body["research_call"] = {
            "programme": form.text("research_call.programme"),
            "call": form.optional("research_call.call"),
            "coordinator_needed": form.flag("research_call.coordinator_needed"),
            "budget_eur": form.number("research_call.budget_eur"),
            "duration_months": form.number("research_call.duration_months"),
            "interest_by": form.optional("research_call.interest_by"),
            "call_closes": form.optional("research_call.call_closes"),
        }
    return body


def _held(profile: OwnProfile) -> dict[str, Any]:
    held = profile.model_dump(mode="json")
    for name in ("technology_keywords", "market_keywords", "nace"):
        held[name] = ", ".join(held[name])
    for name in ("partner_sought", "research_call"):
        held |= {f"{name}.{part}": value for part, value in (held.pop(name) or {}).items()}
    return held


def _refused(request: Request, problem: Problem, *, form: Form, actor: Actor, profile: OwnProfile | None) -> Response:
    if problem.status not in REFUSED and problem.status < 500:
        raise problem
    form.refuse(problem)
    return _form(request, form=form, actor=actor, profile=profile, status=problem.status)


def _form(
    request: Request,
    *,
    form: Form,
    actor: Actor,
    profile: OwnProfile | None,
    findings: list[Finding] | None = None,
    status: int = 200,
) -> Response:
    for finding in findings or []:
        reason = gettext('"%(text)s" may tell who the client is: %(reason)s')
        form.errors.setdefault(finding.field, []).append(reason % {"text": finding.text, "reason": finding.reason})
    return bench(request).page(
        request,
        "pages/profile_form.html",
        nav="profiles",
        status=status,
        form=form,
        actor=actor,
        profile=profile,
        findings=findings or [],
        limits=LIMITS,
    )


async def desk_names(session: Any, profile: OwnProfile) -> dict[str, str]:
    """What the people of a profile are called."""
    from tibs_cases.desk.service import names

    return await names(session, ids={profile.author, *(review.reviewer for review in profile.reviews)})


Profiles = Panel[Page[OwnProfile]]
