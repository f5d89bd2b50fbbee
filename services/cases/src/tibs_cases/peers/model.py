"""What is held of each other region."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger
from sqlmodel import Field

from tibs_cases.peers.rules import Held, State
from tibs_cases.tables import Table, code, moment
from tibs_contracts.events import PeerStanding


class Peer(Table, table=True):
    """Another region: what this node last said to it, and what it last said. Its own clock's times are `their_*`."""

    __tablename__ = "peer"

    region: str = Field(primary_key=True)
    sent_number: int = Field(default=0, sa_type=BigInteger)
    tried_at: datetime | None = Field(default=None, sa_type=moment())
    """When this node last would have probed, though the probe before may still wait."""
    sent_at: datetime | None = Field(default=None, sa_type=moment())
    listening_since: datetime | None = Field(default=None, sa_type=moment())

    number: int = Field(default=0, sa_type=BigInteger)
    received_at: datetime | None = Field(default=None, sa_type=moment())
    their_sent_at: datetime | None = Field(default=None, sa_type=moment())
    their_interval: float | None = None
    their_standing: PeerStanding = Field(default=PeerStanding.OPEN, sa_type=code(PeerStanding))
    their_reason: str = ""

    heard_number: int = Field(default=0, sa_type=BigInteger)
    heard_sent_at: datetime | None = Field(default=None, sa_type=moment())
    their_heard_at: datetime | None = Field(default=None, sa_type=moment())
    heard_advanced_at: datetime | None = Field(default=None, sa_type=moment())

    refused_at: datetime | None = Field(default=None, sa_type=moment())
    refused_reason: str = ""

    shown_inbound: State | None = Field(default=None, sa_type=code(State))
    """What open pages were last told, so that they hear of a change and of nothing else."""
    shown_outbound: State | None = Field(default=None, sa_type=code(State))

    def held(self, *, interval: timedelta) -> Held:
        """As the rules look at it."""
        return Held(
            interval=interval,
            sent_at=self.sent_at,
            listening_since=self.listening_since,
            received_at=self.received_at,
            their_sent_at=self.their_sent_at,
            their_interval=None if self.their_interval is None else timedelta(seconds=self.their_interval),
            heard_sent_at=self.heard_sent_at,
            their_heard_at=self.their_heard_at,
            heard_advanced_at=self.heard_advanced_at,
            their_standing=self.their_standing,
            their_reason=self.their_reason,
            refused_at=self.refused_at,
            refused_reason=self.refused_reason,
        )
