"""Use cases of the desk."""

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.desk import rules
from tibs_cases.desk.model import Person
from tibs_cases.desk.rules import InCharge, Presence
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known.model import OwnProfile
from tibs_cases.promises import rules as clocks
from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal, Role
from tibs_chassis.edge import require_version
from tibs_chassis.problems import FieldError, Forbidden, Invalid, NotFound


def today_in(node: CasesNode, region: str | None = None) -> date:
    """Which day it is in a region, in this one if none is named."""
    place = node.regions[region or node.region]
    return clock.now().astimezone(place.zone).date()


def calendar_of(node: CasesNode, region: str | None = None) -> clocks.Calendar:
    """A region's working days, this one's if none is named."""
    place = node.regions[region or node.region]
    return clocks.calendar(place.holidays, place.time_zone)


async def remember_person(session: AsyncSession, *, principal: Principal) -> Person:
    """At sign-in: takes over what the identity provider says of the person. Absence and deputy stay."""
    person = await session.get(Person, principal.person, with_for_update=True)
    roles = sorted(role.value for role in principal.roles)
    if person is None:
        person = Person(id=principal.person, name=principal.name, language=principal.language, roles=roles)
        session.add(person)
    elif (person.name, person.roles) != (principal.name, roles):
        person.version += 1
    person.name = principal.name
    person.roles = roles
    person.email = principal.email or person.email
    person.seen_at = clock.now()
    await session.flush()
    return person


async def people(session: AsyncSession) -> list[Person]:
    """Everybody of the desk, by name."""
    return list((await session.scalars(select(Person).order_by(col(Person.name), col(Person.id)))).all())


async def person(session: AsyncSession, *, person_id: str) -> Person:
    found = await session.get(Person, person_id)
    if found is None:
        raise NotFound("person", person_id)
    return found


async def names(session: AsyncSession, *, ids: set[str]) -> dict[str, str]:
    """What people are called, for those of whom the desk knows."""
    if not ids:
        return {}
    rows = await session.execute(select(col(Person.id), col(Person.name)).where(col(Person.id).in_(ids)))
    return {row.id: row.name for row in rows}


async def put_person(
    session: AsyncSession,
    *,
    principal: Principal,
    person_id: str,
    name: str,
    email: str | None,
    language: str,
    roles: frozenset[Role],
    absent_until: date | None,
    deputy: str | None,
    expected: int | None,
) -> Person:
    """A lead enters somebody, or changes what the desk knows of them if it still is version `expected`."""
    if not principal.has(Role.LEAD):
        raise Forbidden("Only a lead keeps the desk's list of people.")
    found = await session.get(Person, person_id, with_for_update=True)
    if found is not None and expected is not None:
        require_version(expected=expected, held=found.version)
    await _check_deputy(session, person_id=person_id, deputy=deputy)
    if found is None:
        found = Person(id=person_id, version=0, name=name, roles=[])
        session.add(found)
    found.version += 1
    found.name, found.email, found.language = name, email, language
    found.roles = sorted(role.value for role in roles)
    found.absent_until, found.deputy = absent_until, deputy
    await audit.record(session, principal=principal, action="person.changed", subject=f"person:{person_id}")
    await session.flush()
    return found


async def arrange_absence(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    person_id: str,
    absent_until: date | None,
    deputy: str | None,
) -> Person:
    """Somebody goes away, or comes back: the person itself or a lead says so, and who stands in."""
    if principal.person != person_id and not principal.has(Role.LEAD):
        raise Forbidden("Only the person itself or a lead arranges an absence.")
    found = await session.get(Person, person_id, with_for_update=True)
    if found is None:
        raise NotFound("person", person_id)
    if absent_until is not None and absent_until < today_in(node):
        raise Invalid(
            "The absence is over already.",
            errors=[FieldError(pointer="/absent_until", reason="should be today or later", held=str(absent_until))],
        )
    await _check_deputy(session, person_id=person_id, deputy=deputy)
    found.absent_until, found.deputy = absent_until, deputy
    found.version += 1
    await session.flush()
    return found


