"""Who stands in for whom, and who may act. Pure: no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Presence:
    """Whether somebody is away, and who stands in meanwhile."""

    absent_until: date | None = None
    deputy: str | None = None

    def away(self, today: date) -> bool:
        return self.absent_until is not None and today <= self.absent_until


def stands_in(person: str, *, desk: Mapping[str, Presence], today: date) -> str:
    """Who does somebody's work today: the person, or the first deputy who is here.

    When everybody in the chain is away, or the chain runs in a circle, it is the person's own again: work that belongs
    to nobody is seen by nobody.
    """
    seen = {person}
    current = person
    while (presence := desk.get(current)) is not None and presence.away(today):
        if presence.deputy is None or presence.deputy in seen:
            return person
        current = presence.deputy
        seen.add(current)
    return current


@dataclass(frozen=True)
class InCharge:
    """Whose something is, who does it today, and everybody who should hear of it."""

    broker: str | None
    acting: str | None
    concerned: tuple[str, ...]


def in_charge(broker: str | None, *, leads: tuple[str, ...], desk: Mapping[str, Presence], today: date) -> InCharge:
    """A known broker's work is done by the broker, or by who stands in; that of nobody is brought to all leads."""
    if broker is not None:
        stand_in = stands_in(broker, desk=desk, today=today)
        return InCharge(broker=broker, acting=stand_in, concerned=(stand_in,))
    return InCharge(
        broker=None,
        acting=None,
        concerned=tuple(dict.fromkeys(stands_in(lead, desk=desk, today=today) for lead in leads)),
    )


def may_act(
    person: str, *, leads: bool, brokers: bool, broker: str | None, desk: Mapping[str, Presence], today: date
) -> bool:
    """The one rule of who may see and work something: leads all, a broker the own, a deputy the absent broker's.

    `leads` and `brokers` are whether the person has those roles; `broker` is whose the thing is.
    """
    if leads:
        return True
    if not brokers or broker is None:
        return False
    return person in (broker, stands_in(broker, desk=desk, today=today))
