"""Use cases of partnership profiles. Each is one transaction, which the edge opens and commits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal, Role
from tibs_chassis.edge import require_version
from tibs_chassis.node import Node
from tibs_chassis.problems import Conflict, FieldError, Forbidden, Invalid, NotFound
from tibs_contracts.codes import ProfileType
from tibs_contracts.events.registry import AnonymousClient, PartnerSought, ProfileState, ResearchCall
from tibs_contracts.ids import new_id
from tibs_registry.actors.model import Actor
from tibs_registry.contacts import service as contacts
from tibs_registry.paging import Found, cursor_of, read_cursor
from tibs_registry.profiles import anonymity, events, rules
from tibs_registry.profiles.model import Judged, Profile, ProfileEntry, ReferenceCounter, Review, Verdict
from tibs_registry.profiles.rules import Decision, Gap, Limits, Move


@dataclass(frozen=True)
class Whole:
    """A profile with what belongs to it."""

    profile: Profile
    actor: Actor
    reviews: list[Review] = field(default_factory=list)

    @property
    def client(self) -> AnonymousClient:
        return events.anonymous_client(self.actor)

    def moves(self, principal: Principal) -> list[Move]:
        """The steps that somebody may take now."""
        return rules.moves_of(
            state=self.profile.state,
            person=principal.person,
            author=self.profile.author,
            writers=self.profile.writers,
            reviews=principal.has(Role.REVIEWER),
            leads=principal.has(Role.LEAD),
        )

    def missing(self, limits: Limits) -> list[Gap]:
        """What submission still asks for; nothing once it was submitted."""
        if Move.SUBMIT not in rules.possible_moves(self.profile.state):
            return []
        return rules.missing(self.profile, limits)


async def listing(
    session: AsyncSession, *, states: Sequence[ProfileState], actor_id: UUID | None, limit: int, cursor: str | None
) -> Found[tuple[Profile, str]]:
    """Own profiles with their client's name, the last changed first."""
    conditions: list[ColumnElement[bool]] = [col(Profile.state).in_(states)] if states else []
    if actor_id is not None:
        conditions.append(col(Profile.actor_id) == actor_id)
    total = (await session.execute(select(func.count()).select_from(Profile).where(*conditions))).scalar_one()
    if cursor is not None:
        conditions.append(
            tuple_(col(Profile.updated_at), col(Profile.id)) < tuple_(*read_cursor(cursor, tuple[datetime, UUID]))
        )
    statement = (
        select(Profile, col(Actor.name))
        .join(Actor, col(Actor.id) == col(Profile.actor_id))
        .where(*conditions)
        .order_by(col(Profile.updated_at).desc(), col(Profile.id).desc())
        .limit(limit + 1)
    )
    rows = [(profile, name) for profile, name in await session.execute(statement)]
    items = rows[:limit]
    last = items[-1][0] if items else None
    more = cursor_of(last.updated_at.isoformat(), str(last.id)) if last is not None and len(rows) > limit else None
    return Found(items=items, next=more, total=total)


async def get(session: AsyncSession, *, profile_id: UUID) -> Whole:
    """Raises NotFound, for another region's profile too: that one stands in the directory."""
    return await _whole(session, await _find(session, profile_id))


async def draft(
    session: AsyncSession, *, node: Node, limits: Limits, principal: Principal, actor_id: UUID, entry: ProfileEntry
) -> Whole:
    """Begins a profile. Raises Invalid if the client is not one of this region's."""
    actor = await session.get(Actor, actor_id)
    if actor is None:
        wrong = FieldError(pointer="/actor_id", reason="is no organisation of this region", held=str(actor_id))
        raise Invalid("A profile belongs to a client of this region.", errors=[wrong])
    _refuse(rules.over_limits(_drafted(entry), limits), "A text or a list is too long.")
    now = clock.now()
    profile = Profile(
        id=new_id(),
        reference=await _draw_reference(session, node=node, profile_type=entry.profile_type, at=now),
        version=1,
        state=ProfileState.DRAFT,
        actor_id=actor.id,
        author=principal.person,
        writers=[principal.person],
        desk=node.regions[node.region].desk,
        created_at=now,
        updated_at=now,
        **_as_kept(entry),
    )
    session.add(profile)
    whole = Whole(profile=profile, actor=actor)
    await _tell(session, node=node, whole=whole, by=principal.person, at=now)
    return whole


