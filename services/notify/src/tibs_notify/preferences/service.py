"""Use cases of preferences."""

from datetime import time

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.edge import require_version
from tibs_notify.notices.rules import NoticeType
from tibs_notify.preferences.model import Preference
from tibs_notify.preferences.rules import Channel, QuietHours, Wishes

UNTOUCHED = 1
"""The version of a choice that nobody made."""


async def get(session: AsyncSession, *, person: str) -> Preference:
    """What a person chose, or the choice that nobody made."""
    found = await session.get(Preference, person)
    return found or Preference(person=person, version=UNTOUCHED, muted=[])


async def wishes_of(session: AsyncSession, *, person: str) -> Wishes:
    return wishes(await get(session, person=person))


def wishes(preference: Preference) -> Wishes:
    """A row as the rules want it. Types and channels that are no more are passed over."""
    types, channels = set(NoticeType), set(Channel)
    muted = frozenset(
        (NoticeType(notice_type), Channel(channel))
        for notice_type, channel in preference.muted
        if notice_type in types and channel in channels
    )
    quiet = None
    if preference.quiet_from is not None and preference.quiet_to is not None:
        quiet = QuietHours(start=preference.quiet_from, end=preference.quiet_to)
    return Wishes(muted=muted, quiet=quiet)


async def choose(
    session: AsyncSession,
    *,
    person: str,
    expected: int,
    muted: frozenset[tuple[NoticeType, Channel]],
    quiet: tuple[time, time] | None,
) -> Preference:
    """Replaces a person's choice."""
    preference = await _locked(session, person)
    require_version(expected=expected, held=preference.version)
    preference.version += 1
    preference.muted = sorted([notice_type.value, channel.value] for notice_type, channel in muted)
    preference.quiet_from, preference.quiet_to = quiet or (None, None)
    return preference


async def mute(session: AsyncSession, *, person: str, notice_type: NoticeType, channel: Channel) -> None:
    """Switches one thing off; nothing happens if it is off already."""
    preference = await _locked(session, person)
    pair = [notice_type.value, channel.value]
    if pair not in preference.muted:
        preference.muted = sorted([*preference.muted, pair])
        preference.version += 1


async def _locked(session: AsyncSession, person: str) -> Preference:
    await session.execute(
        insert(Preference).values(person=person, version=UNTOUCHED, muted=[]).on_conflict_do_nothing()
    )
    return await session.get_one(Preference, person, with_for_update=True)
