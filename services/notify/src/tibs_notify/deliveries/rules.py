"""What becomes of a mail, and when it is tried again. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    SENT = "sent"
    """The mail server took it."""
    FAILED = "failed"
    """Given up: refused for good, or tried as often as the schedule has it."""
    DROPPED = "dropped"
    """Not wanted any more when it would have left."""


TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.QUEUED: frozenset({DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DROPPED}),
    DeliveryState.SENT: frozenset(),
    DeliveryState.FAILED: frozenset({DeliveryState.QUEUED}),  # tried again by hand
    DeliveryState.DROPPED: frozenset(),
}


class WrongMove(ValueError):
    """A delivery cannot take this step."""

    def __init__(self, *, state: DeliveryState, target: DeliveryState) -> None:
        self.state, self.target, self.possible = state, target, TRANSITIONS[state]
        possible = ", ".join(sorted(self.possible)) or "nothing more"
        super().__init__(f"a delivery that is {state} cannot become {target}; possible: {possible}")


def move(state: DeliveryState, target: DeliveryState) -> DeliveryState:
    """The target, if it can be reached; raises WrongMove."""
    if target not in TRANSITIONS[state]:
        raise WrongMove(state=state, target=target)
    return target


def next_try(*, attempts: int, now: datetime, schedule: Sequence[int]) -> datetime | None:
    """When to try again after so many failed attempts; None when the schedule is used up."""
    if attempts > len(schedule):
        return None
    return now + timedelta(seconds=schedule[attempts - 1])


def masked(address: str) -> str:
    """An address as the log may hold it: enough to recognise one's own, too little to write to it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def domain_of(address: str) -> str:
    """The domain of a mail address, for the ids of mails; `localhost` for one without."""
    found = re.search(r"@([A-Za-z0-9.-]+)", address)
    return found[1] if found else "localhost"
