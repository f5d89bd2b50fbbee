"""How the line to another region stands, from what was heard. Pure: no database, no clock.

All ages are counted by the own clock alone: a probe's arrival is timed here, and the echo in it carries back the time
at which the own probe left. So a peer whose clock is wrong is still known to be there, and how wrong it is, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tibs_contracts.events import PeerStanding

SLOW = 3
DOWN = 8
"""Intervals without a sign of life after which a line is slow, or down."""

CLOCK_OFF = timedelta(seconds=30)
OWN_SILENCE = timedelta(seconds=20)
"""How long an event may wait for the own Kafka before nothing can be said of others."""


class Direction(StrEnum):
    INBOUND = "inbound"
    """What the peer writes arrives here."""
    OUTBOUND = "outbound"
    """What this region writes arrives there."""


class State(StrEnum):
    UP = "up"
    RETIRED = "retired"
    PAUSED = "paused"
    UNKNOWN = "unknown"
    SLOW = "slow"
    BLOCKED = "blocked"
    """This region lets nothing in."""
    REFUSING = "refusing"
    """The peer lets nothing in, or what it sends is not believed."""
    DOWN = "down"


class Reason(StrEnum):
    """Why a direction is not simply up; the pages have a sentence for each."""

    WORKS = "works"
    LATE = "late"
    """Probes come later than they should."""
    SILENT = "silent"
    """Nothing has come for too long."""
    NEVER_HEARD = "never_heard"
    LISTENING = "listening"
    """This node has only just begun to listen, or to speak."""
    NOT_BELIEVED = "not_believed"
    """Something comes, but its signature does not fit."""
    WE_BLOCK = "we_block"
    THEY_BLOCK = "they_block"
    THEY_PAUSED = "they_paused"
    PAUSED = "paused"
    RETIRED = "retired"
    LEFT_UNHEARD = "left_unheard"
    """The peer is there, but says that nothing arrives."""
    NO_WORD = "no_word"
    """Whether it arrives only the peer could say, and that is not heard."""
    OFFLINE = "offline"
    """The own Kafka is away: nothing is known of anybody."""
    IDLE = "idle"
    """Nobody in this node probes."""


class OwnLine(StrEnum):
    """Whether this node itself can speak and listen."""

    UP = "up"
    OFFLINE = "offline"
    IDLE = "idle"


_SEVERITY: Mapping[State, int] = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True)
class Held:
    """What is known of one peer. Times are by the own clock unless they say `their`."""

    interval: timedelta
    """How often this node probes."""
    sent_at: datetime | None = None
    """When this node last probed the peer."""
    listening_since: datetime | None = None
    """Since when this node speaks and listens without a gap."""
    received_at: datetime | None = None
    """When the newest believed probe arrived."""
    their_sent_at: datetime | None = None
    """When it was sent, by the peer's clock."""
    their_interval: timedelta | None = None
    heard_sent_at: datetime | None = None
    """When the newest own probe that the peer heard had left here."""
    their_heard_at: datetime | None = None
    """When it had arrived there, by the peer's clock."""
    heard_advanced_at: datetime | None = None
    """When the peer last told of a newer one."""
    their_standing: PeerStanding = PeerStanding.OPEN
    their_reason: str = ""
    refused_at: datetime | None = None
    """When something of the peer was last refused here."""
    refused_reason: str = ""


@dataclass(frozen=True)
class Standing:
    """How the peer stands with this node, by files that people write."""

    membership: str = "active"
    """`active`, `paused` or `retired` in the list of regions."""
    membership_reason: str = ""
    blocked: bool = False
    blocked_reason: str = ""


@dataclass(frozen=True)
class Line:
    """One direction. `age` is how long ago the last sign of life was, None if there never was one."""

    direction: Direction
    state: State
    reason: Reason
    last_at: datetime | None = None
    age: timedelta | None = None
    words: str = ""
    """What a person, or the other node, gave as the reason."""


@dataclass(frozen=True)
class PeerState:
    """Both directions, and how far the peer's clock is off: positive if it is ahead."""

    inbound: Line
    outbound: Line
    clock_off: timedelta | None = None

    @property
    def state(self) -> State:
        """The worse of the two."""
        return worst((self.inbound.state, self.outbound.state))

    @property
    def both_lost(self) -> bool:
        """Nothing comes, and whether anything arrives is not known: the peer itself may be away."""
        return self.inbound.state is State.DOWN and self.outbound.reason is Reason.NO_WORD