async def change(
    session: AsyncSession,
    *,
    node: Node,
    limits: Limits,
    principal: Principal,
    profile_id: UUID,
    version: int,
    entry: ProfileEntry,
) -> Whole:
    """Replaces what was drafted. Another type draws another reference; the old one is not used again."""
    profile = await _find(session, profile_id, lock=True)
    _require_theirs(profile, principal)
    require_version(expected=version, held=profile.version)
    profile.state = _after(profile, Move.EDIT)
    _refuse(rules.over_limits(_drafted(entry), limits), "A text or a list is too long.")
    now = clock.now()
    if entry.profile_type is not profile.profile_type:
        profile.reference = await _draw_reference(session, node=node, profile_type=entry.profile_type, at=now)
    for name, value in _as_kept(entry).items():
        setattr(profile, name, value)
    if principal.person not in profile.writers:
        profile.writers = [*profile.writers, principal.person]
    profile.version += 1
    profile.updated_at = now
    await session.flush()
    return await _whole(session, profile)


async def submit(
    session: AsyncSession, *, node: Node, limits: Limits, principal: Principal, profile_id: UUID, version: int
) -> Whole:
    """Hands it to review. Raises Invalid with all that is missing."""
    profile = await _find(session, profile_id, lock=True)
    _require_theirs(profile, principal)
    require_version(expected=version, held=profile.version)
    _after(profile, Move.SUBMIT)
    _refuse([*rules.missing(profile, limits), *rules.over_limits(profile, limits)], "The profile is not complete yet.")
    now = clock.now()
    profile.submitted_at = now
    whole = await _whole(session, profile)
    await take_step(session, node=node, whole=whole, move=Move.SUBMIT, by=principal.person, at=now)
    return whole


async def review(
    session: AsyncSession,
    *,
    node: Node,
    limits: Limits,
    principal: Principal,
    profile_id: UUID,
    version: int,
    verdict: Verdict,
) -> Whole:
    """Publishes or returns. Raises Forbidden for one's own work, Conflict while the profile is not anonymous."""
    profile = await _find(session, profile_id, lock=True)
    try:
        rules.require_other_eyes(reviewer=principal.person, writers=profile.writers)
    except rules.OwnWork as error:
        raise Forbidden(str(error)) from error
    require_version(expected=version, held=profile.version)
    move = Move.PUBLISH if verdict.decision is Decision.PUBLISH else Move.RETURN
    _after(profile, move)
    gaps = rules.review_gaps(decision=verdict.decision, rubric=verdict.rubric, comments=verdict.comments)
    _refuse(gaps, "The review does not allow this decision.")
    whole = await _whole(session, profile)
    now = clock.now()
    if move is Move.PUBLISH:
        await _require_anonymous(session, whole)
        profile.published_at = now
        day = now.astimezone(node.regions[node.region].zone).date()
        profile.valid_until = rules.valid_until(day, months=limits.validity_months)
    done = Review(
        id=new_id(),
        profile_id=profile.id,
        profile_version=version,
        reviewer=principal.person,
        decision=verdict.decision,
        rubric=Judged(criteria=verdict.rubric),
        comments=verdict.comments,
        decided_at=now,
    )
    session.add(done)
    whole.reviews.insert(0, done)
    await take_step(session, node=node, whole=whole, move=move, by=principal.person, at=now)
    await audit.record(session, principal=principal, action=f"profile.{move.value}", subject=f"profile/{profile.id}")
    return whole


