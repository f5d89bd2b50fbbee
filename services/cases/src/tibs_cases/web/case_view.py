"""A case as all its pages show it: the header, the steps, and what is to be done next."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_cases.cases import rules
from tibs_cases.cases import service as cases
from tibs_cases.cases.model import Case, ShortlistEntry, Verdict
from tibs_cases.cases.rules import CaseState, Held, Missing
from tibs_cases.cases.shortlist import shortlist
from tibs_cases.desk import service as desk
from tibs_cases.introductions import queries
from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.rules import LIVE_STATES, OPEN_STATES, IntroductionState
from tibs_cases.promises import service as promises
from tibs_cases.promises.model import Promise
from tibs_cases.web import words
from tibs_cases.web.i18n import gettext
from tibs_cases.web.i18n import marked as _
from tibs_cases.web.shell import Workbench
from tibs_chassis.auth import Principal


@dataclass(frozen=True)
class Action:
    """The one thing to do next. `anchor` names the form on the overview, if it is one."""

    text: str
    href: str


@dataclass(frozen=True)
class Step:
    """One step of the track as it is drawn."""

    code: str
    name: str
    state: str
    note: str | None = None


@dataclass(frozen=True)
class CaseView:
    """A case with everything that its pages' header and overview show."""

    case: Case
    held: Held
    shortlist: list[ShortlistEntry]
    introductions: list[Introduction]
    promises: list[Promise]
    names: dict[str, str]

    @property
    def address(self) -> str:
        return f"/cases/{self.case.id}"

    @property
    def kept(self) -> list[ShortlistEntry]:
        """Shortlisted and not rejected."""
        return [entry for entry in self.shortlist if entry.verdict is Verdict.SHORTLISTED]

    @property
    def moves(self) -> list[CaseState]:
        """The steps that can be taken by hand now, in the track's order."""
        open_steps = rules.possible(self.case.state, held=self.held, held_from=self.case.held_from)
        return [state for state in CaseState if state in open_steps]

    def live(self, profile_id: UUID) -> Introduction | None:
        """The introduction to a profile that is under way or completed."""
        found = (one for one in self.introductions if one.profile_id == profile_id and one.state in LIVE_STATES)
        return next(found, None)

    @property
    def steps(self) -> list[Step]:
        case = self.case
        shown = case.held_from if case.state is CaseState.ON_HOLD and case.held_from else case.state
        reached = rules.TRACK.index(shown)
        made = []
        for place, state in enumerate(rules.TRACK):
            kind = "done" if place < reached else "now" if place == reached else "next"
            note = gettext("on hold") if place == reached and case.state is CaseState.ON_HOLD else None
            made.append(Step(state.value, words.name("step", state.value), kind, note))
        return made

    @property
    def missing(self) -> list[tuple[str, str]]:
        """What the next step still wants: a sentence, and where to give it."""
        if self.case.state not in rules.TRACK or self.case.state is CaseState.CLOSED:
            return []
        following = rules.TRACK[rules.TRACK.index(self.case.state) + 1]
        return [
            (gettext(rules.SENTENCES[item]), _WHERE[item].format(self.address))
            for item in rules.missing(following, held=self.held)
            if item in _WHERE
        ]

    @property
    def next(self) -> Action | None:
        return next_action(self)


_WHERE = {
    Missing.NO_CONFLICT: "{}#declaration",
    Missing.BROKER: "{}#assignment",
    Missing.DIAGNOSIS: "{}#diagnosis",
    Missing.SHORTLISTED: "{}/matches",
    Missing.REQUESTED: "{}/introductions",
    Missing.INTRODUCED: "{}/introductions",
    Missing.STRATEGY: "{}",
}


def next_action(view: CaseView) -> Action | None:
    """What moves the case on, first things first."""
    case, held, address = view.case, view.held, view.address
    if case.state in (CaseState.CLOSED, CaseState.ON_HOLD):
        return None
    waiting = [one for one in view.introductions if one.state in OPEN_STATES]
    for one in waiting:
        if one.consented is None and one.state in (IntroductionState.ACCEPTED, IntroductionState.ACKNOWLEDGED):
            return Action(gettext("Record the client's yes"), f"/introductions/{one.id}#consent")
    todo = (
        (not held.broker, _("Assign a broker"), "{}#assignment"),
        (not held.no_conflict, _("Declare no conflict"), "{}#declaration"),
        (case.first_contact_at is None and not held.diagnosis, _("Record the first contact"), "{}#contact"),
        (not held.diagnosis, _("Write the diagnosis"), "{}#diagnosis"),
        (not view.kept and not waiting, _("Look at the matches"), "{}/matches"),
    )
    for wanted, text, where in todo:
        if wanted:
            return Action(gettext(text), where.format(address))
    unasked = [entry for entry in view.kept if view.live(entry.profile_id) is None]
    if unasked and not waiting and not held.introduced:
        return Action(
            gettext("Request introduction"), f"{address}/introductions/new?profile_id={unasked[0].profile_id}"
        )
    for one in waiting:
        if one.consented is None:
            return Action(gettext("Record the client's yes"), f"/introductions/{one.id}#consent")
    if waiting:
        return Action(gettext("See where the introduction is"), f"/introductions/{waiting[0].id}")
    return None


async def load(
    session: AsyncSession, *, workbench: Workbench, principal: Principal, case_id: UUID, more: set[str] | None = None
) -> CaseView:
    """The case for somebody who may work it. `more` are person ids whose names the page needs too."""
    node = workbench.node
    case = await cases.case_for(session, node=node, principal=principal, case_id=case_id)
    entries = await shortlist(session, node=node, principal=principal, case_id=case_id)
    halves, _total = await queries.list_introductions(
        session, node=node, principal=principal, case_id=case_id, limit=100
    )
    people = {case.broker, case.opened_by, *(more or set())} - {None}
    return CaseView(
        case=case,
        held=await cases.held_by(session, case=case),
        shortlist=entries,
        introductions=halves,
        promises=await promises.running(session, feed=case.id),
        names=await desk.names(session, ids={person for person in people if person}),
    )


def need_of(case: Case) -> dict[str, Any]:
    """The case's need as the search for partners reads it."""
    client = case.client
    need: dict[str, Any] = {
        "type": case.profile_type.value if case.profile_type else None,
        "title": case.title,
        "summary": case.summary[:500],
        "description": case.description,
        "language": case.language,
        "sectors": list(case.sectors),
        "country": client.get("country"),
        "kind": client.get("kind"),
        "size": client.get("size"),
    }
    if case.partner_sought:
        need["partner_sought"] = {"task": case.partner_sought[:500]}
    return {name: value for name, value in need.items() if value not in (None, "", [])}
