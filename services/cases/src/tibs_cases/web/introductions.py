"""Introductions: asking another region, and both halves' page with what each side can do."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from tibs_cases.cases.model import Case
from tibs_cases.desk import service as desk
from tibs_cases.introductions import queries, requests, service
from tibs_cases.introductions.api import TEXT_VERSION, DeclineBody, MessageBody, RequestBody, WithdrawalBody, YesBody
from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.rules import Delivery, IntroductionState, Move
from tibs_cases.profiles_known.model import KnownProfile, OwnProfile
from tibs_cases.promises import service as promises
from tibs_cases.promises.rules import calendar
from tibs_cases.timeline import service as timeline
from tibs_cases.web import case_view, ways, words
from tibs_cases.web.actors import REFUSED
from tibs_cases.web.cases import lines_by_day
from tibs_cases.web.forms import Form, parsed
from tibs_cases.web.gateways import Panel, panel
from tibs_cases.web.guard import FormRoute, PageRoute
from tibs_cases.web.i18n import current_language, gettext
from tibs_cases.web.parties import Known, parties
from tibs_cases.web.shapes import Actor, Contact
from tibs_cases.web.shell import Workbench, bench, caller, go
from tibs_cases.web.story import promised
from tibs_chassis.auth import Role
from tibs_chassis.clock import now
from tibs_chassis.edge import Session
from tibs_chassis.problems import NotFound, Problem
from tibs_contracts.events import Side

page = APIRouter(route_class=PageRoute, include_in_schema=False)
form_router = APIRouter(route_class=FormRoute, include_in_schema=False)
routers = (page, form_router)


@page.get("/cases/{case_id}/introductions", name="case_introductions")
async def case_introductions(request: Request, case_id: UUID) -> Response:
    workbench, me = bench(request), caller(request)
    async with workbench.database.transaction() as session:
        view = await case_view.load(session, workbench=workbench, principal=me, case_id=case_id)
        sent = {
            half.id: [
                one
                for one in await queries.deliveries(session, node=workbench.node, half=half)
                if one.what == "request"
            ]
            for half in view.introductions
        }
    language = current_language()
    return workbench.page(
        request,
        "pages/case_introductions.html",
        nav="cases",
        tab="introductions",
        view=view,
        case=view.case,
        states=ways.STATES,
        ways={
            half.id: ways.request_way(half, sent[half.id][0], region=workbench.region_name(half.other_region, language))
            for half in view.introductions
            if sent[half.id]
        },
    )


@page.get("/cases/{case_id}/introductions/new", name="new_introduction")
async def new_introduction(request: Request, case_id: UUID, profile_id: UUID) -> Response:
    return await _ask(request, case_id, form=Form({"profile_id": profile_id}))


async def _ask(request: Request, case_id: UUID, *, form: Form, status: int = 200) -> Response:
    workbench, me = bench(request), caller(request)
    async with workbench.database.transaction() as session:
        view = await case_view.load(session, workbench=workbench, principal=me, case_id=case_id)
        profile = await session.get(KnownProfile, form.id("profile_id"))
        if profile is None:
            raise NotFound("published profile", form.text("profile_id"))
    return workbench.page(
        request,
        "pages/introduction_form.html",
        nav="cases",
        tab="introductions",
        status=status,
        view=view,
        case=view.case,
        form=form,
        profile=profile,
        contacts=await panel(workbench.registry.contacts(me, view.case.client_actor_id)),
        there=_there(workbench, profile.region),
    )


@form_router.post("/cases/{case_id}/introductions", name="request_introduction_form")
async def request_introduction(request: Request, case_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    try:
        body = parsed(
            RequestBody,
            {
                "profile_id": form.text("profile_id"),
                "message": form.text("message"),
                "contact_id": form.optional("contact_id"),
            },
        )
        half = await requests.request_introduction(
            session,
            node=bench(request).node,
            principal=caller(request),
            case_id=case_id,
            profile_id=body.profile_id,
            message=body.message,
            contact_id=body.contact_id,
        )
    except Problem as problem:
        if problem.status not in REFUSED:
            raise
        form.refuse(problem)
        return await _ask(request, case_id, form=form, status=problem.status)
    return go(f"/introductions/{half.id}")


@page.get("/introductions/{introduction_id}", name="introduction")
async def introduction_page(request: Request, introduction_id: UUID) -> Response:
    """Whoever opens it has read what the other side sent; machines, which read by the API, have not."""
    workbench = bench(request)
    async with workbench.database.transaction() as session:
        await service.mark_read(
            session, node=workbench.node, principal=caller(request), introduction_id=introduction_id
        )
    return await show(request, introduction_id)


async def show(
    request: Request, introduction_id: UUID, *, form: Form | None = None, problem: Problem | None = None
) -> Response:
    """One half's page; again, with what was typed, after a refusal."""
    workbench, me = bench(request), caller(request)
    node = workbench.node
    async with workbench.database.transaction() as session:
        view = await queries.get_introduction(session, node=node, principal=me, introduction_id=introduction_id)
        half = view.half
        contacts = await queries.read_contacts(session, node=node, principal=me, introduction_id=introduction_id)
        entries = await timeline.entries(session, feed=half.feed, introduction_id=half.id, limit=100)
        ids = {half.broker, *(entry.by for entry in entries), *(message.by for message in view.messages)}
        names = await desk.names(session, ids={person for person in ids if person})
        people = await desk.people(session) if me.has(Role.LEAD) else []
        running = await promises.running(session, feed=half.feed, introduction_id=half.id)
        profile = await session.get(KnownProfile, half.profile_id)
        client_id, client_name = await _own_client(session, half)
    client: Panel[Actor] = Panel()
    choices: Panel[list[Contact]] = Panel()
    if client_id is not None and view.possible & {Move.ACCEPT, Move.CONSENT}:
        client = await panel(workbench.registry.actor(me, client_id))
        choices = await panel(workbench.registry.contacts(me, client_id))
    elif client_id is not None and client_name is None:
        client = await panel(workbench.registry.actor(me, client_id))
    language = current_language()
    other = workbench.region_name(half.other_region, language)
    asked = next((one for one in view.sent if one.what == "request"), None)
    known = Known(
        home_region=node.region if half.side is Side.HOME else half.other_region,
        counterpart_region=half.other_region if half.side is Side.HOME else node.region,
        own_client=client_name or (client.held.name if client.held else None),
        own_broker=names.get(half.broker) if half.broker else None,
        own_desk=workbench.region.desk,
        other_desk=half.desk if half.side is Side.COUNTERPART else _desk_of(workbench, half.other_region),
        own_contact=contacts.own,
        other_contact=contacts.other,
        other_client_hint=_hint(half, profile),
    )
    return workbench.page(
        request,
        "pages/introduction.html",
        nav="cases" if half.side is Side.HOME else "today",
        status=problem.status if problem else 200,
        half=half,
        view=view,
        possible={move.value for move in view.possible},
        parties=parties(half, known),
        contacts=contacts,
        names=names,
        running=running,
        promised=promised,
        profile=profile,
        client_id=client_id,
        client=client,
        choices=choices,
        other=other,
        there=_there(workbench, half.other_region),
        state=ways.STATES[IntroductionState(half.state)],
        way=ways.request_way(half, asked, region=other) if asked else _received_way(half),
        marks={(one.what, one.id): ways.simple(one) for one in view.sent},
        days=lines_by_day(workbench, entries, names=names, introduction=half.id),
        form=form or Form({"language": "en"}),
        problem=problem,
        text_version=TEXT_VERSION,
        brokers=[person for person in people if {"broker", "lead"} & set(person.roles)],
    )