async def withdraw(
    session: AsyncSession, *, node: Node, principal: Principal, profile_id: UUID, version: int, note: str
) -> Whole:
    """Takes a published profile back; the note stays in the audit log."""
    profile = await _find(session, profile_id, lock=True)
    _require_theirs(profile, principal)
    require_version(expected=version, held=profile.version)
    whole = await _whole(session, profile)
    now = clock.now()
    await take_step(session, node=node, whole=whole, move=Move.WITHDRAW, by=principal.person, at=now)
    detail = {"note": note} if note else {}
    subject = f"profile/{profile.id}"
    await audit.record(session, principal=principal, action="profile.withdraw", subject=subject, detail=detail)
    return whole


async def expire(session: AsyncSession, *, node: Node, at: datetime, limit: int = 100) -> int:
    """Ends the published profiles whose time has passed at `at`; returns how many, at most `limit`."""
    today = at.astimezone(node.regions[node.region].zone).date()
    statement = (
        select(Profile)
        .where(col(Profile.state) == ProfileState.PUBLISHED, col(Profile.valid_until) < today)
        .order_by(col(Profile.valid_until), col(Profile.id))
        .limit(limit)
        # Another replica may be at it; a profile that is just being withdrawn can wait for the next look.
        .with_for_update(skip_locked=True)
    )
    over = [
        profile
        for profile in (await session.execute(statement)).scalars()
        if rules.is_over(valid_until=profile.valid_until, today=today)
    ]
    for profile in over:
        whole = await _whole(session, profile)
        await take_step(session, node=node, whole=whole, move=Move.EXPIRE, by=None, at=at)
    return len(over)


async def findings(session: AsyncSession, *, profile_id: UUID) -> list[anonymity.Finding]:
    """What could tell who the client is."""
    return await _findings(session, await get(session, profile_id=profile_id))


async def take_step(
    session: AsyncSession, *, node: Node, whole: Whole, move: Move, by: str | None, at: datetime
) -> None:
    """Moves a profile and tells of it: no step without its events."""
    profile = whole.profile
    profile.state = _after(profile, move)
    profile.version += 1
    profile.updated_at = at
    if move in (Move.WITHDRAW, Move.EXPIRE):
        profile.ended_at = at
    await _tell(session, node=node, whole=whole, by=by, at=at)


async def _tell(session: AsyncSession, *, node: Node, whole: Whole, by: str | None, at: datetime) -> None:
    profile = whole.profile
    await session.flush()
    for event in events.of_step(profile, client=whole.client, region=node.region, by=by, at=at):
        await node.emit(session, event, subject=profile.id, sequence=profile.version, correlation_id=profile.id)


async def _find(session: AsyncSession, profile_id: UUID, *, lock: bool = False) -> Profile:
    profile = await session.get(Profile, profile_id, with_for_update=True if lock else None)
    if profile is None:
        raise NotFound("profile", profile_id)
    return profile


async def _whole(session: AsyncSession, profile: Profile) -> Whole:
    actor = await session.get_one(Actor, profile.actor_id)
    statement = (
        select(Review)
        .where(col(Review.profile_id) == profile.id)
        .order_by(col(Review.decided_at).desc(), col(Review.id).desc())
    )
    return Whole(profile=profile, actor=actor, reviews=list((await session.execute(statement)).scalars()))


async def _draw_reference(session: AsyncSession, *, node: Node, profile_type: ProfileType, at: datetime) -> str:
    region = node.regions[node.region]
    day: date = at.astimezone(region.zone).date()
    # The row stays locked until the transaction ends, so two drafts never get one number.
    draw = (
        insert(ReferenceCounter)
        .values(day=day, last=1)
        .on_conflict_do_update(index_elements=["day"], set_={"last": ReferenceCounter.last + 1})
        .returning(col(ReferenceCounter.last))
    )
    number = (await session.execute(draw)).scalar_one()
    return rules.reference(profile_type=profile_type, country=region.country, day=day, number=number)


