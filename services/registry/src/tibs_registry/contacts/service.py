"""Use cases of contact people. Who reads their data leaves a record of it, in the same transaction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_chassis import audit, clock
from tibs_chassis.auth import Principal
from tibs_chassis.edge import require_version
from tibs_chassis.problems import Conflict, NotFound
from tibs_contracts.ids import new_id
from tibs_registry.actors import service as actors
from tibs_registry.contacts.model import ConsentEntry, Contact, ContactConsent, ContactEntry

WithConsents = tuple[Contact, list[ContactConsent]]


async def read_all(session: AsyncSession, *, principal: Principal, actor_id: UUID) -> list[WithConsents]:
    """All contact people of an organisation, by name."""
    await actors.get(session, actor_id=actor_id)
    statement = select(Contact).where(col(Contact.actor_id) == actor_id).order_by(col(Contact.name), col(Contact.id))
    contacts = (await session.execute(statement)).scalars().all()
    await audit.record(
        session,
        principal=principal,
        action="contacts.read",
        subject=f"actor/{actor_id}",
        detail={"contacts": " ".join(str(contact.id) for contact in contacts)},
    )
    return await _with_consents(session, contacts)


async def read(session: AsyncSession, *, principal: Principal, actor_id: UUID, contact_id: UUID) -> WithConsents:
    contact = await _find(session, actor_id=actor_id, contact_id=contact_id)
    await _record(session, principal, "contact.read", contact)
    return (await _with_consents(session, [contact]))[0]


async def add(session: AsyncSession, *, principal: Principal, actor_id: UUID, entry: ContactEntry) -> Contact:
    await actors.get(session, actor_id=actor_id)
    now = clock.now()
    contact = Contact(id=new_id(), actor_id=actor_id, version=1, created_at=now, updated_at=now, **dict(entry))
    session.add(contact)
    await session.flush()
    await _record(session, principal, "contact.added", contact)
    return contact


async def change(
    session: AsyncSession, *, principal: Principal, actor_id: UUID, contact_id: UUID, version: int, entry: ContactEntry
) -> WithConsents:
    """Replaces what was entered. Raises 412 if somebody was faster."""
    contact = await _find(session, actor_id=actor_id, contact_id=contact_id, lock=True)
    require_version(expected=version, held=contact.version)
    for name, value in entry:
        setattr(contact, name, value)
    contact.version += 1
    contact.updated_at = clock.now()
    await session.flush()
    await _record(session, principal, "contact.changed", contact)
    return (await _with_consents(session, [contact]))[0]


async def give_consent(
    session: AsyncSession, *, principal: Principal, actor_id: UUID, contact_id: UUID, entry: ConsentEntry
) -> ContactConsent:
    contact = await _find(session, actor_id=actor_id, contact_id=contact_id)
    consent = ContactConsent(id=new_id(), contact_id=contact.id, recorded_by=principal.person, **dict(entry))
    session.add(consent)
    await session.flush()
    await _record(session, principal, "consent.given", contact, consent=str(consent.id))
    return consent


async def withdraw_consent(
    session: AsyncSession, *, principal: Principal, actor_id: UUID, contact_id: UUID, consent_id: UUID
) -> ContactConsent:
    """Raises Conflict if it was withdrawn before: the first time counts."""
    contact = await _find(session, actor_id=actor_id, contact_id=contact_id)
    consent = await session.get(ContactConsent, consent_id, with_for_update=True)
    if consent is None or consent.contact_id != contact.id:
        raise NotFound("consent", consent_id)
    if consent.withdrawn_at is not None:
        raise Conflict(f"This consent was withdrawn on {consent.withdrawn_at:%Y-%m-%d} already.")
    consent.withdrawn_at = clock.now()
    await session.flush()
    await _record(session, principal, "consent.withdrawn", contact, consent=str(consent.id))
    return consent


async def names_of(session: AsyncSession, *, actor_id: UUID) -> Sequence[str]:
    """The names of an organisation's people, for rules that keep them out of public texts. Never to be shown."""
    return (await session.execute(select(col(Contact.name)).where(col(Contact.actor_id) == actor_id))).scalars().all()


async def _find(session: AsyncSession, *, actor_id: UUID, contact_id: UUID, lock: bool = False) -> Contact:
    contact = await session.get(Contact, contact_id, with_for_update=True if lock else None)
    if contact is None or contact.actor_id != actor_id:
        raise NotFound("contact person", contact_id)
    return contact


async def _with_consents(session: AsyncSession, contacts: Sequence[Contact]) -> list[WithConsents]:
    statement = (
        select(ContactConsent)
        .where(col(ContactConsent.contact_id).in_([contact.id for contact in contacts]))
        .order_by(col(ContactConsent.given_at).desc(), col(ContactConsent.id).desc())
    )
    consents = (await session.execute(statement)).scalars().all()
    return [(contact, [one for one in consents if one.contact_id == contact.id]) for contact in contacts]


async def _record(session: AsyncSession, principal: Principal, action: str, contact: Contact, **detail: str) -> None:
    await audit.record(
        session,
        principal=principal,
        action=action,
        subject=f"contact/{contact.id}",
        detail={"actor": str(contact.actor_id), **detail},
    )
