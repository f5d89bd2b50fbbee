"""Contact people and their consents over HTTP. Every read leaves an audit record."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response

from tibs_chassis.auth import Caller
from tibs_chassis.edge import AuditedRead, EdgeRoute, IfMatch, Session, etag
from tibs_chassis.text import Output
from tibs_chassis.values import Page
from tibs_contracts.codes import ConsentMethod
from tibs_registry.contacts import service
from tibs_registry.contacts.model import Basis, ConsentEntry, Contact, ContactConsent, ContactEntry

router = APIRouter(prefix="/api/v1/actors/{actor_id}/contacts", tags=["contacts"], route_class=EdgeRoute)


class ConsentOut(Output):
    """A consent; in force until `withdrawn_at`."""

    id: UUID
    text_version: str
    method: ConsentMethod
    given_at: datetime
    recorded_by: str
    withdrawn_at: datetime | None


class ContactOut(Output):
    """A contact person with all consents, newest first."""

    id: UUID
    actor_id: UUID
    version: int
    name: str
    function: str | None
    email: str
    phone: str | None
    language: str
    purpose: str
    basis: Basis
    created_at: datetime
    updated_at: datetime
    consents: list[ConsentOut] = []


def _out(contact: Contact, consents: list[ContactConsent]) -> ContactOut:
    kept = [ConsentOut.model_validate(consent) for consent in consents]
    fields = {name: getattr(contact, name) for name in ContactOut.model_fields if name != "consents"}
    return ContactOut(**fields, consents=kept)


@router.get("")
async def list_contacts(actor_id: UUID, session: AuditedRead, caller: Caller) -> Page[ContactOut]:
    found = await service.read_all(session, principal=caller, actor_id=actor_id)
    return Page(items=[_out(contact, consents) for contact, consents in found], total=len(found))


@router.post("", status_code=201)
async def add_contact(
    actor_id: UUID, body: ContactEntry, session: Session, caller: Caller, response: Response
) -> ContactOut:
    contact = await service.add(session, principal=caller, actor_id=actor_id, entry=body)
    response.headers.update(etag(contact.version))
    return _out(contact, [])


@router.get("/{contact_id}")
async def get_contact(
    actor_id: UUID, contact_id: UUID, session: AuditedRead, caller: Caller, response: Response
) -> ContactOut:
    contact, consents = await service.read(session, principal=caller, actor_id=actor_id, contact_id=contact_id)
    response.headers.update(etag(contact.version))
    return _out(contact, consents)


@router.put("/{contact_id}")
async def change_contact(
    actor_id: UUID,
    contact_id: UUID,
    body: ContactEntry,
    version: IfMatch,
    session: Session,
    caller: Caller,
    response: Response,
) -> ContactOut:
    contact, consents = await service.change(
        session, principal=caller, actor_id=actor_id, contact_id=contact_id, version=version, entry=body
    )
    response.headers.update(etag(contact.version))
    return _out(contact, consents)


@router.post("/{contact_id}/consents", status_code=201)
async def give_consent(
    actor_id: UUID, contact_id: UUID, body: ConsentEntry, session: Session, caller: Caller
) -> ConsentOut:
    """Records a yes."""
    consent = await service.give_consent(
        session, principal=caller, actor_id=actor_id, contact_id=contact_id, entry=body
    )
    return ConsentOut.model_validate(consent)


@router.post("/{contact_id}/consents/{consent_id}/withdrawal")
async def withdraw_consent(
    actor_id: UUID, contact_id: UUID, consent_id: UUID, session: Session, caller: Caller
) -> ConsentOut:
    """Records that a yes was taken back, now. No body."""
    consent = await service.withdraw_consent(
        session, principal=caller, actor_id=actor_id, contact_id=contact_id, consent_id=consent_id
    )
    return ConsentOut.model_validate(consent)
