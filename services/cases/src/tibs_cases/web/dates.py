"""Days as brokers say them: "Fri 27 Nov, in 3 working days"."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time

from tibs_cases.promises.rules import Calendar
from tibs_cases.web.i18n import current_language, current_locale, gettext, ngettext


@dataclass(frozen=True)
class Promise:
    """A due date in words, and what it means: the style follows the meaning."""

    text: str
    meaning: Literal["ahead", "due", "overdue", "kept"]
    icon: str


def day(value: date, *, today: date) -> str:
    """Fri 27 Nov; with the year when it is another one."""
    near = value.year == today.year
    if current_language() == "en":
        return format_date(value, "EEE d MMM" if near else "EEE d MMM y", locale=current_locale())
    return format_skeleton("MMMEd" if near else "yMMMEd", value, locale=current_locale())


def moment(value: datetime, *, zone: ZoneInfo, today: date) -> str:
    """Fri 27 Nov, 10:42 in a region's own time."""
    local = value.astimezone(zone)
    return f"{day(local.date(), today=today)}, {format_time(local, 'HH:mm', locale=current_locale())}"


def promise(due: date, *, today: date, calendar: Calendar, kept: bool = False) -> Promise:
    """What was promised, seen from today."""
    named = day(due, today=today)
    if kept:
        return Promise(text=gettext("%(day)s, kept") % {"day": named}, meaning="kept", icon="circle-check")
    if due < today:
        late = max(1, -calendar.between(today, due))
        text = ngettext("overdue by %(n)s working day", "overdue by %(n)s working days", late) % {"n": late}
        return Promise(text=f"{named}, {text}", meaning="overdue", icon="alert-triangle")
    if due == today:
        return Promise(text=f"{named}, {gettext('today')}", meaning="due", icon="calendar-due")
    if due == today + timedelta(days=1):
        return Promise(text=f"{named}, {gettext('tomorrow')}", meaning="due", icon="calendar-due")
    ahead = calendar.between(today, due)
    text = ngettext("in %(n)s working day", "in %(n)s working days", ahead) % {"n": ahead}
    return Promise(text=f"{named}, {text}", meaning="due" if ahead <= 1 else "ahead", icon="clock")
