"""What brokers do at the UI in the fault tests, in a few words."""

from collections.abc import Iterator
from contextlib import contextmanager

from faults.ledger import Ledger

from tibs_devstack.people import Person
from tibs_devstack.stack import Stack
from tibs_devstack.visitor import Page, Visitor


@contextmanager
def signed_in(stack: Stack, region: str, key: str = "broker") -> Iterator[Visitor]:
    """Somebody of a region, at its UI."""
    person: Person = stack.people(region)[key]
    visitor = Visitor(url=stack.url(region), person=person)
    try:
        visitor.sign_in()
        yield visitor
    finally:
        visitor.close()


def unused_profiles(ledger: Ledger, *, home: str, away: str) -> tuple[str, str]:
    """A profile of each region that no case and no introduction has to do with yet."""
    taken = "SELECT profile_id FROM {} WHERE profile_id IS NOT NULL"
    used = {
        row
        for table in ("brokerage_case", "introduction", "shortlist_entry")
        for row in ledger.rows(home, "cases", taken.format(table))
    }
    found = []
    for region in (home, away):
        rows = ledger.rows(
            home,
            "registry",
            "SELECT profile_id FROM directory_profile WHERE region = %s ORDER BY published_at, profile_id",
            [region],
        )
        found.append(next(str(row[0]) for row in rows if row not in used))
    return found[0], found[1]


def request_introduction(broker: Visitor, *, need: str, offer: str) -> Page:
    """Opens a case for one profile, shortlists the other and asks for an introduction; the introduction's page."""
    form = broker.until(f"/cases/new?profile_id={need}", lambda page: page.all("#case-form"), what="the case form")
    case = broker.submit(form, "#case-form", no_conflict="true", diagnosis="Sound, and looking for a partner abroad.")
    matches = broker.open(f"{case.path}/matches?profile={offer}")
    broker.submit(matches, "#shortlist-form")
    form = broker.open(f"{case.path}/introductions/new?profile_id={offer}")
    return broker.submit(form, "#introduction-form", message="Our client plans what your client may complete.")


def register_organisation(broker: Visitor, *, name: str, country: str) -> str:
    """A new organisation that is listed for every region; its path."""
    return broker.submit(
        broker.open("/actors/new"),
        "#actor-form",
        name=name,
        kind="sme",
        country=country,
        description="Makes what the tests need.",
        sectors=["sustainable_construction"],
        languages=["en"],
        listed="true",
    ).path
