"""Peers over HTTP."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Request

from tibs_cases.peers import service
from tibs_cases.peers.rules import Lamp, Line, OwnLine, Reason, State
from tibs_cases.settings import Settings
from tibs_cases.values import Here
from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, Session
from tibs_chassis.text import Output

router = APIRouter(prefix="/api/v1", tags=["peers"], route_class=EdgeRoute)


class LineOut(Output):
    """One direction. `last_heard` is the last sign of life, `lag` how many messages are not known to have arrived
    (outbound only), `words` what a person or the other node gave as the reason."""

    state: State
    reason: Reason
    last_heard: datetime | None
    age_seconds: float | None
    lag: int | None = None
    words: str


class PeerOut(Output):
    """Another region. `inbound` is what it writes and arrives here, `outbound` what this region writes and arrives
    there. `clock_off_seconds` is how far its clock is ahead, if it is certainly wrong."""

    region: str
    name: str
    state: State
    inbound: LineOut
    outbound: LineOut
    waiting: int
    """Messages to it that have not left this node."""
    clock_off_seconds: float | None


class FailureOut(Output):
    reason: str
    since: datetime
    next_attempt_at: datetime | None


class PeersOut(Output):
    """`own` says whether this node can speak at all; while it cannot, nothing is known of the others."""

    own: OwnLine
    lamp: Lamp
    failure: FailureOut | None
    peers: list[PeerOut]


def _line(line: Line, *, lag: int | None = None) -> LineOut:
    return LineOut(
        state=line.state,
        reason=line.reason,
        last_heard=line.last_at,
        age_seconds=_seconds(line.age),
        lag=lag,
        words=line.words,
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


@router.get("/peers")
async def list_peers(request: Request, session: Session, node: Here, caller: Caller) -> PeersOut:
    """How the line to each other region stands, in each direction, and why."""
    settings: Settings = request.app.state.settings
    found = await service.network(session, node=node, interval=settings.probe_interval)
    return PeersOut(
        own=found.summary.own,
        lamp=found.summary.lamp,
        failure=None if found.failure is None else FailureOut.model_validate(found.failure),
        peers=[
            PeerOut(
                region=peer.region.code,
                name=peer.region.name_in(caller.language),
                state=peer.state.state,
                inbound=_line(peer.state.inbound),
                outbound=_line(peer.state.outbound, lag=peer.unconfirmed),
                waiting=peer.waiting,
                clock_off_seconds=_seconds(peer.state.clock_off),
            )
            for peer in found.peers
        ],
    )
