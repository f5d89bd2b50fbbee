"""What waits for a person today. Only reads."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.desk import service as desk
from tibs_cases.introductions.model import Direction, Introduction, Message
from tibs_cases.introductions.rules import LIVE_STATES, IntroductionState
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known import service as profiles
from tibs_cases.profiles_known.model import OwnProfile
from tibs_cases.promises import rules as clocks
from tibs_cases.promises.model import Promise
from tibs_cases.promises.rules import When
from tibs_chassis import clock, deadletters
from tibs_chassis.auth import Principal, Role
from tibs_chassis.deadletters import Quarantine
from tibs_chassis.outbox import Failure
from tibs_chassis.outbox import failure as outbox_failure
from tibs_chassis.tables import outbox, outbox_waiting
from tibs_contracts.events import PeerProbed, PromiseState, Side

RECENT = timedelta(days=7)
"""How long an end that asks for nothing more is still news."""

SLOW = timedelta(seconds=5)
"""An event that left this long ago and is not confirmed waits for something; a younger one is merely on its way."""


class AnswerKind(StrEnum):
    """What the other region answered, as far as somebody here has to know or do something."""

    ACCEPTED = "accepted"
    CONSENTED = "consented"
    MESSAGE = "message"
    DECLINED = "declined"
    INTRODUCED = "introduced"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Answer:
    """An answer from another region."""

    kind: AnswerKind
    half: Introduction
    at: datetime


@dataclass(frozen=True)
class Waiting:
    """Something for another region that has not left this node."""

    half: Introduction
    events: int
    since: datetime


@dataclass(frozen=True)
class Today:
    """A person's day: promises by when they are due, and what others wait for."""

    promises: dict[When, list[Promise]]
    introductions: list[Introduction]
    answers: list[Answer]
    reviews: list[OwnProfile]
    waiting: list[Waiting]
    quarantined: list[Quarantine] = field(default_factory=list)
    """What of other regions is not believed. For leads; it asks something of whoever runs the node, not of a broker."""
    failure: Failure | None = None
    """Why what waits does not leave, and when it is tried again."""
    due: dict[UUID, Promise] = field(default_factory=dict)
    """The next promise of each new introduction."""

    @property
    def count(self) -> int:
        """How many rows ask for something."""
        promised = sum(len(each) for each in self.promises.values())
        return promised + len(self.introductions) + len(self.answers) + len(self.reviews) + len(self.waiting)


async def today(session: AsyncSession, *, node: CasesNode, principal: Principal) -> Today:
    """The caller's day: the own work and that of everybody whom the caller stands in for; for leads also what
    belongs to nobody yet, and what they supervise and is overdue."""
    own = await desk.own_and_deputised(session, node=node, principal=principal)
    lead = principal.has(Role.LEAD)
    promised = await _promises(session, own=own, lead=lead, person=principal.person)
    introductions = await _new_introductions(session, own=own, lead=lead)
    new = {half.id for half in introductions}
    grouped: dict[When, list[Promise]] = {group: [] for group in When}
    day = desk.today_in(node)
    due: dict[UUID, Promise] = {}
    for promise in promised:
        if promise.introduction_id in new:
            due.setdefault(promise.introduction_id, promise)  # shown with its introduction, not twice
        else:
            grouped[clocks.when(promise.due, today=day)].append(promise)
    reviewer = principal.has(Role.REVIEWER)
    waiting = await waiting_to_send(session, own=None if lead else own)
    return Today(
        promises=grouped,
        introductions=sorted(introductions, key=lambda half: (half.answer_due or day, half.id)),
        answers=await _answers(session, own=own),
        reviews=await profiles.waiting_for_review(session, reviewer=principal.person) if reviewer else [],
        waiting=waiting,
        failure=await outbox_failure(session) if waiting else None,
        quarantined=await deadletters.quarantined(session) if lead else [],
        due=due,
    )


async def _promises(session: AsyncSession, *, own: frozenset[str], lead: bool, person: str) -> list[Promise]:
    mine: list[ColumnElement[bool]] = [col(Promise.responsible).in_(own)]
    if lead:
        mine.append(col(Promise.responsible).is_(None))
        mine.append((col(Promise.supervisor) == person) & (col(Promise.state) == PromiseState.OVERDUE))
    rows = await session.scalars(
        select(Promise)
        .where(col(Promise.state).in_(list(clocks.RUNNING)), or_(*mine))
        .order_by(col(Promise.due), col(Promise.id))
    )
    return list(rows.all())