async def _own_client(session: Session, half: Introduction) -> tuple[UUID | None, str | None]:
    """Our client of this half: at home the case knows its name, at the counterpart the registry does."""
    if half.side is Side.HOME:
        case = await session.get(Case, half.case_id)
        return half.client_actor_id, case.client_name if case else None
    own = await session.get(OwnProfile, half.profile_id)
    return half.client_actor_id or (own.actor_id if own else None), None


def _hint(half: Introduction, profile: KnownProfile | None) -> str:
    """What is known of the other client before it has a name."""
    client: dict[str, Any] = {}
    if half.side is Side.COUNTERPART:
        client = half.need.get("client", {})
    elif profile is not None:
        client = profile.client
    parts = [words.name("kind", client["kind"])] if "kind" in client else []
    if "country" in client:
        parts.append(words.country(str(client["country"])))
    return ", ".join(parts)


def _desk_of(workbench: Workbench, code: str) -> str:
    return workbench.node.regions[code].desk if code in workbench.node.regions else code.upper()


def _there(workbench: Workbench, code: str) -> dict[str, Any]:
    """The other region's clock and working day: whether somebody may answer now."""
    if code not in workbench.node.regions:
        return {"time": None, "works": True, "zone": None}
    region = workbench.node.regions[code]
    local: datetime = now().astimezone(ZoneInfo(region.time_zone))
    works = calendar(region.holidays, region.time_zone).works(local.date())
    return {"time": local.strftime("%H:%M"), "works": works, "desk": region.desk}