def worst(states: Iterable[State]) -> State:
    """The one that asks most for somebody; UP if there are none."""
    return max(states, key=_SEVERITY.__getitem__, default=State.UP)


def next_number(last: int, *, now: datetime) -> int:
    """The number of the next probe. Never below the seconds of the clock: a node whose database was restored from a
    backup must not begin again with numbers that others have heard already."""
    return max(last + 1, int(now.timestamp()))


def is_due(sent_at: datetime | None, *, interval: timedelta, now: datetime) -> bool:
    """A probe that was sent in the future was sent by a clock that has been put right since."""
    return sent_at is None or sent_at > now or now - sent_at >= interval


def listening_since(held: datetime | None, *, sent_at: datetime | None, interval: timedelta, now: datetime) -> datetime:
    """Since when this node listens, told when it probes: anew after a gap that it caused itself."""
    gap = sent_at is None or sent_at > now or now - sent_at > interval * DOWN
    return now if held is None or gap else held


def own_line(*, probed_at: datetime | None, interval: timedelta, waiting: timedelta, now: datetime) -> OwnLine:
    """`probed_at` is when this node last set out to probe, `waiting` how long its oldest event waits for Kafka."""
    if waiting > OWN_SILENCE:
        return OwnLine.OFFLINE
    if probed_at is None or now - probed_at > interval * DOWN:
        return OwnLine.IDLE
    return OwnLine.UP


@dataclass(frozen=True)
class Exchange:
    """An own probe and the peer's next word after it: what can be learnt from the four times."""

    offset: timedelta
    """How far the peer's clock is ahead, as if both ways took equally long."""
    both_ways: timedelta
    """How long the two ways took together."""


def exchange(held: Held) -> Exchange | None:
    """The way that time servers reckon: the peer's own waiting between the two falls out."""
    left, there, back, came = held.heard_sent_at, held.their_heard_at, held.their_sent_at, held.received_at
    if left is None or there is None or back is None or came is None:
        return None
    offset = ((there - left) + (back - came)) / 2
    return Exchange(offset=offset, both_ways=max(timedelta(), (came - left) - (back - there)))


def clock_off(held: Held) -> timedelta | None:
    """How far the peer's clock is certainly off; None while that is not certain, or not worth telling."""
    found = exchange(held)
    if found is not None:
        certain = abs(found.offset) > CLOCK_OFF + found.both_ways / 2
        return found.offset if certain else None
    if held.their_sent_at is not None and held.received_at is not None:
        # Nothing arrives before it was sent. The other way round it may just have been long under way.
        ahead = held.their_sent_at - held.received_at
        return ahead if ahead > CLOCK_OFF else None
    return None


def state_of(held: Held, standing: Standing, *, own: OwnLine, now: datetime) -> PeerState:
    """Both directions of one peer, as they stand now."""
    inbound = _inbound(held, standing, own=own, now=now)
    return PeerState(
        inbound=inbound,
        outbound=_outbound(held, standing, own=own, inbound=inbound, now=now),
        clock_off=clock_off(held),
    )


def _inbound(held: Held, standing: Standing, *, own: OwnLine, now: datetime) -> Line:
    age = _age(held.received_at, now=now)

    def line(state: State, reason: Reason, words: str = "") -> Line:
        return Line(Direction.INBOUND, state, reason, last_at=held.received_at, age=age, words=words)

    if (decided := _decided(standing, own=own)) is not None:
        return line(*decided)
    expected = held.their_interval or held.interval
    unbelieved = held.refused_at is not None and now - held.refused_at <= expected * DOWN
    if unbelieved and (age is None or age > expected * SLOW):
        return line(State.REFUSING, Reason.NOT_BELIEVED, held.refused_reason)
    silence = now - max(filter(None, (held.received_at, held.listening_since)), default=now)
    if held.received_at is None:
        return line(State.UNKNOWN, Reason.NEVER_HEARD)
    if silence > expected * DOWN:
        return line(State.DOWN, Reason.SILENT)
    if held.listening_since is not None and held.received_at < held.listening_since:
        return line(State.UNKNOWN, Reason.LISTENING)
    found = exchange(held)
    if silence > expected * SLOW or (found is not None and found.both_ways / 2 > expected * SLOW):
        return line(State.SLOW, Reason.LATE)
    return line(State.UP, Reason.WORKS)