async def _new_introductions(session: AsyncSession, *, own: frozenset[str], lead: bool) -> list[Introduction]:
    mine: list[ColumnElement[bool]] = [col(Introduction.broker).in_(own)]
    if lead:
        mine.append(col(Introduction.broker).is_(None))
    rows = await session.scalars(
        select(Introduction).where(
            col(Introduction.side) == Side.COUNTERPART,
            col(Introduction.state).in_([IntroductionState.DELIVERED, IntroductionState.CONSENTED]),
            col(Introduction.acknowledged).is_(None),
            or_(*mine),
        )
    )
    return list(rows.all())


async def _answers(session: AsyncSession, *, own: frozenset[str]) -> list[Answer]:
    recent = clock.now() - RECENT
    news: list[ColumnElement[bool]] = [
        col(Introduction.state).in_([IntroductionState.ACCEPTED, IntroductionState.CONSENTED])
    ]
    news += [
        col(ended) > recent
        for ended in (
            Introduction.declined,
            Introduction.withdrawn,
            Introduction.home_completed,
            Introduction.counterpart_completed,
        )
    ]
    rows = await session.scalars(select(Introduction).where(col(Introduction.broker).in_(own), or_(*news)))
    found = [answer for half in rows if (answer := _answer(half)) is not None]
    found += [Answer(AnswerKind.MESSAGE, half, at) for half, at in await _unanswered(session, own=own)]
    return sorted(found, key=lambda answer: answer.at, reverse=True)


def _answer(half: Introduction) -> Answer | None:
    """What the half's state means to its own broker, if the other side brought it about."""
    home = half.side is Side.HOME
    kind, at = {
        (IntroductionState.ACCEPTED, True): (AnswerKind.ACCEPTED, half.accepted),
        (IntroductionState.CONSENTED, False): (AnswerKind.CONSENTED, half.acknowledged and half.consented),
        (IntroductionState.DECLINED, True): (AnswerKind.DECLINED, half.declined),
        (IntroductionState.WITHDRAWN, False): (AnswerKind.WITHDRAWN, half.withdrawn),
        (IntroductionState.INTRODUCED, True): (AnswerKind.INTRODUCED, half.home_completed),
        (IntroductionState.INTRODUCED, False): (AnswerKind.INTRODUCED, half.counterpart_completed),
    }.get((half.state, home), (AnswerKind.MESSAGE, None))
    return None if at is None else Answer(kind, half, at)


async def _unanswered(session: AsyncSession, *, own: frozenset[str]) -> list[tuple[Introduction, datetime]]:
    """Introductions that nobody refused whose last word is the other broker's, and since when."""

    def last(direction: Direction) -> ColumnElement[datetime]:
        return func.max(col(Message.sent_at)).filter(col(Message.direction) == direction)

    theirs = (
        select(col(Message.introduction_id).label("id"), last(Direction.IN).label("at"))
        .group_by(col(Message.introduction_id))
        .having(last(Direction.IN) > func.coalesce(last(Direction.OUT), func.to_timestamp(0)))
        .subquery()
    )
    rows = await session.execute(
        select(Introduction, theirs.c.at)
        .join(theirs, theirs.c.id == col(Introduction.id))
        .where(col(Introduction.broker).in_(own), col(Introduction.state).in_(list(LIVE_STATES)))
    )
    return [(half, at) for half, at in rows.all()]


async def waiting_to_send(session: AsyncSession, *, own: frozenset[str] | None) -> list[Waiting]:
    """Introductions of which something waits to leave this node; of these brokers, or of all with None."""
    rows = await session.execute(
        select(outbox.c.subject, func.count().label("events"), func.min(outbox.c.created_at).label("since"))
        .join(outbox_waiting, outbox_waiting.c.seq == outbox.c.seq)
        .where(
            outbox.c.topic.like("tibs.%.to.%"),
            # The probes of the line wait there too, and nobody waits for them.
            outbox.c.aggregate != PeerProbed.aggregate(),
            outbox.c.created_at < clock.now() - SLOW,
        )
        .group_by(outbox.c.subject)
    )
    found = {UUID(row.subject): row for row in rows}
    query = select(Introduction).where(col(Introduction.id).in_(list(found)))
    if own is not None:
        query = query.where(col(Introduction.broker).in_(own))
    waiting = [
        Waiting(half=half, events=found[half.id].events, since=found[half.id].since)
        for half in (await session.scalars(query)).all()
    ]
    return sorted(waiting, key=lambda each: each.since)