async def _check_deputy(session: AsyncSession, *, person_id: str, deputy: str | None) -> None:
    if deputy is None:
        return
    reason = None
    if deputy == person_id:
        reason = "should be somebody else"
    elif await session.get(Person, deputy) is None:
        reason = "should be somebody of this desk"
    if reason is not None:
        raise Invalid("The deputy does not fit.", errors=[FieldError(pointer="/deputy", reason=reason, held=deputy)])


async def presences(session: AsyncSession) -> dict[str, Presence]:
    rows = await session.execute(select(col(Person.id), col(Person.absent_until), col(Person.deputy)))
    return {id: Presence(absent_until=until, deputy=deputy) for id, until, deputy in rows.all()}


async def holders(session: AsyncSession, *, role: Role) -> tuple[str, ...]:
    """Everybody of the desk who has a role, by id."""
    rows = await session.scalars(
        select(col(Person.id)).where(col(Person.roles).contains([role.value])).order_by(col(Person.id))
    )
    return tuple(rows.all())


async def leads(session: AsyncSession) -> tuple[str, ...]:
    return await holders(session, role=Role.LEAD)


async def supervisor_of(session: AsyncSession, *, broker: str | None) -> str | None:
    """Who hears of it when the broker does not keep a promise: the first lead who is somebody else."""
    known = await leads(session)
    others = [lead for lead in known if lead != broker]
    return next(iter([*others, *known]), None)


async def in_charge(session: AsyncSession, *, node: CasesNode, broker: str | None) -> InCharge:
    """Who gets what belongs to a broker, or to nobody yet."""
    return rules.in_charge(broker, leads=await leads(session), desk=await presences(session), today=today_in(node))


async def in_charge_of_profile(session: AsyncSession, *, node: CasesNode, profile_id: UUID) -> InCharge:
    """Who gets a request for a profile of this region: who answers for it, or the leads."""
    profile = await session.get(OwnProfile, profile_id)
    author = profile.author if profile is not None else None
    if author is not None and await session.get(Person, author) is None and await leads(session):
        author = None  # Whoever the desk does not know cannot be reached; a lead can give it to somebody.
    return await in_charge(session, node=node, broker=author)


async def may_act(session: AsyncSession, *, node: CasesNode, principal: Principal, broker: str | None) -> bool:
    """Whether somebody may see and work what belongs to a broker: see `rules.may_act`."""
    known = {} if principal.has(Role.LEAD) or principal.person == broker else await presences(session)
    return rules.may_act(
        principal.person,
        leads=principal.has(Role.LEAD),
        brokers=principal.has(Role.BROKER),
        broker=broker,
        desk=known,
        today=today_in(node),
    )


async def require_may_act(session: AsyncSession, *, node: CasesNode, principal: Principal, broker: str | None) -> None:
    """Raises Forbidden unless `may_act`."""
    if not await may_act(session, node=node, principal=principal, broker=broker):
        raise Forbidden(
            "Somebody else works on this. Ask a lead to assign it to you."
            if broker is not None
            else "Nobody works on this yet. Ask a lead to assign it to you."
        )


async def own_and_deputised(session: AsyncSession, *, node: CasesNode, principal: Principal) -> frozenset[str]:
    """The brokers whose work somebody does today: the own, and that of everybody whom the person stands in for."""
    desk = await presences(session)
    today = today_in(node)
    return frozenset(
        {principal.person} | {id for id in desk if rules.stands_in(id, desk=desk, today=today) == principal.person}
    )


async def require_broker(session: AsyncSession, *, person_id: str) -> Person:
    """Somebody to whom work can be given. Raises Invalid."""
    found = await session.get(Person, person_id)
    if found is None or not {Role.BROKER.value, Role.LEAD.value} & set(found.roles):
        raise Invalid(
            "The work cannot be given to this person.",
            errors=[
                FieldError(pointer="/broker", reason="should be a broker or lead of this desk", held=person_id[:80])
            ],
        )
    return found
