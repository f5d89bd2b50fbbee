"""Introductions over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from tibs_cases.introductions import queries, requests, service
from tibs_cases.introductions.gateway import RegistryGateway
from tibs_cases.introductions.model import Direction, Introduction
from tibs_cases.introductions.rules import Delivery, IntroductionState, Move
from tibs_cases.introductions.service import ClientYes
from tibs_cases.values import Cursor, Here, Language, Note, PersonId, Short, Words, next_cursor
from tibs_chassis import clock
from tibs_chassis.auth import Caller
from tibs_chassis.edge import AuditedRead, EdgeRoute, Session, etag
from tibs_chassis.problems import Invalid
from tibs_chassis.text import Input, Output
from tibs_chassis.values import Known, Limit, Page, PastMoment
from tibs_contracts.codes import ConsentMethod, DeclineReason
from tibs_contracts.events import DisclosedContact, Side

TEXT_VERSION = "introduction-1"
"""The words that a client agrees to, unless the broker names others."""

router = APIRouter(prefix="/api/v1", tags=["introductions"], route_class=EdgeRoute)


class RequestBody(Input):
    """`contact_id` is whom the broker has in mind; the one released is picked with the client's yes."""

    profile_id: UUID
    message: Words
    contact_id: UUID | None = None


class YesBody(Input):
    """A client's yes: which client, which contact person is released, when and how it was given."""

    actor_id: UUID
    contact_id: UUID
    method: Known[ConsentMethod]
    given_at: PastMoment | None = None
    text_version: Short = TEXT_VERSION

    def value(self) -> ClientYes:
        return ClientYes(
            actor_id=self.actor_id,
            contact_id=self.contact_id,
            method=self.method,
            given_at=self.given_at or clock.now(),
            text_version=self.text_version,
        )


class YesRoute(EdgeRoute):
    """Asks the registry for the contact person before the transaction begins: none waits for another service."""

    async def guard(self, request: Request) -> None:
        await super().guard(request)
        request.state.contact = None
        try:
            body = YesBody.model_validate_json(await request.body())
        except ValidationError:
            return  # The route itself says what is wrong with the body.
        registry: RegistryGateway = request.app.state.registry
        request.state.contact = await registry.contact(
            actor_id=body.actor_id, contact_id=body.contact_id, principal=request.state.principal
        )


async def _picked(request: Request) -> DisclosedContact:
    contact: DisclosedContact | None = request.state.contact
    if contact is None:
        raise Invalid("The body does not name a contact person as it should.")
    return contact


Picked = Annotated[DisclosedContact, Depends(_picked)]
yes_router = APIRouter(prefix="/api/v1", tags=["introductions"], route_class=YesRoute)


class DeclineBody(Input):
    """The note travels to the other broker."""

    reason: Known[DeclineReason]
    note: Note = ""


class WithdrawalBody(Input):
    """The note travels to the other broker."""

    note: Note = ""


class MessageBody(Input):
    text: Words
    language: Language = "en"


class TakenBody(Input):
    broker: PersonId


class MessageOut(Output):
    id: UUID
    direction: Direction
    text: str
    language: str
    by: str | None
    sent_at: datetime
    read_at: datetime | None = None


class SentOut(Output):
    what: str
    id: UUID
    at: datetime
    delivery: Delivery
    read_at: datetime | None = None
    next_attempt_at: datetime | None = None


class IntroductionRow(Output):
    id: UUID
    version: int
    side: Side
    state: IntroductionState
    other_region: str
    case_id: UUID
    profile_id: UUID
    profile_reference: str
    profile_title: str
    broker: str | None
    requested: datetime
    acknowledge_due: date | None
    answer_due: date | None


class IntroductionOut(IntroductionRow):
    """One half in full; contacts are at `/contacts`, where reading them is written down."""

    need: dict[str, Any]
    message: str
    desk: str
    client_actor_id: UUID | None
    client_contact_id: UUID | None
    received: datetime | None
    read: datetime | None
    acknowledged: datetime | None
    consented: datetime | None
    accepted: datetime | None
    declined: datetime | None
    withdrawn: datetime | None
    home_disclosed: datetime | None
    counterpart_disclosed: datetime | None
    home_completed: datetime | None
    counterpart_completed: datetime | None
    decline_reason: DeclineReason | None
    note: str
    own_consent: dict[str, Any] | None
    other_consent: dict[str, Any] | None
    messages: list[MessageOut] = []
    sent: list[SentOut] = []
    possible: list[Move] = []


class ContactsOut(Output):
    """`other` is there once both sides are introduced."""

    own: DisclosedContact | None
    other: DisclosedContact | None


async def _answer(
    session: Session, node: Here, caller: Caller, half: Introduction, response: Response
) -> IntroductionOut:
    await session.flush()
    view = await queries.get_introduction(session, node=node, principal=caller, introduction_id=half.id)
    response.headers.update(etag(half.version))
    fields = {name: getattr(half, name) for name in IntroductionOut.model_fields if hasattr(half, name)}
    return IntroductionOut(
        **fields,
        messages=[MessageOut.model_validate(message) for message in view.messages],
        sent=[SentOut.model_validate(sent) for sent in view.sent],
        possible=sorted(view.possible),
    )


