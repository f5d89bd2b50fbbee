"""What one node tells another about the line between them."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from tibs_contracts.codes import OpenCode
from tibs_contracts.events.base import Event, Part
from tibs_contracts.topics import Channel


class PeerStanding(OpenCode):
    """How a region takes what the addressed one sends."""

    OPEN = "open"
    BLOCKED = "blocked"
    """It lets nothing in that comes from there."""
    PAUSED = "paused"
    """One of the two takes no part for a while."""
    UNKNOWN = "unknown"


class HeardProbe(Part):
    """The newest probe that the sender has heard from the addressed region: so that one learns what arrives there."""

    number: Annotated[int, Field(ge=1, lt=10**15)]
    sent_at: AwareDatetime
    """As that probe told it, by the clock of the region that reads this now."""
    received_at: AwareDatetime
    """By the clock of the region that writes this."""


class PeerProbed(Event):
    """A region says to another that it is there, what it heard last, and whether it lets the other in."""

    type: ClassVar[str] = "eu.tibs.peer.probed.v1"
    channel: ClassVar[Channel] = Channel.PROBES

    number: Annotated[int, Field(ge=1, lt=10**15)]
    """Higher than that of any probe before; numbers may be left out."""
    sent_at: AwareDatetime
    """By the sender's clock, which may be wrong."""
    interval_seconds: Annotated[float, Field(gt=0, le=86_400)]
    """How often the sender probes: how soon the next one is to be expected."""
    heard: HeardProbe | None = None
    """None as long as nothing was heard."""
    standing: PeerStanding
    reason: str = ""
    """Why the standing is not open, in the operator's words."""