def _received_way(half: Introduction) -> list[ways.Step]:
    """At the counterpart the request has arrived; the way that is left is the answer."""
    sent = queries.Sent("request", half.id, half.requested, Delivery.DELIVERED)
    return ways.request_way(half, sent, region=gettext("us"))


async def _yes(request: Request, introduction_id: UUID, session: Session, *, home: bool) -> Response:
    workbench, me = bench(request), caller(request)
    form = Form.typed(await request.form())
    try:
        body = parsed(
            YesBody,
            {
                "actor_id": form.text("actor_id"),
                "contact_id": form.text("contact_id"),
                "method": form.text("method"),
                "given_at": form.moment("given_on"),
            },
        )
        contact = await workbench.contacts.contact(actor_id=body.actor_id, contact_id=body.contact_id, principal=me)
        decide = service.consent if home else service.accept
        await decide(
            session,
            node=workbench.node,
            principal=me,
            introduction_id=introduction_id,
            yes=body.value(),
            contact=contact,
        )
    except Problem as problem:
        return await _again(request, introduction_id, form, problem)
    return go(f"/introductions/{introduction_id}")


async def _again(request: Request, introduction_id: UUID, form: Form, problem: Problem) -> Response:
    if problem.status not in REFUSED and problem.status < 500:
        raise problem
    form.refuse(problem)
    return await show(request, introduction_id, form=form, problem=problem)


@form_router.post("/introductions/{introduction_id}/consent", name="consent_form")
async def consent(request: Request, introduction_id: UUID, session: Session) -> Response:
    """The home client said yes."""
    return await _yes(request, introduction_id, session, home=True)


@form_router.post("/introductions/{introduction_id}/acceptance", name="acceptance_form")
async def acceptance(request: Request, introduction_id: UUID, session: Session) -> Response:
    """The counterpart's client said yes."""
    return await _yes(request, introduction_id, session, home=False)


@form_router.post("/introductions/{introduction_id}/acknowledgement", name="acknowledgement_form")
async def acknowledgement(request: Request, introduction_id: UUID, session: Session) -> Response:
    await service.acknowledge(
        session, node=bench(request).node, principal=caller(request), introduction_id=introduction_id
    )
    return go(f"/introductions/{introduction_id}")


@form_router.post("/introductions/{introduction_id}/decline", name="decline_form")
async def decline(request: Request, introduction_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    try:
        body = parsed(DeclineBody, {"reason": form.text("reason"), "note": form.text("note")})
        await service.decline(
            session,
            node=bench(request).node,
            principal=caller(request),
            introduction_id=introduction_id,
            reason=body.reason,
            note=body.note,
        )
    except Problem as problem:
        return await _again(request, introduction_id, form, problem)
    return go(f"/introductions/{introduction_id}")


@form_router.post("/introductions/{introduction_id}/withdrawal", name="withdrawal_form")
async def withdrawal(request: Request, introduction_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    try:
        body = parsed(WithdrawalBody, {"note": form.text("note")})
        await service.withdraw(
            session,
            node=bench(request).node,
            principal=caller(request),
            introduction_id=introduction_id,
            note=body.note,
        )
    except Problem as problem:
        return await _again(request, introduction_id, form, problem)
    return go(f"/introductions/{introduction_id}")


@form_router.post("/introductions/{introduction_id}/messages", name="message_form")
async def message(request: Request, introduction_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    try:
        body = parsed(MessageBody, {"text": form.text("text"), "language": form.text("language") or "en"})
        await service.write_message(
            session,
            node=bench(request).node,
            principal=caller(request),
            introduction_id=introduction_id,
            text=body.text,
            language=body.language,
        )
    except Problem as problem:
        return await _again(request, introduction_id, form, problem)
    return go(f"/introductions/{introduction_id}#messages")


@form_router.post("/introductions/{introduction_id}/assignment", name="assignment_form")
async def assignment(request: Request, introduction_id: UUID, session: Session) -> Response:
    form = Form.typed(await request.form())
    await service.assign_introduction(
        session,
        node=bench(request).node,
        principal=caller(request),
        introduction_id=introduction_id,
        broker=form.text("broker"),
    )
    return go(f"/introductions/{introduction_id}")
