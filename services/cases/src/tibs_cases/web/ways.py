"""How far a message to the other region has come, as steps with times."""

from dataclasses import dataclass
from datetime import datetime

from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.queries import Sent
from tibs_cases.introductions.rules import Delivery, IntroductionState
from tibs_cases.web.i18n import gettext
from tibs_contracts.events import Side


@dataclass(frozen=True)
class Step:
    """`state` is done, now, next or wrong."""

    code: str
    name: str
    state: str
    icon: str
    at: datetime | None = None
    note: str | None = None
    again: datetime | None = None
    """When what failed is tried again."""


@dataclass(frozen=True)
class Mark:
    """How far a message or a contact has come, in one badge; `at` is when, and of what `told` says it is the time."""

    code: str
    word: str
    icon: str
    meaning: str = ""
    at: datetime | None = None
    told: str = ""


def request_way(half: Introduction, sent: Sent, *, region: str) -> list[Step]:
    """The request's way: queued here, delivered there, read, answered."""
    delivered = Step(
        "delivered",
        gettext("Delivered to %(region)s") % {"region": region},
        "done" if half.received else "now" if sent.delivery is Delivery.SENT else "next",
        "mail-check" if half.received else "mail",
        half.received,
        None if half.received else gettext("on its way") if sent.delivery is Delivery.SENT else gettext("not yet"),
    )
    return [_queued(sent), delivered, _read(half), _answer(half, sent)]


def _queued(sent: Sent) -> Step:
    if sent.delivery is Delivery.FAILED:
        note = f"{gettext('Sending failed')}, {_again(sent)}"
        name = gettext("Waiting to send")
        return Step("queued", name, "wrong", "alert-triangle", note=note, again=sent.next_attempt_at)
    if sent.delivery is Delivery.QUEUED:
        note = gettext("leaves by itself as soon as the line is there")
        return Step("queued", gettext("Waiting to send"), "now", "clock-pause", note=note)
    return Step("queued", gettext("Sent"), "done", "send", sent.at)


def _again(sent: Sent) -> str:
    return gettext("is tried again by itself") if sent.next_attempt_at is None else gettext("next attempt")


def _read(half: Introduction) -> Step:
    """A node that does not tell of reading answers all the same, and nobody answers what was not read."""
    name = gettext("Read by the broker there") if half.side is Side.HOME else gettext("Read")
    if half.read or half.facts.answered:
        return Step("read", name, "done", "eye", half.read)
    return Step("read", name, "next", "eye", note=gettext("not yet"))


def _answer(half: Introduction, sent: Sent) -> Step:
    if half.declined:
        return Step("answered", gettext("Declined"), "wrong", "ban", half.declined)
    if half.withdrawn:
        return Step("answered", gettext("Withdrawn"), "done", "arrow-back-up", half.withdrawn)
    if half.accepted:
        return Step("answered", gettext("Accepted"), "done", "circle-check", half.accepted)
    if sent.delivery is Delivery.OVERDUE:
        return Step(
            "answered", gettext("Answer overdue"), "wrong", "alert-triangle", note=gettext("remind the other broker")
        )
    if half.acknowledged:
        return Step("answered", gettext("Taken up"), "now", "user-check", half.acknowledged)
    return Step("answered", gettext("Answered"), "now" if half.received else "next", "message", note=gettext("not yet"))


def simple(sent: Sent) -> Mark:
    """A message's or a contact's way in one badge."""
    match sent.delivery:
        case Delivery.QUEUED:
            return Mark(sent.delivery, gettext("Waiting to send"), "clock-pause", "amber")
        case Delivery.FAILED:
            return Mark(
                sent.delivery,
                gettext("Sending failed"),
                "alert-triangle",
                "amber",
                at=sent.next_attempt_at,
                told=_again(sent),
            )
        case Delivery.SENT:
            return Mark(sent.delivery, gettext("Sent"), "send")
        case Delivery.DELIVERED:
            return Mark(sent.delivery, gettext("Delivered"), "mail-check", "green")
        case Delivery.READ:
            return Mark(sent.delivery, gettext("Read by the broker there"), "eye", "green", at=sent.read_at)
        case Delivery.ANSWERED:
            return Mark(sent.delivery, gettext("Answered"), "checks", "green")
        case Delivery.OVERDUE:
            return Mark(sent.delivery, gettext("Answer overdue"), "alert-triangle", "red")


STATES = {
    IntroductionState.REQUESTED: ("Requested", "send", ""),
    IntroductionState.DELIVERED: ("Delivered", "mail-check", "sea"),
    IntroductionState.ACKNOWLEDGED: ("Taken up", "user-check", "sea"),
    IntroductionState.CONSENTED: ("Our side said yes", "circle-check", "sea"),
    IntroductionState.ACCEPTED: ("Accepted", "circle-check", "green"),
    IntroductionState.AGREED: ("Both said yes", "checks", "green"),
    IntroductionState.INTRODUCED: ("Introduced", "arrows-exchange", "green"),
    IntroductionState.DECLINED: ("Declined", "ban", "red"),
    IntroductionState.WITHDRAWN: ("Withdrawn", "arrow-back-up", ""),
}
