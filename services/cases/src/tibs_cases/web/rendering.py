"""Jinja for the pages: autoescape, no undefined names, icons from one sprite, texts through gettext."""

import hashlib
from datetime import date, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tibs_cases.promises.rules import Calendar
from tibs_cases.web import dates, words
from tibs_cases.web.i18n import LANGUAGES, gettext, ngettext
from tibs_chassis.clock import now

HERE = Path(__file__).parent
STATIC = HERE / "static"


@cache
def asset(path: str) -> str:
    """The address of a static file, with its content's digest, so that it may be kept for ever."""
    try:
        digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]
    except FileNotFoundError:
        digest = "missing"
    return f"/static/{path}?v={digest}"


def icon(name: str, *, size: str = "", label: str | None = None) -> Markup:
    """An icon of the sprite. Without a label it is decoration, and the word beside it says what it means."""
    spoken = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon{}" {}><use href="{}#{}"></use></svg>').format(
        f" icon-{size}" if size else "", spoken, asset("vendor/icons.svg"), name
    )


def highlighted(text: str, passages: list[str]) -> Markup:
    """The text with each passage marked once."""
    spots: list[tuple[int, int]] = []
    folded = text.casefold()
    if len(folded) != len(text):
        return escape(text)
    for passage in passages:
        wanted = passage.strip().casefold()
        start = folded.find(wanted) if wanted else -1
        if start >= 0 and not any(start < end and begin < start + len(wanted) for begin, end in spots):
            spots.append((start, start + len(wanted)))
    pieces: list[Markup] = []
    reached = 0
    for start, end in sorted(spots):
        pieces += [escape(text[reached:start]), Markup("<mark>{}</mark>").format(text[start:end])]
        reached = end
    return Markup("").join([*pieces, escape(text[reached:])])


class Dates:
    """Dates as the templates call them, in one region's time and working days."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar

    @property
    def today(self) -> date:
        return self.calendar.local_day(now())

    def day(self, value: date) -> str:
        return dates.day(value, today=self.today)

    def moment(self, value: datetime) -> str:
        return dates.moment(value, zone=self.calendar.zone, today=self.today)

    def clock(self, value: datetime) -> str:
        return value.astimezone(self.calendar.zone).strftime("%H:%M")

    def local_day(self, value: datetime) -> date:
        return self.calendar.local_day(value)

    def promise(self, due: date, *, kept: bool = False) -> dates.Promise:
        return dates.promise(due, today=self.today, calendar=self.calendar, kept=kept)


def environment(calendar: Calendar) -> Environment:
    """The one environment of all pages of a region."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.loopcontrols"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        cal=Dates(calendar),
        asset=asset,
        icon=icon,
        words=words,
        languages=LANGUAGES,
        now=now,
        highlighted=highlighted,
    )
    return made
