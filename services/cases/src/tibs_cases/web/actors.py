"""The region's own organisations: list, record, and the forms that enter and change them."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.web import words
from tibs_cases.web.directory import Chosen, View, searched
from tibs_cases.web.forms import Form
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import PageRoute, form_key
from tibs_cases.web.i18n import gettext
from tibs_cases.web.shapes import Actor, Duplicate
from tibs_cases.web.shell import bench, caller, go
from tibs_chassis.problems import Problem

router = APIRouter(prefix="/actors", route_class=PageRoute, include_in_schema=False)

REFUSED = frozenset({400, 409, 412, 413, 422})
"""What the person can mend: the form comes back with what was typed. Everything else is a page of its own."""


@router.get("", name="actors")
async def actors(
    request: Request,
    q: str | None = None,
    kind: Chosen = [],  # noqa: B006 - FastAPI copies it
    cursor: str | None = None,
) -> Response:
    workbench, q = bench(request), searched(q)
    view = View("/actors", q=q, chosen={"kind": kind})
    found = await panel(workbench.registry.actors(caller(request), q=q or None, kind=kind, limit=25, cursor=cursor))
    filters = [("kind", view.choices("kind", words.options("kind"), None))]
    return workbench.page(request, "pages/actors.html", nav="clients", view=view, found=found, filters=filters)


@router.get("/new", name="new_actor")
async def new_actor(request: Request) -> Response:
    region = bench(request).region
    blank = Form({"country": region.country, "description_language": "en", "nuts_version": "2024"})
    return _form(request, form=blank, actor=None)


@router.post("", name="add_actor")
async def add_actor(request: Request) -> Response:
    form = Form.typed(await request.form())
    try:
        actor = await bench(request).registry.add_actor(caller(request), body_of(form), key=await form_key(request))
    except Problem as problem:
        return _refused(request, problem, form=form, actor=None)
    return go(f"/actors/{actor.id}")


@router.get("/{actor_id}", name="actor")
async def actor_page(request: Request, actor_id: UUID) -> Response:
    workbench, me = bench(request), caller(request)
    actor = await workbench.registry.actor(me, actor_id)
    return workbench.page(
        request,
        "pages/actor.html",
        nav="clients",
        actor=actor,
        contacts=await panel(workbench.registry.contacts(me, actor_id)),
        profiles=await panel(workbench.registry.profiles(me, actor_id=actor_id)),
    )


@router.get("/{actor_id}/edit", name="edit_actor")
async def edit_actor(request: Request, actor_id: UUID) -> Response:
    actor = await bench(request).registry.actor(caller(request), actor_id)
    return _form(request, form=Form(_held(actor)), actor=actor)


@router.post("/{actor_id}", name="change_actor")
async def change_actor(request: Request, actor_id: UUID) -> Response:
    registry, me = bench(request).registry, caller(request)
    form = Form.typed(await request.form())
    version = form.number("version")
    try:
        await registry.change_actor(me, actor_id, body_of(form), version=version if isinstance(version, int) else 0)
    except Problem as problem:
        return _refused(request, problem, form=form, actor=await registry.actor(me, actor_id))
    return go(f"/actors/{actor_id}")


def body_of(form: Form) -> dict[str, Any]:
    """The registry's body from what was typed."""
    body: dict[str, Any] = {
        "name": form.text("name"),
        "kind": form.text("kind"),
        "country": form.text("country"),
        "size": form.optional("size"),
        "founded": form.number("founded"),
        "sectors": form.chosen("sectors"),
        "technologies": form.words("technologies"),
        "languages": form.chosen("languages"),
        "certificates": form.words("certificates"),
        "description": form.text("description"),
        "description_language": form.text("description_language") or "en",
        "listed": form.flag("listed"),
        "accept_duplicate": form.flag("accept_duplicate"),
    }
    names = ["short_name", "registration_number", "vat", "turnover_band", "town", "nuts", "website", "experience"]
    body |= {name: form.optional(name) for name in names}
    body["nuts_version"] = form.optional("nuts_version") if body["nuts"] else None
    if form.text("confirmed_on"):
        body["confirmed_on"] = form.text("confirmed_on")
    return body


def _held(actor: Actor) -> dict[str, Any]:
    held = actor.model_dump(mode="json")
    for name in ("technologies", "certificates"):
        held[name] = ", ".join(held[name])
    return held


def _refused(request: Request, problem: Problem, *, form: Form, actor: Actor | None) -> Response:
    if problem.status not in REFUSED and problem.status < 500:
        raise problem
    form.refuse(problem)
    found = [Duplicate.model_validate(one) for one in problem.extensions.get("duplicates", [])]
    if found:
        form.problem = gettext("The organisation may be here already. Look at the record that is named below.")
    return _form(request, form=form, actor=actor, status=problem.status, duplicates=found)


def _form(
    request: Request,
    *,
    form: Form,
    actor: Actor | None,
    status: int = 200,
    duplicates: list[Duplicate] | None = None,
) -> Response:
    return bench(request).page(
        request,
        "pages/actor_form.html",
        nav="clients",
        status=status,
        form=form,
        actor=actor,
        duplicates=duplicates or [],
    )
