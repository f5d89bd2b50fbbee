"""Contact people of an organisation and what they agreed to. Every look at them is recorded by the registry."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tibs_cases.web.actors import REFUSED
from tibs_cases.web.forms import Form
from tibs_cases.web.guard import PageRoute, form_key
from tibs_cases.web.i18n import gettext
from tibs_cases.web.shell import bench, caller, go
from tibs_chassis.clock import now
from tibs_chassis.problems import Problem

router = APIRouter(prefix="/actors/{actor_id}/contacts", route_class=PageRoute, include_in_schema=False)

TEXT_VERSION = "contact-2026-01"
"""The wording of consent to being a contact person that the desk uses now."""


@router.get("/new", name="new_contact")
async def new_contact(request: Request, actor_id: UUID) -> Response:
    blank = Form(
        {
            "language": bench(request).region.languages[0],
            "purpose": gettext("Innovation brokerage for the organisation"),
            "basis": "consent",
            "text_version": TEXT_VERSION,
        }
    )
    return await _form(request, actor_id, form=blank)


@router.post("", name="add_contact")
async def add_contact(request: Request, actor_id: UUID) -> Response:
    form = Form.typed(await request.form())
    try:
        await bench(request).registry.add_contact(
            caller(request), actor_id, _body_of(form), key=await form_key(request)
        )
    except Problem as problem:
        return await _refused(request, problem, actor_id, form=form)
    return go(f"/actors/{actor_id}#contacts")


@router.get("/{contact_id}/edit", name="edit_contact")
async def edit_contact(request: Request, actor_id: UUID, contact_id: UUID) -> Response:
    contact = await bench(request).registry.contact(caller(request), actor_id, contact_id)
    return await _form(request, actor_id, form=Form(contact.model_dump(mode="json")), contact_id=contact_id)


@router.post("/{contact_id}", name="change_contact")
async def change_contact(request: Request, actor_id: UUID, contact_id: UUID) -> Response:
    form = Form.typed(await request.form())
    version = form.number("version")
    try:
        await bench(request).registry.change_contact(
            caller(request),
            actor_id,
            contact_id,
            _body_of(form),
            version=version if isinstance(version, int) else 0,
        )
    except Problem as problem:
        return await _refused(request, problem, actor_id, form=form, contact_id=contact_id)
    return go(f"/actors/{actor_id}#contacts")


@router.post("/{contact_id}/consents", name="add_consent")
async def add_consent(request: Request, actor_id: UUID, contact_id: UUID) -> Response:
    """The contact person said yes today to being kept and written to."""
    form = Form.typed(await request.form())
    body = {
        "text_version": form.text("text_version") or TEXT_VERSION,
        "method": form.text("method"),
        "given_at": (form.moment("given_on") or now()).isoformat(),
    }
    await bench(request).registry.add_consent(caller(request), actor_id, contact_id, body, key=await form_key(request))
    return go(f"/actors/{actor_id}#contacts")


@router.post("/{contact_id}/consents/{consent_id}/withdrawal", name="withdraw_contact_consent")
async def withdraw_consent(request: Request, actor_id: UUID, contact_id: UUID, consent_id: UUID) -> Response:
    await bench(request).registry.withdraw_consent(
        caller(request), actor_id, contact_id, consent_id, key=await form_key(request)
    )
    return go(f"/actors/{actor_id}#contacts")


def _body_of(form: Form) -> dict[str, Any]:
    """The registry's body from what was typed."""
    body: dict[str, Any] = {name: form.text(name) for name in ("name", "email", "language", "purpose", "basis")}
    return body | {name: form.optional(name) for name in ("function", "phone")}


async def _refused(
    request: Request, problem: Problem, actor_id: UUID, *, form: Form, contact_id: UUID | None = None
) -> Response:
    if problem.status not in REFUSED and problem.status < 500:
        raise problem
    form.refuse(problem)
    return await _form(request, actor_id, form=form, contact_id=contact_id, status=problem.status)


async def _form(
    request: Request, actor_id: UUID, *, form: Form, contact_id: UUID | None = None, status: int = 200
) -> Response:
    workbench = bench(request)
    actor = await workbench.registry.actor(caller(request), actor_id)
    return workbench.page(
        request,
        "pages/contact_form.html",
        nav="clients",
        status=status,
        form=form,
        actor=actor,
        contact_id=contact_id,
    )