@router.post("/cases/{case_id}/introductions", status_code=201)
async def request_introduction(
    case_id: UUID, body: RequestBody, session: Session, node: Here, caller: Caller, response: Response
) -> IntroductionOut:
    """Asks the broker of another region; 409 with what is missing while the case is not ready."""
    half = await requests.request_introduction(
        session,
        node=node,
        principal=caller,
        case_id=case_id,
        profile_id=body.profile_id,
        message=body.message,
        contact_id=body.contact_id,
    )
    response.headers["Location"] = f"{router.prefix}/introductions/{half.id}"
    return await _answer(session, node, caller, half, response)


@router.get("/introductions")
async def list_introductions(
    session: Session,
    node: Here,
    caller: Caller,
    side: Annotated[Known[Side] | None, Query()] = None,
    state: Annotated[tuple[IntroductionState, ...], Query()] = (),
    case_id: Annotated[UUID | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[IntroductionRow]:
    """The newest first: the own and those stood in for, for leads all."""
    found, total = await queries.list_introductions(
        session,
        node=node,
        principal=caller,
        side=side,
        states=frozenset(state),
        case_id=case_id,
        before=cursor,
        limit=limit,
    )
    return Page(
        items=[IntroductionRow.model_validate(half) for half in found],
        next=next_cursor([half.id for half in found], limit=limit),
        total=total,
    )


@router.get("/introductions/{introduction_id}")
async def get_introduction(
    introduction_id: UUID, session: Session, node: Here, caller: Caller, response: Response
) -> IntroductionOut:
    half = await service.half_for(session, node=node, principal=caller, introduction_id=introduction_id)
    return await _answer(session, node, caller, half, response)


@router.get("/introductions/{introduction_id}/contacts")
async def read_contacts(introduction_id: UUID, session: AuditedRead, node: Here, caller: Caller) -> ContactsOut:
    """Contact data. Reading them is written down."""
    contacts = await queries.read_contacts(session, node=node, principal=caller, introduction_id=introduction_id)
    return ContactsOut.model_validate(contacts)


@router.post("/introductions/{introduction_id}/acknowledgement")
async def acknowledge_introduction(
    introduction_id: UUID, session: Session, node: Here, caller: Caller, response: Response
) -> IntroductionOut:
    """The counterpart's broker takes care of it. No body."""
    half = await service.acknowledge(session, node=node, principal=caller, introduction_id=introduction_id)
    return await _answer(session, node, caller, half, response)


@yes_router.post("/introductions/{introduction_id}/acceptance")
async def accept_introduction(
    introduction_id: UUID,
    body: YesBody,
    session: Session,
    node: Here,
    caller: Caller,
    contact: Picked,
    response: Response,
) -> IntroductionOut:
    """The counterpart's client said yes."""
    half = await service.accept(
        session, node=node, principal=caller, introduction_id=introduction_id, yes=body.value(), contact=contact
    )
    return await _answer(session, node, caller, half, response)


@yes_router.post("/introductions/{introduction_id}/consent")
async def consent_to_introduction(
    introduction_id: UUID,
    body: YesBody,
    session: Session,
    node: Here,
    caller: Caller,
    contact: Picked,
    response: Response,
) -> IntroductionOut:
    """The home client said yes."""
    half = await service.consent(
        session, node=node, principal=caller, introduction_id=introduction_id, yes=body.value(), contact=contact
    )
    return await _answer(session, node, caller, half, response)


@router.post("/introductions/{introduction_id}/decline")
async def decline_introduction(
    introduction_id: UUID, body: DeclineBody, session: Session, node: Here, caller: Caller, response: Response
) -> IntroductionOut:
    half = await service.decline(
        session,
        node=node,
        principal=caller,
        introduction_id=introduction_id,
        reason=body.reason,
        note=body.note,
    )
    return await _answer(session, node, caller, half, response)


@router.post("/introductions/{introduction_id}/withdrawal")
async def withdraw_introduction(
    introduction_id: UUID, body: WithdrawalBody, session: Session, node: Here, caller: Caller, response: Response
) -> IntroductionOut:
    half = await service.withdraw(session, node=node, principal=caller, introduction_id=introduction_id, note=body.note)
    return await _answer(session, node, caller, half, response)


@router.post("/introductions/{introduction_id}/messages", status_code=201)
async def write_message(
    introduction_id: UUID, body: MessageBody, session: Session, node: Here, caller: Caller
) -> MessageOut:
    """Writes to the other broker."""
    message = await service.write_message(
        session,
        node=node,
        principal=caller,
        introduction_id=introduction_id,
        text=body.text,
        language=body.language,
    )
    return MessageOut.model_validate(message)


@router.post("/introductions/{introduction_id}/assignment")
async def assign_introduction(
    introduction_id: UUID, body: TakenBody, session: Session, node: Here, caller: Caller, response: Response
) -> IntroductionOut:
    """A lead gives the counterpart's half to a broker."""
    half = await service.assign_introduction(
        session, node=node, principal=caller, introduction_id=introduction_id, broker=body.broker
    )
    return await _answer(session, node, caller, half, response)
