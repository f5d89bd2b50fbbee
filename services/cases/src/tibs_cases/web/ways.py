"""How far a message to the other region has come, as steps with times."""

from dataclasses import dataclass
from datetime import datetime

from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.queries import Sent
from tibs_cases.introductions.rules import Delivery, IntroductionState
from tibs_cases.web.i18n import gettext


@dataclass(frozen=True)
class Step:
    """`state` is done, now, next or wrong."""

    code: str
    name: str
    state: str
    icon: str
    at: datetime | None = None
    note: str | None = None


def request_way(half: Introduction, sent: Sent, *, region: str) -> list[Step]:
    """The request's way: queued here, delivered there, answered."""
    waiting = sent.delivery is Delivery.QUEUED
    queued = Step(
        "queued",
        gettext("Waiting to send") if waiting else gettext("Sent"),
        "now" if waiting else "done",
        "clock-pause" if waiting else "send",
        None if waiting else sent.at,
        gettext("leaves by itself as soon as the line is there") if waiting else None,
    )
    delivered = Step(
        "delivered",
        gettext("Delivered to %(region)s") % {"region": region},
        "done" if half.received else "now" if sent.delivery is Delivery.SENT else "next",
        "mail-check" if half.received else "mail",
        half.received,
        None if half.received else gettext("on its way") if sent.delivery is Delivery.SENT else gettext("not yet"),
    )
    return [queued, delivered, _answer(half, sent)]


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


def simple(sent: Sent) -> tuple[str, str, str]:
    """A message's or a contact's way in one badge: word, icon, meaning."""
    return {
        Delivery.QUEUED: (gettext("Waiting to send"), "clock-pause", "amber"),
        Delivery.SENT: (gettext("Sent"), "send", ""),
        Delivery.DELIVERED: (gettext("Delivered"), "mail-check", "green"),
        Delivery.ANSWERED: (gettext("Answered"), "checks", "green"),
        Delivery.OVERDUE: (gettext("Answer overdue"), "alert-triangle", "red"),
    }[sent.delivery]


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
