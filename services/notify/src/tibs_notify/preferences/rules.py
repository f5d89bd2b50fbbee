"""By which way somebody hears of something. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from tibs_notify.notices.rules import NoticeKind, NoticeType, is_critical


class Channel(StrEnum):
    """A way to a person."""

    IN_APP = "in_app"
    MAIL = "mail"


@dataclass(frozen=True)
class QuietHours:
    """No mail leaves from `start` to `end`, by the clocks of the region; past midnight if `start` is the later one."""

    start: time
    end: time

    def over_at(self, moment: datetime, *, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours in which `moment` lies are over; None if it lies in none."""
        local = moment.astimezone(zone)
        clock = local.time().replace(tzinfo=None)
        over_midnight = self.start > self.end
        inside = clock >= self.start or clock < self.end if over_midnight else self.start <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if over_midnight and clock >= self.start else 0)
        return datetime.combine(day, self.end, tzinfo=zone).astimezone(moment.tzinfo)


NEVER_BY: Mapping[NoticeKind, frozenset[Channel]] = {
    # Steps that only say that things take their way: seen in the application, no reason for a mail.
    NoticeKind.INTRODUCTION_DELIVERED: frozenset({Channel.MAIL}),
}
"""What is not sent by these ways, whatever a person chose."""


@dataclass(frozen=True)
class Wishes:
    """What a person chose. Without a choice everything comes, by every way."""

    muted: frozenset[tuple[NoticeType, Channel]] = field(default_factory=frozenset)
    quiet: QuietHours | None = None

    def ways(self, kind: NoticeKind, *, of: NoticeType) -> frozenset[Channel]:
        """By which ways a notice of this kind goes. What is critical goes by all: somebody waits for the person."""
        if is_critical(kind):
            return frozenset(Channel)
        left_out = NEVER_BY.get(kind, frozenset())
        return frozenset(way for way in Channel if way not in left_out and (of, way) not in self.muted)

    def not_before(self, kind: NoticeKind, *, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Until when a mail of this kind has to wait; None if it may leave now."""
        if is_critical(kind) or self.quiet is None:
            return None
        return self.quiet.over_at(now, zone=zone)
