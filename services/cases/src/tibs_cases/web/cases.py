"""Cases: the list, opening one, its overview with the steps, its timeline."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.cases import rules
from tibs_cases.cases import service as cases
from tibs_cases.cases.api import DiagnosisBody, NeedBody, NoteBody
from tibs_cases.cases.rules import CaseState
from tibs_cases.cases.service import CaseNeed, Client
from tibs_cases.desk import service as desk
from tibs_cases.timeline import service as timeline
from tibs_cases.timeline.model import Entry
from tibs_cases.web import case_view, release, story, words
from tibs_cases.web.actors import REFUSED
from tibs_cases.web.directory import Chosen, View, searched
from tibs_cases.web.forms import Form, parsed
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import FormRoute, PageRoute
from tibs_cases.web.i18n import current_language, gettext
from tibs_cases.web.rendering import Dates
from tibs_cases.web.shell import Workbench, bench, caller, go
from tibs_chassis.auth import Role
from tibs_chassis.edge import Session
from tibs_chassis.problems import FieldError, Invalid, Problem
from tibs_contracts.codes import ClosingReason

page = APIRouter(prefix="/cases", route_class=PageRoute, include_in_schema=False)
form_router = APIRouter(prefix="/cases", route_class=FormRoute, include_in_schema=False)
routers = (page, form_router)

STEP_FILTERS = (
    "intake",
    "diagnosis",
    "partner_search",
    "shortlist",
    "introduction",
    "negotiation",
    "on_hold",
    "closed",
)


@page.get("", name="cases")
async def case_list(
    request: Request,
    q: str = "",
    state: Chosen = [],  # noqa: B006 - FastAPI copies it
    cursor: UUID | None = None,
) -> Response:
    workbench, me, q = bench(request), caller(request), searched(q)
    states = frozenset(CaseState(code) for code in state if code in {known.value for known in CaseState})
    async with workbench.database.transaction() as session:
        found, total = await cases.list_cases(
            session, node=workbench.node, principal=me, states=states, words=q, before=cursor, limit=50
        )
        names = await desk.names(session, ids={case.broker for case in found if case.broker})
    view = View("/cases", q=q or None, chosen={"state": state})
    return workbench.page(
        request,
        "pages/cases.html",
        nav="cases",
        found=found,
        total=total,
        names=names,
        view=view,
        next_cursor=str(found[-1].id) if len(found) == 50 else None,
        filters=[("state", view.choices("state", [(code, words.name("step", code)) for code in STEP_FILTERS], None))],
    )


@page.get("/new", name="new_case")
async def new_case(request: Request, profile_id: UUID | None = None, actor_id: UUID | None = None) -> Response:
    return await _new(request, form=Form({"profile_id": profile_id, "actor_id": actor_id, "language": "en"}))


async def _new(request: Request, *, form: Form, status: int = 200) -> Response:
    """The form: for a published profile only what it does not tell, else the whole need."""
    workbench, me = bench(request), caller(request)
    profile = actor = None
    profile_id, actor_id = form.maybe_id("profile_id"), form.maybe_id("actor_id")
    if profile_id is not None:
        profile = await workbench.registry.profile(me, profile_id)
        actor_id = profile.actor_id
    if actor_id is not None:
        actor = await workbench.registry.actor(me, actor_id)
    choices: dict[str, Any] = {}
    if actor is None:
        choices = {
            "profiles": await panel(workbench.registry.profiles(me, state="published", limit=100)),
            "actors": await panel(workbench.registry.actors(me, limit=100)),
        }
    return workbench.page(
        request, "pages/case_form.html", nav="cases", status=status, form=form, profile=profile, actor=actor, **choices
    )


@form_router.post("", name="open_case_form")
async def open_case(request: Request, session: Session) -> Response:
    workbench, me = bench(request), caller(request)
    form = Form.typed(await request.form())
    try:
        client, need = await _client_and_need(workbench, request, form)
        case = await cases.open_case(
            session,
            node=workbench.node,
            principal=me,
            client=client,
            need=need,
            no_conflict=form.flag("no_conflict"),
            diagnosis=parsed(DiagnosisBody, {"text": form.text("diagnosis")}).text,
        )
    except Problem as problem:
        if problem.status not in REFUSED:
            raise
        form.refuse(problem)
        return await _new(request, form=form, status=problem.status)
    return go(f"/cases/{case.id}")


async def _client_and_need(workbench: Workbench, request: Request, form: Form) -> tuple[Client, CaseNeed]:
    me = caller(request)
    profile_id, actor_id = form.maybe_id("profile_id"), form.maybe_id("actor_id")
    if profile_id is not None:
        profile = await workbench.registry.profile(me, profile_id)
        actor = await workbench.registry.actor(me, profile.actor_id)
        return release.client_of(actor), release.need_of(profile)
    if actor_id is None:
        reason = gettext("choose for whom")
        raise Invalid(gettext("Something is missing."), errors=[FieldError(pointer="/actor_id", reason=reason)])
    need = parsed(
        NeedBody,
        {
            "title": form.text("title"),
            "summary": form.text("summary"),
            "description": form.text("description"),
            "partner_sought": form.text("partner_sought"),
            "language": form.text("language"),
            "profile_type": form.optional("profile_type"),
            "sectors": form.chosen("sectors"),
        },
    )
    return release.client_of(await workbench.registry.actor(me, actor_id)), need.value()


@page.get("/{case_id}", name="case_overview")
async def overview(request: Request, case_id: UUID) -> Response:
    return await show(request, case_id)


async def show(
    request: Request, case_id: UUID, *, form: Form | None = None, problem: Problem | None = None, status: int = 200
) -> Response:
    """The case's overview, again with what was refused."""
    workbench, me = bench(request), caller(request)
    async with workbench.database.transaction() as session:
        view = await case_view.load(session, workbench=workbench, principal=me, case_id=case_id)
        people = await desk.people(session) if me.has(Role.LEAD) else []
    return workbench.page(
        request,
        "pages/case.html",
        nav="cases",
        tab="overview",
        status=status,
        view=view,
        case=view.case,
        form=form or Form({"diagnosis": view.case.diagnosis}),
        problem=problem,
        brokers=[person for person in people if {"broker", "lead"} & set(person.roles)],
        closing={reason.value: text for reason, text in rules.CLOSING.items()},
        promised=story.promised,
    )


