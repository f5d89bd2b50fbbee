"""Clocks of promises, in working days of the region that owes. Pure: no database, no clock of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from tibs_contracts.events import PromiseState

_ONE_DAY = timedelta(days=1)


class PromiseKind(StrEnum):
    """What a desk owes."""

    BROKER_ASSIGNED = "broker_assigned"
    FIRST_CONTACT = "first_contact"
    DIAGNOSIS = "diagnosis"
    ACKNOWLEDGEMENT = "introduction_acknowledged"
    CLIENT_DECISION = "client_decision"


@dataclass(frozen=True)
class Terms:
    """How many working days each promise has, and how many before its end the reminder comes."""

    days: Mapping[PromiseKind, int]
    reminder: int = 1


TERMS = Terms(
    days={
        PromiseKind.BROKER_ASSIGNED: 5,
        PromiseKind.FIRST_CONTACT: 5,
        PromiseKind.DIAGNOSIS: 10,
        PromiseKind.ACKNOWLEDGEMENT: 5,
        PromiseKind.CLIENT_DECISION: 15,
    }
)
"""The Case Tracker's deadlines; a node may set others."""


@dataclass(frozen=True)
class Calendar:
    """The working days of a region: Monday to Friday, without its public holidays, by its own clocks."""

    zone: ZoneInfo
    is_holiday: Callable[[date], bool]

    def local_day(self, moment: datetime) -> date:
        """Which day it is there."""
        return moment.astimezone(self.zone).date()

    def works(self, day: date) -> bool:
        return day.weekday() < 5 and not self.is_holiday(day)

    def add(self, start: date, days: int) -> date:
        """The day that lies so many working days after `start`; counting begins on the day after it.

        Zero days gives `start` itself, or the next working day if nobody works on it. Negative days count back.
        """
        step = _ONE_DAY if days >= 0 else -_ONE_DAY
        day, left = start, abs(days)
        while left:
            day += step
            left -= self.works(day)
        while not self.works(day):
            day += step
        return day

    def between(self, start: date, end: date) -> int:
        """How many working days lie after `start` up to and with `end`; negative when `end` is before it."""
        if end < start:
            return -self.between(end, start)
        return sum(self.works(start + _ONE_DAY * offset) for offset in range(1, (end - start).days + 1))


@lru_cache(maxsize=64)
def calendar(place: str, zone: str) -> Calendar:
    """A region's calendar: `place` as the holidays package names it (`FI`, `DE-HH`), `zone` as tz names it."""
    country, _, subdivision = place.partition("-")
    days = holidays.country_holidays(country, subdiv=subdivision or None)
    return Calendar(zone=ZoneInfo(zone), is_holiday=lambda day: day in days)


def due_on(kind: PromiseKind, *, made_at: datetime, calendar: Calendar, terms: Terms = TERMS) -> date:
    """The last day on which the promise is kept in time."""
    return calendar.add(calendar.local_day(made_at), terms.days[kind])


TRANSITIONS: Mapping[PromiseState, frozenset[PromiseState]] = {
    PromiseState.MADE: frozenset(
        {PromiseState.REMINDED, PromiseState.OVERDUE, PromiseState.KEPT, PromiseState.DROPPED}
    ),
    PromiseState.REMINDED: frozenset({PromiseState.OVERDUE, PromiseState.KEPT, PromiseState.DROPPED}),
    PromiseState.OVERDUE: frozenset({PromiseState.KEPT, PromiseState.DROPPED}),
    PromiseState.KEPT: frozenset(),
    PromiseState.DROPPED: frozenset(),
}

RUNNING = frozenset({PromiseState.MADE, PromiseState.REMINDED, PromiseState.OVERDUE})
"""Not yet kept or dropped."""


def may_move(state: PromiseState, target: PromiseState) -> bool:
    return target in TRANSITIONS.get(state, frozenset())


def clock_state(
    state: PromiseState, *, due: date, now: datetime, calendar: Calendar, terms: Terms = TERMS
) -> PromiseState:
    """Where time alone has brought a promise: the state it is in, or the later one that it should be in."""
    today = calendar.local_day(now)
    target = state
    if today > due:
        target = PromiseState.OVERDUE
    elif today >= calendar.add(due, -terms.reminder):
        target = PromiseState.REMINDED
    return target if may_move(state, target) else state


class When(StrEnum):
    """How a due date is grouped on the page of today."""

    OVERDUE = "overdue"
    TODAY = "today"
    THIS_WEEK = "this_week"
    LATER = "later"


def when(due: date, *, today: date) -> When:
    """The week ends on Sunday."""
    if due < today:
        return When.OVERDUE
    if due == today:
        return When.TODAY
    return When.THIS_WEEK if due <= today + timedelta(days=6 - today.weekday()) else When.LATER