async def keep_drawn(session: AsyncSession, *, reference: str) -> None:
    """Lets a reference not be drawn again, though this database does not know that it was."""
    day, number = rules.drawn(reference)
    counter = insert(ReferenceCounter).values(day=day, last=number)
    last = func.greatest(ReferenceCounter.last, number)
    await session.execute(counter.on_conflict_do_update(index_elements=["day"], set_={"last": last}))


def _as_kept(entry: ProfileEntry) -> dict[str, Any]:
    kept = {name: getattr(entry, name) for name in ProfileEntry.model_fields}
    kept["partner_sought"] = PartnerSought(**dict(entry.partner_sought))
    call = entry.research_call
    kept["research_call"] = None if call is None else ResearchCall(**dict(call))
    return kept


def _drafted(entry: ProfileEntry) -> rules.Drafted:
    return Profile(**_as_kept(entry))


def _after(profile: Profile, move: Move) -> ProfileState:
    try:
        return rules.after(profile.state, move)
    except rules.WrongMove as error:
        ways = {
            "tried": error.tried.value,
            "from": error.state.value,
            "possible": [way.value for way in error.possible],
        }
        raise Conflict(str(error), slug="wrong-move", title="This step is not possible now", **ways) from error


def _require_theirs(profile: Profile, principal: Principal) -> None:
    try:
        rules.require_theirs(person=principal.person, author=profile.author, leads=principal.has(Role.LEAD))
    except rules.NotTheirs as error:
        raise Forbidden(str(error)) from error


def _refuse(gaps: Sequence[Gap], detail: str) -> None:
    if gaps:
        raise Invalid(detail, errors=[FieldError(pointer=gap.pointer, reason=gap.reason) for gap in gaps])


async def _findings(session: AsyncSession, whole: Whole) -> list[anonymity.Finding]:
    actor = whole.actor
    client = anonymity.Client(
        names=[name for name in (actor.name, actor.short_name) if name],
        domain=actor.domain,
        people=await contacts.names_of(session, actor_id=actor.id),
        numbers=[number for number in (actor.registration_number, actor.vat) if number],
    )
    return anonymity.check(public_texts(whole.profile, whole.client), client=client)


def public_texts(profile: Profile, client: AnonymousClient) -> dict[str, str]:
    """Every free text that publishing would show, by field."""
    texts = {name: getattr(profile, name) for name in ("title", "summary", "description", "advantages")}
    texts |= {"stage_comment": profile.stage_comment, "ipr_comment": profile.ipr_comment}
    texts |= {"partner_sought.field": profile.partner_sought.field, "partner_sought.task": profile.partner_sought.task}
    if profile.research_call is not None:
        texts |= {
            "research_call.programme": profile.research_call.programme,
            "research_call.call": profile.research_call.call,
        }
    lists = {
        "technology_keywords": profile.technology_keywords,
        "market_keywords": profile.market_keywords,
        "client.certificates": client.certificates,
    }
    texts |= {f"{name}.{number}": text for name, held in lists.items() for number, text in enumerate(held)}
    texts |= {"client.experience": client.experience, "client.turnover_band": client.turnover_band}
    return {name: text for name, text in texts.items() if text}


async def _require_anonymous(session: AsyncSession, whole: Whole) -> None:
    found = await _findings(session, whole)
    if not found:
        return
    places = "one place" if len(found) == 1 else f"{len(found)} places"
    raise Conflict(
        f"The profile could tell who the client is in {places}; return it to its author with a comment.",
        slug="not-anonymous",
        title="The profile is not anonymous",
        errors=[
            FieldError(pointer="/" + one.field.replace(".", "/"), reason=one.reason, held=one.text[:80])
            for one in found
        ],
        findings=[
            {"field": one.field, "start": one.start, "end": one.end, "text": one.text, "reason": one.reason}
            for one in found
        ],
    )
