"""What a person wants to hear of, over HTTP."""

from datetime import time
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from tibs_chassis import audit
from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, IfMatch, Session, etag
from tibs_chassis.problems import FieldError, Invalid, Problem
from tibs_chassis.text import Input, Output
from tibs_notify.notices.rules import NoticeType
from tibs_notify.notices.texts import type_in
from tibs_notify.preferences import service
from tibs_notify.preferences.links import BadLink, UnsubscribeLinks, Unsubscription
from tibs_notify.preferences.model import Preference
from tibs_notify.preferences.rules import Channel
from tibs_notify.wiring import Links

router = APIRouter(prefix="/api/v1", tags=["preferences"], route_class=EdgeRoute)


class QuietHoursBody(Input):
    """From when to when no mail leaves, by the region's clocks; past midnight if `start` is later than `end`."""

    start: time
    end: time


class ChoiceBody(Input):
    """One type of notices: by which ways it comes."""

    type: NoticeType
    in_app: bool = True
    mail: bool = True


class PreferencesBody(Input):
    """The whole choice. A type that is left out comes by every way; `urgent` always does."""

    choices: list[ChoiceBody] = Field(default=[], max_length=20)
    quiet_hours: QuietHoursBody | None = None


class ChoiceOut(Output):
    """A type of notices, named in the caller's language. `critical` ones cannot be switched off."""

    type: NoticeType
    title: str
    critical: bool
    in_app: bool
    mail: bool


class PreferencesOut(Output):
    """What the caller chose."""

    version: int
    choices: list[ChoiceOut]
    quiet_hours: QuietHoursBody | None


class UnsubscribeBody(Input):
    """The token of a mail's link."""

    token: str = Field(min_length=1, max_length=2000)


class UnsubscriptionOut(Output):
    """What the link switches off, in words."""

    type: NoticeType
    title: str


def _told(preference: Preference, *, language: str, response: Response) -> PreferencesOut:
    response.headers.update(etag(preference.version))
    wishes = service.wishes(preference)
    return PreferencesOut(
        version=preference.version,
        choices=[
            ChoiceOut(
                type=notice_type,
                title=type_in(notice_type, language=language),
                critical=notice_type is NoticeType.URGENT,
                in_app=(notice_type, Channel.IN_APP) not in wishes.muted,
                mail=(notice_type, Channel.MAIL) not in wishes.muted,
            )
            for notice_type in NoticeType
        ],
        quiet_hours=QuietHoursBody(start=wishes.quiet.start, end=wishes.quiet.end) if wishes.quiet else None,
    )


@router.get("/preferences")
async def get_preferences(session: Session, caller: Caller, response: Response) -> PreferencesOut:
    """The caller's choice; with its ETag for changing it."""
    preference = await service.get(session, person=caller.person)
    return _told(preference, language=caller.language, response=response)


@router.put("/preferences")
async def change_preferences(
    body: PreferencesBody, version: IfMatch, session: Session, caller: Caller, response: Response
) -> PreferencesOut:
    """Replaces the caller's choice."""
    preference = await service.choose(
        session, person=caller.person, expected=version, muted=_muted(body), quiet=_quiet(body.quiet_hours)
    )
    return _told(preference, language=caller.language, response=response)


def _muted(body: PreferencesBody) -> frozenset[tuple[NoticeType, Channel]]:
    errors = []
    muted = set()
    for number, choice in enumerate(body.choices):
        off = {way for way, on in ((Channel.IN_APP, choice.in_app), (Channel.MAIL, choice.mail)) if not on}
        if off and choice.type is NoticeType.URGENT:
            errors += [
                FieldError(
                    pointer=f"/choices/{number}/{way.value}",
                    reason="cannot be switched off: somebody waits for you",
                    held="false",
                )
                for way in sorted(off)
            ]
        muted |= {(choice.type, way) for way in off}
    if errors:
        raise Invalid("What is urgent always comes.", errors=errors)
    return frozenset(muted)


def _quiet(hours: QuietHoursBody | None) -> tuple[time, time] | None:
    if hours is None:
        return None
    wrong = None
    if hours.start == hours.end:
        wrong = FieldError(pointer="/quiet_hours/end", reason="should differ from the start", held=str(hours.end))
    elif hours.start.tzinfo is not None or hours.end.tzinfo is not None:
        held = str(hours.start if hours.start.tzinfo else hours.end)
        wrong = FieldError(
            pointer="/quiet_hours", reason="should be clock times such as 20:00, without a zone", held=held
        )
    if wrong is not None:
        raise Invalid("The quiet hours cannot be kept.", errors=[wrong])
    return hours.start, hours.end


@router.get("/unsubscriptions")
async def read_unsubscription(
    caller: Caller, links: Links, token: Annotated[str, Query(min_length=1, max_length=2000)]
) -> UnsubscriptionOut:
    """What a mail's link would switch off: for the page that asks for confirmation. Changes nothing."""
    found = _read(links, token)
    return UnsubscriptionOut(type=found.notice_type, title=type_in(found.notice_type, language=caller.language))


@router.post("/unsubscriptions")
async def unsubscribe(body: UnsubscribeBody, session: Session, caller: Caller, links: Links) -> UnsubscriptionOut:
    """Switches off what a mail's link names, for the person to whom the mail went. Doing it twice is no error."""
    found = _read(links, body.token)
    await service.mute(session, person=found.person, notice_type=found.notice_type, channel=Channel.MAIL)
    await audit.record(
        session,
        principal=None,
        action="mail.unsubscribed",
        subject=f"person:{found.person}",
        detail={"type": found.notice_type.value},
    )
    return UnsubscriptionOut(type=found.notice_type, title=type_in(found.notice_type, language=caller.language))


def _read(links: UnsubscribeLinks, token: str) -> Unsubscription:
    try:
        return links.read(token)
    except BadLink as error:
        raise Problem(
            status=410,
            slug="link-not-valid",
            title="This link does not work any more",
            detail="The link was changed on its way, or is older than a year. Sign in to change what you receive.",
        ) from error
