"""What the notify service tells its own node."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tibs_contracts.events.base import Event
from tibs_contracts.topics import Channel


class NoticeRaised(Event):
    """A person has something new to see. The text stays with notify; who shows it asks for it."""

    type: ClassVar[str] = "eu.tibs.notice.raised.v1"
    channel: ClassVar[Channel] = Channel.LOCAL

    notice_id: UUID
    person: str
    kind: str
    raised_at: AwareDatetime
