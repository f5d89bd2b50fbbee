"""Use cases of organisations. Each is one transaction, which the edge opens and commits."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal, Role
from tibs_chassis.edge import require_version
from tibs_chassis.node import Node
from tibs_chassis.problems import Conflict, FieldError, Forbidden, Invalid, NotFound
from tibs_contracts.codes import ActorKind
from tibs_contracts.ids import new_id
from tibs_registry.actors import events, numbers, rules
from tibs_registry.actors.model import Actor, ActorEntry
from tibs_registry.paging import Found, cursor_of, read_cursor
from tibs_registry.words import fold, text_query


async def get(session: AsyncSession, *, actor_id: UUID) -> Actor:
    """Raises NotFound, for another region's organisation too."""
    actor = await session.get(Actor, actor_id)
    if actor is None:
        raise NotFound("organisation", actor_id)
    return actor


async def search(
    session: AsyncSession, *, q: str | None, kinds: Sequence[ActorKind], limit: int, cursor: str | None
) -> Found[Actor]:
    """Own organisations by name."""
    conditions: list[ColumnElement[bool]] = [col(Actor.kind).in_(kinds)] if kinds else []
    if q is not None:
        query = text_query(q)
        if query is None:
            return Found(items=[], next=None, total=0)
        conditions.append(func.to_tsvector("simple", Actor.searched).bool_op("@@")(func.to_tsquery("simple", query)))
    total = (await session.execute(select(func.count()).select_from(Actor).where(*conditions))).scalar_one()
    if cursor is not None:
        conditions.append(tuple_(col(Actor.name_key), col(Actor.id)) > tuple_(*read_cursor(cursor, tuple[str, UUID])))
    statement = select(Actor).where(*conditions).order_by(col(Actor.name_key), col(Actor.id)).limit(limit + 1)
    rows = (await session.execute(statement)).scalars().all()
    items = rows[:limit]
    more = cursor_of(items[-1].name_key, str(items[-1].id)) if len(rows) > limit else None
    return Found(items=items, next=more, total=total)


async def register(
    session: AsyncSession, *, node: Node, principal: Principal, entry: ActorEntry, accept_duplicate: bool
) -> Actor:
    """Keeps a new organisation. Raises Conflict naming those that may be the same."""
    now = clock.now()
    actor = Actor(
        id=new_id(),
        version=1,
        owner=entry.owner or principal.person,
        confirmed_on=entry.confirmed_on or now.date(),
        desk=node.regions[node.region].desk,
        created_at=now,
        updated_at=now,
        **_as_kept(entry),
    )
    await _refuse_duplicates(session, actor, accept=accept_duplicate)
    session.add(actor)
    await session.flush()
    await audit.record(session, principal=principal, action="actor.registered", subject=f"actor/{actor.id}")
    await _tell(session, node=node, actor=actor, was_listed=False, at=now)
    return actor


async def change(
    session: AsyncSession,
    *,
    node: Node,
    principal: Principal,
    actor_id: UUID,
    version: int,
    entry: ActorEntry,
    accept_duplicate: bool,
) -> Actor:
    """Replaces what was entered. Raises 412 if somebody was faster, 403 if a broker gives away another's client."""
    actor = await session.get(Actor, actor_id, with_for_update=True)
    if actor is None:
        raise NotFound("organisation", actor_id)
    require_version(expected=version, held=actor.version)
    owner = entry.owner or actor.owner
    if owner != actor.owner and principal.person != actor.owner and not principal.has(Role.LEAD):
        raise Forbidden("Another broker answers for this organisation; that person or a lead may hand it over.")
    before, was_listed, now = _identity(actor), actor.listed, clock.now()
    kept = _as_kept(entry) | {"owner": owner, "confirmed_on": entry.confirmed_on or actor.confirmed_on}
    for name, value in kept.items():
        setattr(actor, name, value)
    actor.version += 1
    actor.updated_at = now
    if _identity(actor) != before:
        with session.no_autoflush:
            # Somebody has looked at its likenesses already, unless what makes them has changed.
            await _refuse_duplicates(session, actor, accept=accept_duplicate, before=before)
    await session.flush()
    action = "actor.changed" if actor.listed == was_listed else "actor.listed" if actor.listed else "actor.unlisted"
    await audit.record(session, principal=principal, action=action, subject=f"actor/{actor.id}")
    await _tell(session, node=node, actor=actor, was_listed=was_listed, at=now)
    return actor


