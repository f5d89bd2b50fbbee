"""What a person wants to hear of, by which way, and when not. Kept by notify."""

from datetime import time
from typing import Any

from fastapi import APIRouter, Request, Response

from tibs_cases.web.actors import REFUSED
from tibs_cases.web.forms import Form
from tibs_cases.web.gateways import panel
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.i18n import gettext
from tibs_cases.web.shapes import Choice, Preferences
from tibs_cases.web.shell import bench, caller, go
from tibs_chassis.problems import FieldError, Invalid, Problem

router = APIRouter(prefix="/me/preferences", route_class=PageRoute, include_in_schema=False)


@router.get("", name="preferences")
async def preferences(request: Request, saved: str | None = None) -> Response:
    found = await panel(bench(request).notify.preferences(caller(request)))
    if found.held is None:
        return _page(request, form=Form(), choices=[], away=found.away)
    return _page(request, form=_held(found.held), choices=found.held.choices, saved=saved == "yes")


@router.post("", name="change_preferences")
async def change_preferences(request: Request) -> Response:
    notify, me = bench(request).notify, caller(request)
    form = Form.typed(await request.form())
    choices, version = _chosen(form), form.number("version")
    try:
        body = {
            "choices": [choice.model_dump(include={"type", "in_app", "mail"}) for choice in choices],
            "quiet_hours": _quiet_hours(form),
        }
        await notify.change_preferences(me, body, version=version if isinstance(version, int) else 0)
    except Problem as problem:
        if problem.status not in REFUSED and problem.status < 500:
            raise
        if problem.status == 412:
            # Most likely a mail's link was used meanwhile. To save over that would undo it unseen.
            now = await notify.preferences(me)
            form, choices = _held(now), now.choices
            form.problem = gettext(
                "Your choice was changed elsewhere meanwhile. Below is what holds now; change it again."
            )
        else:
            form.refuse(problem)
        return _page(request, form=form, choices=choices, status=problem.status)
    return go("/me/preferences?saved=yes")


def _held(held: Preferences) -> Form:
    values: dict[str, Any] = {"version": held.version}
    if held.quiet_hours is not None:
        values["quiet_hours.start"] = held.quiet_hours.start.isoformat("minutes")
        values["quiet_hours.end"] = held.quiet_hours.end.isoformat("minutes")
    return Form(values)


def _chosen(form: Form) -> list[Choice]:
    """The rows as they were ticked. The form holds their names too: it comes back whole even if notify is away."""
    always = form.many("critical")
    return [
        Choice(
            type=code,
            title=title,
            critical=code in always,
            in_app=code in always or code in form.many("in_app"),
            mail=code in always or code in form.many("mail"),
        )
        for code, title in zip(form.many("type"), form.many("title"), strict=False)
    ]


def _quiet_hours(form: Form) -> dict[str, str] | None:
    """Raises Invalid for one time without the other, or something that is none."""
    held = {name: form.text(f"quiet_hours.{name}") for name in ("start", "end")}
    if not any(held.values()):
        return None
    wrong = [
        FieldError(pointer=f"/quiet_hours/{name}", reason=reason, held=value[:80])
        for name, value in held.items()
        if (reason := _wrong_time(value)) is not None
    ]
    if wrong:
        raise Invalid(gettext("The quiet hours cannot be kept like this."), errors=wrong)
    return held


def _wrong_time(value: str) -> str | None:
    if not value:
        return gettext("Give both times, or none of them.")
    try:
        time.fromisoformat(value)
    except ValueError:
        return gettext("Give a time such as 20:00.")
    return None


def _page(
    request: Request,
    *,
    form: Form,
    choices: list[Choice],
    away: str | None = None,
    saved: bool = False,
    status: int = 200,
) -> Response:
    return bench(request).page(
        request,
        "pages/preferences.html",
        nav="notices",
        status=status,
        form=form,
        choices=choices,
        away=away,
        saved=saved,
    )
