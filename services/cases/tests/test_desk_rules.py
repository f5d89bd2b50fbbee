"""Who stands in for whom, and who may act."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tibs_cases.desk.rules import Presence, in_charge, may_act, stands_in

TODAY = date(2026, 11, 24)
AWAY = TODAY + timedelta(days=3)
people = st.sampled_from(["anna", "bo", "cecilia", "dag"])
desks = st.dictionaries(
    people,
    st.builds(
        Presence,
        absent_until=st.none() | st.sampled_from([TODAY, AWAY, TODAY - timedelta(days=1)]),
        deputy=st.none() | people,
    ),
)


def test_whoever_is_here_does_the_own_work() -> None:
    assert stands_in("anna", desk={"anna": Presence(deputy="bo")}, today=TODAY) == "anna"


def test_the_last_day_of_absence_counts() -> None:
    desk = {"anna": Presence(absent_until=TODAY, deputy="bo")}
    assert stands_in("anna", desk=desk, today=TODAY) == "bo"
    assert stands_in("anna", desk=desk, today=TODAY + timedelta(days=1)) == "anna"


def test_a_deputy_who_is_away_passes_it_on() -> None:
    desk = {"anna": Presence(AWAY, "bo"), "bo": Presence(AWAY, "cecilia")}
    assert stands_in("anna", desk=desk, today=TODAY) == "cecilia"


@given(desk=desks, person=people)
def test_somebody_always_has_the_work(desk: dict[str, Presence], person: str) -> None:
    found = stands_in(person, desk=desk, today=TODAY)
    assert found == person or not desk.get(found, Presence()).away(TODAY)


def test_what_belongs_to_nobody_goes_to_the_leads() -> None:
    desk = {"lead": Presence(AWAY, "second")}
    found = in_charge(None, leads=("lead", "third"), desk=desk, today=TODAY)
    assert found.broker is None
    assert found.concerned == ("second", "third")


def test_an_absent_broker_keeps_the_work_and_is_not_called() -> None:
    found = in_charge("anna", leads=("lead",), desk={"anna": Presence(AWAY, "bo")}, today=TODAY)
    assert (found.broker, found.acting) == ("anna", "bo")
    assert found.concerned == ("bo",)


def test_a_broker_acts_on_the_own_a_deputy_on_the_absent_a_lead_on_all() -> None:
    here: dict[str, Presence] = {}
    away = {"anna": Presence(AWAY, "bo")}

    def may(person: str, *, broker: str | None, desk: dict[str, Presence], leads: bool = False) -> bool:
        return may_act(person, leads=leads, brokers=True, broker=broker, desk=desk, today=TODAY)

    assert may("anna", broker="anna", desk=here)
    assert not may("bo", broker="anna", desk=here)
    assert may("bo", broker="anna", desk=away)
    assert not may("bo", broker=None, desk=away)
    assert may("lead", broker=None, desk=here, leads=True)
    assert not may_act("anna", leads=False, brokers=False, broker="anna", desk=here, today=TODAY)
