"""Use cases of peers: to probe them, to hear their probes, and to say how each stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases import hints
from tibs_cases.node import CasesNode
from tibs_cases.peers import metrics, rules
from tibs_cases.peers.model import Peer
from tibs_cases.peers.rules import OwnLine, PeerState, Standing, Summary
from tibs_chassis import clock
from tibs_chassis import outbox as events
from tibs_chassis.outbox import Failure
from tibs_chassis.regions import Region
from tibs_chassis.tables import inbox, outbox, outbox_waiting
from tibs_contracts.events import HeardProbe, PeerProbed, PeerStanding
from tibs_contracts.topics import Channel, topic_name

CONSUMER = "probes"
KEPT = "1 hour"
"""How long the traces of a probe are kept in outbox and inbox; Kafka keeps the probe itself for a day."""

_AGGREGATE = PeerProbed.aggregate()


@dataclass(frozen=True)
class PeerView:
    """One other region, as people look at it. `waiting` has not left this node; `unconfirmed` is, with that, all
    that is newer than what the peer says it heard."""

    region: Region
    standing: Standing
    state: PeerState
    waiting: int
    unconfirmed: int


@dataclass(frozen=True)
class Network:
    """All other regions, and this node's own line."""

    peers: list[PeerView]
    summary: Summary
    failure: Failure | None
    """What keeps this node from sending, and when it tries again."""


def standing_of(node: CasesNode, region: Region) -> Standing:
    """How a region stands with this node, by the files that people write."""
    blocked = node.blocked(region.code)
    return Standing(
        membership=region.state,
        membership_reason=region.state_reason,
        blocked=blocked is not None,
        blocked_reason="" if blocked is None else blocked.reason,
    )


def told_standing(node: CasesNode, region: Region) -> tuple[PeerStanding, str]:
    """What this node tells a region about how it takes what comes from there."""
    blocked = node.blocked(region.code)
    if blocked is not None:
        return PeerStanding.BLOCKED, blocked.reason
    for one in (region, node.regions[node.region]):
        if one.state == "paused":
            return PeerStanding.PAUSED, one.state_reason
    return PeerStanding.OPEN, ""


async def probe_all(session: AsyncSession, *, node: CasesNode, interval: timedelta) -> int:
    """Probes every other region whose turn it is; returns how many. Several processes may do it at once.

    Retired regions are not probed: nobody listens there. Paused ones are, so that both see that the line is ready.
    """
    now = clock.now()
    others = {region.code: region for region in node.regions.others(node.region) if region.state != "retired"}
    if not others:
        return 0
    await session.execute(
        insert(Peer.__table__)  # type: ignore[attr-defined] # SQLModel makes it
        .values([Peer(region=code).model_dump() for code in others])
        .on_conflict_do_nothing()
    )
    # What another process holds, it probes; what it has just probed is not due any more.
    rows = await session.scalars(
        select(Peer)
        .where(col(Peer.region).in_(list(others)))
        .order_by(col(Peer.region))
        .with_for_update(skip_locked=True)
    )
    probed = 0
    for peer in rows.all():
        probed += await _probe(session, node=node, region=others[peer.region], peer=peer, interval=interval, now=now)
    return probed


async def _probe(
    session: AsyncSession, *, node: CasesNode, region: Region, peer: Peer, interval: timedelta, now: datetime
) -> bool:
    if not rules.is_due(peer.tried_at, interval=interval, now=now):
        return False
    peer.tried_at = now
    if await events.waiting_for(session, topics=[_probes_to(node, region.code)]):
        return False  # One that waits proves as much as many, and they would all leave at once.
    since = rules.listening_since(peer.listening_since, sent_at=peer.sent_at, interval=interval, now=now)
    # Nothing of a blocked region is listened to, so the day it is let in again it has been silent for no time.
    peer.listening_since = now if node.blocked(region.code) else since
    peer.sent_number = rules.next_number(peer.sent_number, now=now)
    peer.sent_at = now
    standing, reason = told_standing(node, region)
    heard = None
    if peer.received_at is not None and peer.their_sent_at is not None:
        heard = HeardProbe(number=peer.number, sent_at=peer.their_sent_at, received_at=peer.received_at)
    await node.emit(
        session,
        PeerProbed(
            number=peer.sent_number,
            sent_at=now,
            interval_seconds=interval.total_seconds(),
            heard=heard,
            standing=standing,
            reason=reason,
        ),
        subject=node.region,
        sequence=peer.sent_number,
        to=region.code,
    )
    return True


async def hear(session: AsyncSession, *, region: str, probe: PeerProbed) -> None:
    """A peer's newest word. Older ones do not come this far."""
    now = clock.now()
    peer = await _locked(session, region)
    if peer.their_standing is not PeerStanding.OPEN and probe.standing is PeerStanding.OPEN:
        peer.listening_since = now  # What it did not let in until now it could not have heard.
    peer.number = probe.number
    peer.received_at = now
    peer.their_sent_at = probe.sent_at
    peer.their_interval = probe.interval_seconds
    peer.their_standing = probe.standing
    peer.their_reason = probe.reason[:500]
    if probe.heard is not None and peer.heard_number < probe.heard.number <= peer.sent_number:
        peer.heard_number = probe.heard.number
        peer.heard_sent_at = probe.heard.sent_at
        peer.their_heard_at = probe.heard.received_at
        peer.heard_advanced_at = now


