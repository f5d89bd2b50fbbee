"""What notices say. Regions and days stand where their name needs no ending, in whichever language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tibs_chassis.regions import Regions
from tibs_notify.notices.rules import NoticeKind, NoticeType
from tibs_notify.words import marked as _
from tibs_notify.words import say, say_date


@dataclass(frozen=True)
class Words:
    """A notice in somebody's language: one line, and a sentence or two."""

    title: str
    text: str


TEXTS: Mapping[NoticeKind, tuple[str, str]] = {
    NoticeKind.PROFILE_TO_REVIEW: (
        _("A profile waits for review"),
        _("“{title}” was submitted. Somebody other than its author has to review it."),
    ),
    NoticeKind.PROFILE_RETURNED: (
        _("A profile came back from review"),
        _("“{title}” was returned with comments. Correct it and submit it again."),
    ),
    NoticeKind.PROFILE_PUBLISHED: (
        _("Your profile is published"),
        _("“{title}” can now be found in all regions."),
    ),
    NoticeKind.PROFILE_EXPIRED: (
        _("Your profile has expired"),
        _("“{title}” can no longer be found. Renew it if the client still wants it."),
    ),
    NoticeKind.PROFILE_WITHDRAWN: (
        _("Your profile was withdrawn"),
        _("“{title}” can no longer be found."),
    ),
    NoticeKind.INTRODUCTION_RECEIVED: (
        _("{region} asks for an introduction"),
        _("“{title}”: please say that you take care of it, then ask your client."),
    ),
    NoticeKind.INTRODUCTION_DELIVERED: (
        _("{region} has the request"),
        _("“{title}” has reached the desk there."),
    ),
    NoticeKind.INTRODUCTION_ACKNOWLEDGED: (
        _("{region} takes care of the request"),
        _("“{title}”: a broker there has seen it and asks the client."),
    ),
    NoticeKind.INTRODUCTION_ACCEPTED: (
        _("{region}: the client agrees"),
        _("“{title}”: the client there agrees to the introduction."),
    ),
    NoticeKind.INTRODUCTION_CONSENTED: (
        _("{region}: the client agrees"),
        _("“{title}”: the client there agrees to the introduction."),
    ),
    NoticeKind.INTRODUCTION_DECLINED: (
        _("{region} declines the introduction"),
        _("“{title}”: open the introduction to read the reason."),
    ),
    NoticeKind.INTRODUCTION_WITHDRAWN: (
        _("{region} has withdrawn the request"),
        _("“{title}”: there is nothing more to do."),
    ),
    NoticeKind.INTRODUCTION_MESSAGE: (
        _("{region} has written to you"),
        _("“{title}”: open the introduction to read the message and to answer."),
    ),
    NoticeKind.INTRODUCTION_COMPLETED: (
        _("The clients are introduced"),
        _("“{title}”: both clients agreed, and each side now sees the other's contact."),
    ),
    NoticeKind.PROMISE_DUE: (_("A promise is due soon"), _("{promise}: “{title}”.")),
    NoticeKind.PROMISE_OVERDUE: (_("A promise is overdue"), _("{promise}: “{title}”.")),
}

DUE = _("Due: {due}.")

PROMISES: Mapping[str, str] = {
    "broker_assigned": _("Assign a broker"),
    "first_contact": _("First contact with the client"),
    "diagnosis": _("Diagnosis"),
    "introduction_acknowledged": _("Take care of the introduction"),
    "client_decision": _("Bring the client's decision"),
}
OTHER_PROMISE = _("A promise")

TYPES: Mapping[NoticeType, str] = {
    NoticeType.URGENT: _("Requests to me and due dates"),
    NoticeType.REVIEW: _("Profiles to review"),
    NoticeType.PROFILE: _("My profiles"),
    NoticeType.INTRODUCTION: _("Progress of introductions"),
    NoticeType.MESSAGE: _("Messages from other regions"),
}


def words_of(kind: NoticeKind, parameters: Mapping[str, str], *, language: str, regions: Regions) -> Words:
    """A notice's words. A region that has left the network is named by its code."""
    filled = {"title": parameters.get("title", ""), "region": "", "promise": ""}
    if code := parameters.get("region"):
        filled["region"] = regions[code].name_in(language) if code in regions else code
    if promise := parameters.get("promise"):
        filled["promise"] = say(PROMISES.get(promise, OTHER_PROMISE), language=language)
    title, text = (say(source, language=language, **filled) for source in TEXTS[kind])
    if due := parameters.get("due"):
        text += " " + say(DUE, language=language, due=say_date(date.fromisoformat(due), language=language))
    return Words(title=title, text=text)


def type_in(notice_type: NoticeType, *, language: str) -> str:
    """What a type of notices is called."""
    return say(TYPES[notice_type], language=language)