async def _tell(session: AsyncSession, *, node: Node, actor: Actor, was_listed: bool, at: datetime) -> None:
    event = events.after_change(actor, was_listed=was_listed, at=at)
    if event is not None:
        await node.emit(session, event, subject=actor.id, sequence=actor.version, correlation_id=actor.id)


def _as_kept(entry: ActorEntry) -> dict[str, Any]:
    """The entry with its numbers as registers write them, and what is derived from it. Raises Invalid."""
    kept = dict(entry)
    # These two have other defaults for a new record than for a changed one.
    del kept["owner"], kept["confirmed_on"]
    wrong = []
    for name, check in (("registration_number", numbers.registration_number), ("vat", numbers.vat_number)):
        if (number := kept[name]) is not None:
            try:
                kept[name] = check(number, country=entry.country)
            except ValueError as error:
                wrong.append(FieldError(pointer=f"/{name}", reason=str(error), held=number))
    if misplaced := rules.wrong_nuts(nuts=entry.nuts, version=entry.nuts_version, country=entry.country):
        wrong.append(FieldError(pointer=f"/{misplaced[0]}", reason=misplaced[1], held=kept[misplaced[0]]))
    if wrong:
        raise Invalid("A number or code of the organisation is not valid.", errors=wrong)
    kept["name_key"] = rules.name_key(entry.name)
    kept["domain"] = rules.domain_of(entry.website)
    said = [entry.name, entry.short_name, entry.town, *entry.technologies, entry.description]
    kept["searched"] = fold(" ".join(part for part in said if part))
    return kept


def _identity(actor: Actor) -> rules.Identity:
    return rules.Identity(
        id=actor.id,
        name=actor.name,
        name_key=actor.name_key,
        country=actor.country,
        registration_number=actor.registration_number,
        vat=actor.vat,
        domain=actor.domain,
    )


async def _refuse_duplicates(
    session: AsyncSession, actor: Actor, *, accept: bool, before: rules.Identity | None = None
) -> None:
    # Held to the end of the transaction: two people who enter the same company at once must see each other.
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('actor-identity'))"))
    # A region knows thousands of organisations, not millions: comparing all takes tens of milliseconds.
    known = [
        rules.Identity(**row)
        for row in (
            await session.execute(select(*[col(getattr(Actor, one.name)) for one in fields(rules.Identity)]))
        ).mappings()
    ]
    found = rules.duplicates(_identity(actor), known)
    if before is not None:
        accepted = {(same.actor_id, same.alike_in) for same in rules.duplicates(before, known)}
        found = [same for same in found if (same.actor_id, same.alike_in) not in accepted]
    blocking = [same for same in found if same.alike_in.certain or not accept]
    if not blocking:
        return
    first = blocking[0]
    held = first.alike_in.value.replace("_", " ")
    advice = (
        "A number belongs to one organisation: open that record instead."
        if first.alike_in.certain
        else "If it is another one, send accept_duplicate: true."
    )
    raise Conflict(
        f"'{first.name}' is here already and is alike in {held}. {advice}",
        slug="duplicate",
        title="This organisation may be here already",
        duplicates=[
            {
                "actor_id": str(same.actor_id),
                "name": same.name,
                "alike_in": same.alike_in.value,
                "acceptable": not same.alike_in.certain,
            }
            for same in found[:10]
        ],
    )
