"""Working days, and the clocks of promises."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_cases.promises.rules import (
    RUNNING,
    TRANSITIONS,
    Calendar,
    PromiseKind,
    Terms,
    When,
    calendar,
    clock_state,
    due_on,
    may_move,
    when,
)
from tibs_contracts.events import PromiseState

days = st.dates(date(2024, 1, 1), date(2030, 12, 31))
numbers = st.integers(0, 60)
REGIONS = {
    "pl84": ("PL", "Europe/Warsaw"),
    "fi1c": ("FI", "Europe/Helsinki"),
    "lv008": ("LV", "Europe/Riga"),
    "de60": ("DE-HH", "Europe/Berlin"),
    "dk03": ("DK", "Europe/Copenhagen"),
}
calendars = st.sampled_from([calendar(*place) for place in REGIONS.values()])


@given(where=calendars, start=days, n=numbers)
def test_a_due_day_is_a_working_day_so_many_working_days_later(where: Calendar, start: date, n: int) -> None:
    due = where.add(start, n)
    assert where.works(due)
    if n:
        assert where.between(start, due) == n


@given(where=calendars, start=days, n=numbers, more=numbers)
def test_more_days_never_end_earlier(where: Calendar, start: date, n: int, more: int) -> None:
    assert where.add(start, n) <= where.add(start, n + more)


@given(where=calendars, start=days, one=numbers, two=numbers)
def test_days_can_be_added_in_parts(where: Calendar, start: date, one: int, two: int) -> None:
    assert where.add(where.add(start, one), two) == where.add(where.add(start, 0), one + two) or not where.works(start)


@given(where=calendars, start=days, n=st.integers(1, 60))
def test_counting_back_undoes_counting_forward(where: Calendar, start: date, n: int) -> None:
    first = where.add(start, 0)
    assert where.add(where.add(first, n), -n) == first


@given(where=calendars, start=days, end=days)
def test_between_is_odd(where: Calendar, start: date, end: date) -> None:
    assert where.between(start, end) == -where.between(end, start) or start == end


def test_finnish_independence_day_is_not_counted_but_a_polish_desk_works() -> None:
    # 6 December 2027 is a Monday.
    friday = date(2027, 12, 3)
    assert calendar("FI", "Europe/Helsinki").add(friday, 1) == date(2027, 12, 7)
    assert calendar("PL", "Europe/Warsaw").add(friday, 1) == date(2027, 12, 6)


def test_the_day_is_that_of_the_region_that_owes() -> None:
    late = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    assert calendar("FI", "Europe/Helsinki").local_day(late) == date(2026, 11, 24)
    assert calendar("PL", "Europe/Warsaw").local_day(late) == date(2026, 11, 23)


def test_terms_are_configuration() -> None:
    where = calendar("PL", "Europe/Warsaw")
    made = datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert due_on(PromiseKind.ACKNOWLEDGEMENT, made_at=made, calendar=where) == date(2026, 12, 1)
    terms = Terms(days={PromiseKind.ACKNOWLEDGEMENT: 2})
    assert due_on(PromiseKind.ACKNOWLEDGEMENT, made_at=made, calendar=where, terms=terms) == date(2026, 11, 26)


@given(
    state=st.sampled_from(sorted(RUNNING)),
    due=days,
    offset=st.integers(-30, 30),
    hour=st.integers(0, 23),
    where=calendars,
)
def test_time_moves_a_promise_only_forward_and_only_once(
    state: PromiseState, due: date, offset: int, hour: int, where: Calendar
) -> None:
    now = datetime.combine(due + timedelta(days=offset), time(hour), tzinfo=where.zone)
    moved = clock_state(state, due=due, now=now, calendar=where)
    assert moved is state or may_move(state, moved)
    assert clock_state(moved, due=due, now=now, calendar=where) is moved
    if offset > 0:
        assert moved is PromiseState.OVERDUE


@pytest.mark.parametrize("end", [PromiseState.KEPT, PromiseState.DROPPED])
def test_what_is_settled_stays_settled(end: PromiseState) -> None:
    assert TRANSITIONS[end] == frozenset()
    late = datetime(2030, 1, 1, tzinfo=ZoneInfo("Europe/Riga"))
    assert clock_state(end, due=date(2026, 1, 5), now=late, calendar=calendar("LV", "Europe/Riga")) is end


@pytest.mark.parametrize(
    ("due", "group"),
    [
        (date(2026, 11, 23), When.OVERDUE),
        (date(2026, 11, 24), When.TODAY),
        (date(2026, 11, 29), When.THIS_WEEK),
        (date(2026, 11, 30), When.LATER),
    ],
)
def test_due_dates_are_grouped(due: date, group: When) -> None:
    assert when(due, today=date(2026, 11, 24)) is group
