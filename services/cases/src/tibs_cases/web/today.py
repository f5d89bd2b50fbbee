"""Today: what was promised and by when, what came in, what waits for somebody else."""

from dataclasses import dataclass
from datetime import date, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from tibs_cases.promises.model import Promise
from tibs_cases.promises.rules import When, when
from tibs_cases.today import service
from tibs_cases.today.service import AnswerKind, Today
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.i18n import current_language, gettext
from tibs_cases.web.i18n import marked as _
from tibs_cases.web.shell import Workbench, bench, caller
from tibs_cases.web.story import promised

router = APIRouter(route_class=PageRoute, include_in_schema=False)

GROUPS = (
    (When.OVERDUE, _("Overdue")),
    (When.TODAY, _("Today")),
    (When.THIS_WEEK, _("This week")),
    (When.LATER, _("Later")),
)

ANSWERS = {
    AnswerKind.ACCEPTED: (_("%(region)s accepted"), "heart-handshake", _("Record our client's yes")),
    AnswerKind.CONSENTED: (_("The client in %(region)s said yes"), "heart-handshake", _("Bring the decision")),
    AnswerKind.MESSAGE: (_("%(region)s wrote"), "message", _("Read and answer")),
    AnswerKind.DECLINED: (_("%(region)s declined"), "ban", _("Read why")),
    AnswerKind.INTRODUCED: (_("Introduced with %(region)s"), "arrows-exchange", _("See the contact")),
    AnswerKind.WITHDRAWN: (_("%(region)s withdrew its request"), "arrow-back-up", _("Read why")),
}


@dataclass(frozen=True)
class Row:
    """One thing that waits: what, for what, by when, and the one next action."""

    icon: str
    what: str
    title: str
    href: str
    action: str
    due: date | None = None
    at: datetime | None = None
    meaning: str = ""


@router.get("/", name="home")
async def home(request: Request) -> Response:
    return RedirectResponse("/today", status_code=303)


@router.get("/today", name="today_page")
async def today_page(request: Request) -> Response:
    workbench, me = bench(request), caller(request)
    async with workbench.database.transaction() as session:
        held = await service.today(session, node=workbench.node, principal=me)
    return workbench.page(
        request,
        "pages/today.html",
        nav="today",
        groups=due_rows(workbench, held),
        answers=_answers(workbench, held),
        reviews=held.reviews,
        waiting=held.waiting,
        failure=held.failure,
        quarantined=held.quarantined,
        count=held.count,
    )


def due_rows(workbench: Workbench, held: Today) -> list[tuple[str, str, list[Row]]]:
    """Promises and new introductions together, in groups by when they are due."""
    day = workbench.calendar.local_day(datetime.now(workbench.region.zone))
    groups: dict[When, list[Row]] = {
        group: [_promise_row(promise) for promise in held.promises.get(group, [])] for group in When
    }
    language = current_language()
    for half in held.introductions:
        promise = held.due.get(half.id)
        due = promise.due if promise else half.acknowledge_due or half.answer_due
        region = workbench.region_name(half.other_region, language)
        row = Row(
            icon="inbox",
            what=gettext("New introduction from %(region)s") % {"region": region},
            title=str(half.need.get("title", half.profile_title)),
            href=f"/introductions/{half.id}",
            action=gettext("Take it up"),
            due=due,
        )
        groups[when(due, today=day) if due else When.TODAY].append(row)
    return [
        (group.value, gettext(name), sorted(groups[group], key=lambda row: row.due or day))
        for group, name in GROUPS
        if groups[group]
    ]


def _promise_row(promise: Promise) -> Row:
    href = f"/introductions/{promise.introduction_id}" if promise.introduction_id else f"/cases/{promise.case_id}"
    anchors = {"first_contact": "#contact", "diagnosis": "#diagnosis", "broker_assigned": "#assignment"}
    return Row(
        icon="calendar-due",
        what=promised(promise.kind.value),
        title=promise.title,
        href=href + ("" if promise.introduction_id else anchors.get(promise.kind.value, "")),
        action=promised(promise.kind.value),
        due=promise.due,
    )


def _answers(workbench: Workbench, held: Today) -> list[Row]:
    language = current_language()
    rows = []
    for answer in held.answers:
        what, icon, action = ANSWERS[answer.kind]
        half = answer.half
        rows.append(
            Row(
                icon=icon,
                what=gettext(what) % {"region": workbench.region_name(half.other_region, language)},
                title=str(half.need.get("title", half.profile_title)),
                href=f"/introductions/{half.id}",
                action=gettext(action),
                at=answer.at,
            )
        )
    return rows
