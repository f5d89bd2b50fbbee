"""The timeline in sentences: what each entry says, its icon, its meaning."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tibs_cases.timeline.model import Entry, EntryKind
from tibs_cases.web import words
from tibs_cases.web.i18n import gettext
from tibs_cases.web.i18n import marked as _

PROMISES = {
    "broker_assigned": _("Assign a broker"),
    "first_contact": _("Speak to the client"),
    "diagnosis": _("Write the diagnosis"),
    "introduction_acknowledged": _("Take up the introduction"),
    "client_decision": _("Bring the client's decision"),
}
"""What a desk promised, as the thing to do."""

_KINDS: Mapping[EntryKind, tuple[str, str, str]] = {
    EntryKind.CASE_OPENED: ("briefcase", "", _("Case opened, receipt %(receipt)s")),
    EntryKind.CASE_MOVED: ("flag", "", _("Moved from %(from)s to %(to)s")),
    EntryKind.CASE_ASSIGNED: ("user-check", "", _("Assigned to %(broker)s")),
    EntryKind.CASE_CHANGED: ("edit", "", _("The need was rewritten")),
    EntryKind.NO_CONFLICT_DECLARED: ("shield-check", "green", _("Declared: no conflict of interest")),
    EntryKind.FIRST_CONTACT: ("phone", "green", _("Spoke to the client")),
    EntryKind.DIAGNOSIS_WRITTEN: ("writing", "", _("Diagnosis written")),
    EntryKind.NOTE: ("note", "", _("Note")),
    EntryKind.SHORTLISTED: ("star", "", _("Shortlisted %(reference)s, %(title)s")),
    EntryKind.SHORTLIST_REMOVED: ("x", "", _("Taken off the shortlist: %(reference)s")),
    EntryKind.SHORTLIST_JUDGED: ("thumb-down", "", _("Judged %(reference)s: %(verdict)s")),
    EntryKind.INTRODUCTION_REQUESTED: ("send", "", _("Introduction requested in %(other_region)s: %(title)s")),
    EntryKind.INTRODUCTION_RECEIVED: ("inbox", "amber", _("Introduction request received from %(other_region)s")),
    EntryKind.INTRODUCTION_DELIVERED: ("mail-check", "green", _("The request reached %(other_region)s")),
    EntryKind.INTRODUCTION_ASSIGNED: ("user-check", "", _("Introduction assigned to %(broker)s")),
    EntryKind.INTRODUCTION_ACKNOWLEDGED: ("user-check", "", _("The broker in charge took the introduction up")),
    EntryKind.INTRODUCTION_CONSENTED: ("heart-handshake", "green", _("The home client said yes")),
    EntryKind.INTRODUCTION_ACCEPTED: ("heart-handshake", "green", _("The partner's client said yes")),
    EntryKind.INTRODUCTION_DECLINED: ("ban", "red", _("Introduction declined: %(reason)s")),
    EntryKind.INTRODUCTION_WITHDRAWN: ("arrow-back-up", "", _("Introduction withdrawn")),
    EntryKind.MESSAGE: ("message", "", _("Message")),
    EntryKind.CONTACT_SENT: ("lock", "", _("Our client's contact was sent, sealed, to %(other_region)s")),
    EntryKind.CONTACT_RECEIVED: ("lock-open", "green", _("The partner's contact arrived from %(other_region)s")),
    EntryKind.INTRODUCED: ("arrows-exchange", "green", _("Both clients are introduced")),
    EntryKind.PROMISE_MADE: ("clock", "", _("Promised: %(promise)s, by %(due)s")),
    EntryKind.PROMISE_REMINDED: ("bell", "amber", _("Reminder: %(promise)s, by %(due)s")),
    EntryKind.PROMISE_OVERDUE: ("alert-triangle", "red", _("Overdue: %(promise)s, was due %(due)s")),
    EntryKind.PROMISE_KEPT: ("circle-check", "green", _("Promise kept: %(promise)s")),
}


@dataclass(frozen=True)
class Line:
    """One entry as it is shown."""

    kind: str
    icon: str
    meaning: str
    text: str
    at: datetime
    who: str | None
    quote: str | None = None
    link: tuple[str, str] | None = None
    pinned: bool = False


def told(
    entry: Entry,
    *,
    names: Mapping[str, str],
    region_name: Callable[[str], str],
    day: Callable[[date], str],
    own_region: str,
    introduction: UUID | None = None,
) -> Line:
    """An entry in words. `introduction` is the one whose page it stands on: then no link leads there."""
    icon, meaning, sentence = _KINDS.get(entry.kind, ("circle-dot", "", str(entry.kind).replace("_", " ").capitalize()))
    details = _spoken(entry.details, names=names, region_name=region_name, day=day)
    who = names.get(entry.by) if entry.by else None
    if entry.region != own_region:
        who = gettext("in %(region)s") % {"region": region_name(entry.region)}
    link = None
    if entry.introduction_id is not None and entry.introduction_id != introduction:
        link = (gettext("Open the introduction"), f"/introductions/{entry.introduction_id}")
    return Line(
        kind=str(entry.kind),
        icon=icon,
        meaning=meaning,
        text=gettext(sentence) % _Lenient(details),
        at=entry.at,
        who=who,
        quote=entry.details.get("text") or entry.details.get("note") or None,
        link=link,
        pinned=entry.pinned,
    )


def by_day(
    lines: Iterable[Line], *, local_day: Callable[[datetime], date], day: Callable[[date], str]
) -> list[tuple[str, list[Line]]]:
    """Lines in the order given, under the day on which they happened."""
    days: list[tuple[str, list[Line]]] = []
    for line in lines:
        name = day(local_day(line.at))
        if not days or days[-1][0] != name:
            days.append((name, []))
        days[-1][1].append(line)
    return days


class _Lenient(dict[str, str]):
    """A detail that an older entry does not have is left out of its sentence."""

    def __missing__(self, key: str) -> str:
        return "…"


def _spoken(
    details: Mapping[str, Any],
    *,
    names: Mapping[str, str],
    region_name: Callable[[str], str],
    day: Callable[[date], str],
) -> dict[str, str]:
    spoken = {name: str(value) for name, value in details.items()}
    for name in ("from", "to"):
        if name in spoken:
            spoken[name] = words.name("step", spoken[name])
    if "broker" in spoken:
        spoken["broker"] = names.get(spoken["broker"], gettext("a broker of this desk"))
    if "other_region" in spoken:
        spoken["other_region"] = region_name(spoken["other_region"])
    if "reason" in spoken:
        spoken["reason"] = words.name("decline", spoken["reason"])
    if "promise" in spoken:
        spoken["promise"] = promised(spoken["promise"])
    if "due" in spoken:
        spoken["due"] = day(date.fromisoformat(spoken["due"]))
    if "verdict" in spoken:
        spoken["verdict"] = gettext("rejected") if spoken["verdict"] == "rejected" else gettext("kept")
    return spoken


def promised(kind: str) -> str:
    """What was promised, as the thing to do."""
    return gettext(PROMISES[kind]) if kind in PROMISES else kind.replace("_", " ").capitalize()