async def refuse(session: AsyncSession, *, node: CasesNode, region: str, reason: str) -> None:
    """A probe that is not believed shows that something speaks under the peer's name, and why it is not heard."""
    if region not in node.regions or node.blocked(region) is not None:
        return
    peer = await _locked(session, region)
    peer.refused_at, peer.refused_reason = clock.now(), reason[:500]


async def _locked(session: AsyncSession, region: str) -> Peer:
    await session.execute(
        insert(Peer.__table__)  # type: ignore[attr-defined] # SQLModel makes it
        .values(Peer(region=region).model_dump())
        .on_conflict_do_nothing()
    )
    peer = await session.get(Peer, region, with_for_update=True)
    assert peer is not None
    return peer


async def network(session: AsyncSession, *, node: CasesNode, interval: timedelta) -> Network:
    """How this node and every other region stand, as of now."""
    own, states = await _states(session, node=node, interval=interval)
    found = []
    for region in node.regions.others(node.region):
        standing, peer, state = states[region.code]
        topics = [topic_name(channel, node.region, to=region.code) for channel in (Channel.CASES, Channel.CONTACTS)]
        found.append(
            PeerView(
                region=region,
                standing=standing,
                state=state,
                waiting=await events.waiting_for(session, topics=topics),
                unconfirmed=await _unconfirmed(session, node=node, region=region.code, peer=peer, topics=topics),
            )
        )
    return Network(
        peers=found,
        summary=rules.summary({code: state for code, (_, _, state) in states.items()}, own=own),
        failure=await events.failure(session),
    )


async def summary(session: AsyncSession, *, node: CasesNode, interval: timedelta) -> Summary:
    """All of it in one look."""
    own, states = await _states(session, node=node, interval=interval)
    return rules.summary({code: state for code, (_, _, state) in states.items()}, own=own)


async def _states(
    session: AsyncSession, *, node: CasesNode, interval: timedelta
) -> tuple[OwnLine, dict[str, tuple[Standing, Peer, PeerState]]]:
    now = clock.now()
    peers = {peer.region: peer for peer in (await session.scalars(select(Peer))).all()}
    own = rules.own_line(
        probed_at=max((peer.tried_at for peer in peers.values() if peer.tried_at is not None), default=None),
        interval=interval,
        waiting=timedelta(seconds=await events.waiting_seconds(session)),
        now=now,
    )
    found = {}
    for region in node.regions.others(node.region):
        standing = standing_of(node, region)
        peer = peers.get(region.code) or Peer(region=region.code)
        state = rules.state_of(peer.held(interval=interval), standing, own=own, now=now)
        found[region.code] = (standing, peer, state)
    return own, found


async def _unconfirmed(
    session: AsyncSession, *, node: CasesNode, region: str, peer: Peer, topics: Sequence[str]
) -> int:
    # By the outbox's own order, not by times: application and database may go by different clocks.
    heard = (
        select(outbox.c.seq)
        .where(
            outbox.c.topic == _probes_to(node, region),
            outbox.c.aggregate == _AGGREGATE,
            outbox.c.subject == node.region,
            outbox.c.sequence == peer.heard_number,
        )
        .scalar_subquery()
    )
    query = (
        select(func.count())
        .select_from(outbox)
        .where(outbox.c.topic.in_(topics), outbox.c.seq > func.coalesce(heard, 0))
    )
    return await session.scalar(query) or 0


async def look(session: AsyncSession, *, node: CasesNode, interval: timedelta) -> bool:
    """Measures every line, and tells open pages if one has changed since they were last told."""
    _, states = await _states(session, node=node, interval=interval)
    changed = False
    for code, (_, peer, state) in states.items():
        metrics.show(code, state)
        shown = (peer.shown_inbound, peer.shown_outbound)
        if shown != (state.inbound.state, state.outbound.state):
            peer.shown_inbound, peer.shown_outbound = state.inbound.state, state.outbound.state
            session.add(peer)
            changed = True
    if changed:
        await hints.network_changed(session)
    return changed


async def forget(session: AsyncSession, *, node: CasesNode) -> None:
    """Removes the traces of probes that nobody will ask for again. The newest that a peer heard stays: what left
    after it is counted from there."""
    peers = {peer.region: peer for peer in (await session.scalars(select(Peer))).all()}
    old = outbox.c.created_at < func.now() - text(f"interval '{KEPT}'")
    for code, peer in peers.items():
        await session.execute(
            delete(outbox).where(
                and_(
                    outbox.c.topic == _probes_to(node, code),
                    outbox.c.aggregate == _AGGREGATE,
                    outbox.c.sequence != peer.heard_number,
                    old,
                    outbox.c.seq.not_in(select(outbox_waiting.c.seq)),
                )
            )
        )
    await session.execute(
        delete(inbox).where(inbox.c.consumer == CONSUMER, inbox.c.received_at < func.now() - text(f"interval '{KEPT}'"))
    )


def _probes_to(node: CasesNode, region: str) -> str:
    return topic_name(Channel.PROBES, node.region, to=region)