@page.get("/{case_id}/timeline", name="case_timeline")
async def case_timeline(request: Request, case_id: UUID) -> Response:
    workbench, me = bench(request), caller(request)
    async with workbench.database.transaction() as session:
        entries = await timeline.entries(session, feed=case_id, limit=200)
        named = {entry.by for entry in entries} | {entry.details.get("broker") for entry in entries}
        people = {str(person) for person in named if person}
        view = await case_view.load(session, workbench=workbench, principal=me, case_id=case_id, more=people)
    return workbench.page(
        request,
        "pages/case_timeline.html",
        nav="cases",
        tab="timeline",
        view=view,
        case=view.case,
        days=lines_by_day(workbench, entries, names=view.names),
    )


def lines_by_day(
    workbench: Workbench, entries: list[Entry], *, names: dict[str, str], introduction: UUID | None = None
) -> list[tuple[str, list[story.Line]]]:
    """Timeline entries in words, under their days."""
    dates, language = Dates(workbench.calendar), current_language()
    lines = [
        story.told(
            entry,
            names=names,
            region_name=lambda code: workbench.region_name(code, language),
            day=dates.day,
            own_region=workbench.node.region,
            introduction=introduction,
        )
        for entry in entries
    ]
    return story.by_day(lines, local_day=dates.local_day, day=dates.day)


@form_router.post("/{case_id}/notes", name="add_case_note")
async def add_note(request: Request, case_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    if form.text("text"):
        await cases.add_note(
            session,
            node=bench(request).node,
            principal=caller(request),
            case_id=case_id,
            text=parsed(NoteBody, {"text": form.text("text")}).text,
        )
    return go(f"/cases/{case_id}/timeline")


@form_router.post("/{case_id}/declaration", name="declare_no_conflict_form")
async def declare(request: Request, case_id: UUID, session: Session) -> Response:
    await cases.declare_no_conflict(session, node=bench(request).node, principal=caller(request), case_id=case_id)
    return go(f"/cases/{case_id}")


@form_router.post("/{case_id}/contact", name="record_first_contact_form")
async def first_contact(request: Request, case_id: UUID, session: Session) -> Response:
    await cases.record_first_contact(session, node=bench(request).node, principal=caller(request), case_id=case_id)
    return go(f"/cases/{case_id}")


@form_router.post("/{case_id}/diagnosis", name="write_diagnosis_form")
async def diagnosis(request: Request, case_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    version = form.number("version")
    try:
        await cases.write_diagnosis(
            session,
            node=bench(request).node,
            principal=caller(request),
            case_id=case_id,
            expected=version if isinstance(version, int) else None,
            text=parsed(DiagnosisBody, {"text": form.text("diagnosis")}).text,
        )
    except Problem as problem:
        if problem.status not in REFUSED:
            raise
        form.refuse(problem)
        return await show(request, case_id, form=form, problem=problem, status=problem.status)
    return go(f"/cases/{case_id}")


@form_router.post("/{case_id}/moves", name="move_case_form")
async def move(request: Request, case_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    target, reason = form.text("to"), form.text("reason")
    if target not in {state.value for state in CaseState}:
        return go(f"/cases/{case_id}")
    try:
        await cases.move_case(
            session,
            node=bench(request).node,
            principal=caller(request),
            case_id=case_id,
            to=CaseState(target),
            reason=ClosingReason(reason) if reason in words.CLOSING_REASONS else None,
            note=form.text("note")[:2000],
        )
    except Problem as problem:
        if problem.status not in REFUSED:
            raise
        return await show(request, case_id, problem=problem, status=problem.status)
    return go(f"/cases/{case_id}")


@form_router.post("/{case_id}/assignment", name="assign_case_form")
async def assign(request: Request, case_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    await cases.assign_case(
        session, node=bench(request).node, principal=caller(request), case_id=case_id, broker=form.text("broker")
    )
    return go(f"/cases/{case_id}")