def _outbound(held: Held, standing: Standing, *, own: OwnLine, inbound: Line, now: datetime) -> Line:
    age = _age(held.heard_sent_at, now=now)

    def line(state: State, reason: Reason, words: str = "") -> Line:
        return Line(Direction.OUTBOUND, state, reason, last_at=held.heard_sent_at, age=age, words=words)

    if standing.blocked and standing.membership != "retired":
        # What the peer says of our probes is not let in either.
        return line(State.BLOCKED, Reason.NO_WORD)
    if (decided := _decided(standing, own=own)) is not None:
        return line(*decided)
    if held.their_standing is PeerStanding.BLOCKED:
        return line(State.REFUSING, Reason.THEY_BLOCK, held.their_reason)
    if held.their_standing is PeerStanding.PAUSED:
        return line(State.PAUSED, Reason.THEY_PAUSED, held.their_reason)
    if inbound.state not in (State.UP, State.SLOW):
        never = held.received_at is None
        return line(State.UNKNOWN, Reason.NEVER_HEARD if never else Reason.NO_WORD)
    expected = max(held.interval, held.their_interval or held.interval)
    silence = now - max(filter(None, (held.heard_advanced_at, held.listening_since)), default=now)
    if silence > expected * DOWN:
        return line(State.DOWN, Reason.LEFT_UNHEARD)
    if held.heard_advanced_at is None:
        return line(State.UNKNOWN, Reason.LISTENING)
    if silence > expected * SLOW or (age is not None and age > expected * DOWN):
        return line(State.SLOW, Reason.LATE)
    return line(State.UP, Reason.WORKS)


def _decided(standing: Standing, *, own: OwnLine) -> tuple[State, Reason, str] | None:
    """What people, or the own node's plight, decide before anything that was heard."""
    if standing.membership == "retired":
        return State.RETIRED, Reason.RETIRED, standing.membership_reason
    if standing.blocked:
        return State.BLOCKED, Reason.WE_BLOCK, standing.blocked_reason
    if own is OwnLine.OFFLINE:
        return State.UNKNOWN, Reason.OFFLINE, ""
    if own is OwnLine.IDLE:
        return State.UNKNOWN, Reason.IDLE, ""
    if standing.membership == "paused":
        return State.PAUSED, Reason.PAUSED, standing.membership_reason
    return None


def _age(last_at: datetime | None, *, now: datetime) -> timedelta | None:
    # A clock that was put back makes the past look like the future.
    return None if last_at is None else max(timedelta(), now - last_at)


class Lamp(StrEnum):
    """The one light for all lines."""

    GREEN = "green"
    GREY = "grey"
    """Nobody was ever heard: a network of one, or one that has just begun."""
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Summary:
    """All peers in one look."""

    own: OwnLine
    lamp: Lamp
    up: int
    concerned: tuple[str, ...] = field(default=())
    """Regions whose line is not as it should be, the worst first."""


_COLOUR: Mapping[State, Lamp] = {
    State.SLOW: Lamp.AMBER,
    State.BLOCKED: Lamp.AMBER,
    State.REFUSING: Lamp.RED,
    State.DOWN: Lamp.RED,
}


def summary(peers: Mapping[str, PeerState], *, own: OwnLine) -> Summary:
    """Peers that were never heard, are paused or retired ask for nobody."""
    concerned = [code for code, peer in sorted(peers.items()) if peer.state in _COLOUR]
    concerned.sort(key=lambda code: _SEVERITY[peers[code].state], reverse=True)
    up = sum(peer.state is State.UP for peer in peers.values())
    if own is not OwnLine.UP:
        return Summary(own=own, lamp=Lamp.RED, up=0)
    if concerned:
        return Summary(own=own, lamp=_COLOUR[peers[concerned[0]].state], up=up, concerned=tuple(concerned))
    return Summary(own=own, lamp=Lamp.GREEN if up else Lamp.GREY, up=up)
