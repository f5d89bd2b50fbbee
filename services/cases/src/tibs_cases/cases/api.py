"""Cases and their shortlists over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from tibs_cases.cases import rules, service, shortlist
from tibs_cases.cases.model import Case, ShortlistEntry, Verdict
from tibs_cases.cases.rules import CaseState, Missing
from tibs_cases.cases.service import CaseNeed, Client
from tibs_cases.promises import service as promises
from tibs_cases.promises.rules import PromiseKind
from tibs_cases.values import (
    Country,
    Cursor,
    Description,
    Here,
    Language,
    Note,
    PersonId,
    Short,
    Summary,
    Words,
    next_cursor,
)
from tibs_chassis.auth import Caller
from tibs_chassis.edge import EdgeRoute, IfMatch, Session, etag
from tibs_chassis.text import Input, Line, Output
from tibs_chassis.values import Each, Known, Limit, Page
from tibs_contracts.codes import ActorKind, ClosingReason, ProfileType, Sector, SizeClass
from tibs_contracts.events import AnonymousClient, PromiseState

router = APIRouter(prefix="/api/v1/cases", tags=["cases"], route_class=EdgeRoute)


class ClientBody(Input):
    """The client: `name` stays in this node, the rest is what another region may know before the client's yes."""

    actor_id: UUID
    name: Line
    country: Country
    kind: Known[ActorKind]
    size: Known[SizeClass] | None = None
    founded: Annotated[int, Field(ge=1000, le=2200)] | None = None
    turnover_band: Short | None = None
    certificates: list[Short] = Field(default=[], max_length=20)
    experience: Note | None = None

    def value(self) -> Client:
        told = self.model_dump(exclude={"actor_id", "name"})
        return Client(actor_id=self.actor_id, name=self.name, anonymous=AnonymousClient(**told))


class NeedBody(Input):
    """What the client looks for. It travels to other regions: nothing in it names the client."""

    title: Line
    summary: Summary
    description: Description = ""
    partner_sought: Note = ""
    language: Language
    profile_type: Known[ProfileType] | None = None
    sectors: Each[Known[Sector]] = Field(default=[], max_length=17)
    profile_id: UUID | None = None
    profile_reference: Short | None = None

    def value(self) -> CaseNeed:
        return CaseNeed(**self.model_dump(exclude={"sectors"}), sectors=tuple(self.sectors))


class CaseBody(Input):
    client: ClientBody
    need: NeedBody
    no_conflict: bool = False
    """The broker declares that no interest of the own stands in the client's way."""
    diagnosis: Description = ""
    broker: PersonId | None = None


class DiagnosisBody(Input):
    text: Description


class MoveBody(Input):
    to: CaseState
    reason: Known[ClosingReason] | None = None
    note: Note = ""


class AssignmentBody(Input):
    broker: PersonId


class NoteBody(Input):
    text: Words


class ShortlistBody(Input):
    profile_id: UUID
    note: Note = ""


class VerdictBody(Input):
    verdict: Verdict
    reason: Note = ""
    note: Note | None = None


class ShortlistOut(Output):
    profile_id: UUID
    region: str
    reference: str
    title: str
    note: str
    verdict: Verdict
    reason: str
    added_by: str
    added_at: datetime


class PromiseOut(Output):
    id: UUID
    kind: PromiseKind
    state: PromiseState
    due: date
    responsible: str | None
    supervisor: str | None
    introduction_id: UUID | None


class MissingOut(Output):
    code: Missing
    text: str


class StepOut(Output):
    """A step next to the one where the case is; it can be taken when nothing is missing."""

    to: CaseState
    missing: list[MissingOut]


class CaseRow(Output):
    id: UUID
    version: int
    receipt: str
    state: CaseState
    broker: str | None
    client_actor_id: UUID
    client_name: str
    title: str
    summary: str
    language: str
    profile_type: ProfileType | None
    sectors: list[Sector]
    profile_id: UUID | None
    profile_reference: str | None
    opened_at: datetime
    closed_at: datetime | None


class CaseOut(CaseRow):
    """A case in full."""

    opened_by: str
    held_from: CaseState | None
    client: dict[str, Any]
    description: str
    partner_sought: str
    no_conflict_at: datetime | None
    no_conflict_by: str | None
    first_contact_at: datetime | None
    diagnosis: str
    closing_reason: ClosingReason | None
    closing_note: str
    steps: list[StepOut] = []
    shortlist: list[ShortlistOut] = []
    promises: list[PromiseOut] = []


async def _answer(session: Session, node: Here, caller: Caller, case: Case, response: Response) -> CaseOut:
    held = await service.held_by(session, case=case)
    entries = await shortlist.shortlist(session, node=node, principal=caller, case_id=case.id)
    running = await promises.running(session, feed=case.id)
    response.headers.update(etag(case.version))
    fields = {name: getattr(case, name) for name in CaseOut.model_fields if hasattr(case, name)}
    return CaseOut(
        **fields,
        steps=[
            StepOut(
                to=step.to,
                missing=[MissingOut(code=item, text=rules.SENTENCES[item]) for item in step.missing],
            )
            for step in rules.steps(case.state, held=held, held_from=case.held_from)
        ],
        shortlist=[ShortlistOut.model_validate(entry) for entry in entries],
        promises=[PromiseOut.model_validate(promise) for promise in running],
    )


@router.get("")
async def list_cases(
    session: Session,
    node: Here,
    caller: Caller,
    state: Annotated[tuple[CaseState, ...], Query()] = (),
    broker: Annotated[PersonId | None, Query()] = None,
    client: Annotated[UUID | None, Query(description="the client's actor id")] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CaseRow]:
    """The newest first: the own and those stood in for, for leads all."""
    found, total = await service.list_cases(
        session,
        node=node,
        principal=caller,
        states=frozenset(state),
        broker=broker,
        client_actor_id=client,
        words=q.replace("\x00", ""),
        before=cursor,
        limit=limit,
    )
    return Page(
        items=[CaseRow.model_validate(case) for case in found],
        next=next_cursor([case.id for case in found], limit=limit),
        total=total,
    )


@router.post("", status_code=201)
async def open_case(body: CaseBody, session: Session, node: Here, caller: Caller, response: Response) -> CaseOut:
    """Takes a need in; the receipt number is in the answer."""
    case = await service.open_case(
        session,
        node=node,
        principal=caller,
        client=body.client.value(),
        need=body.need.value(),
        no_conflict=body.no_conflict,
        diagnosis=body.diagnosis,
        broker=body.broker,
    )
    response.headers["Location"] = f"{router.prefix}/{case.id}"
    return await _answer(session, node, caller, case, response)


@router.get("/{case_id}")
async def get_case(case_id: UUID, session: Session, node: Here, caller: Caller, response: Response) -> CaseOut:
    case = await service.case_for(session, node=node, principal=caller, case_id=case_id)
    return await _answer(session, node, caller, case, response)


@router.put("/{case_id}/need")
async def change_need(
    case_id: UUID,
    body: NeedBody,
    version: IfMatch,
    session: Session,
    node: Here,
    caller: Caller,
    response: Response,
) -> CaseOut:
    case = await service.change_need(
        session, node=node, principal=caller, case_id=case_id, expected=version, need=body.value()
    )
    return await _answer(session, node, caller, case, response)


@router.put("/{case_id}/diagnosis")
async def write_diagnosis(
    case_id: UUID,
    body: DiagnosisBody,
    version: IfMatch,
    session: Session,
    node: Here,
    caller: Caller,
    response: Response,
) -> CaseOut:
    case = await service.write_diagnosis(
        session, node=node, principal=caller, case_id=case_id, expected=version, text=body.text
    )
    return await _answer(session, node, caller, case, response)


@router.post("/{case_id}/no-conflict")
async def declare_no_conflict(
    case_id: UUID, session: Session, node: Here, caller: Caller, response: Response
) -> CaseOut:
    """The broker declares that there is no conflict of interest. No body."""
    case = await service.declare_no_conflict(session, node=node, principal=caller, case_id=case_id)
    return await _answer(session, node, caller, case, response)


@router.post("/{case_id}/first-contact")
async def record_first_contact(
    case_id: UUID, session: Session, node: Here, caller: Caller, response: Response
) -> CaseOut:
    """The broker spoke to the client. No body."""
    case = await service.record_first_contact(session, node=node, principal=caller, case_id=case_id)
    return await _answer(session, node, caller, case, response)


@router.post("/{case_id}/moves")
async def move_case(
    case_id: UUID, body: MoveBody, session: Session, node: Here, caller: Caller, response: Response
) -> CaseOut:
    """Takes a step; 409 with `tried`, `from_state`, `possible` and `missing` when it cannot be taken."""
    case = await service.move_case(
        session, node=node, principal=caller, case_id=case_id, to=body.to, reason=body.reason, note=body.note
    )
    return await _answer(session, node, caller, case, response)


@router.post("/{case_id}/assignment")
async def assign_case(
    case_id: UUID, body: AssignmentBody, session: Session, node: Here, caller: Caller, response: Response
) -> CaseOut:
    case = await service.assign_case(session, node=node, principal=caller, case_id=case_id, broker=body.broker)
    return await _answer(session, node, caller, case, response)


@router.post("/{case_id}/notes", status_code=204)
async def add_note(case_id: UUID, body: NoteBody, session: Session, node: Here, caller: Caller) -> None:
    await service.add_note(session, node=node, principal=caller, case_id=case_id, text=body.text)


@router.post("/{case_id}/shortlist", status_code=201)
async def shortlist_profile(
    case_id: UUID, body: ShortlistBody, session: Session, node: Here, caller: Caller
) -> ShortlistOut:
    entry: ShortlistEntry = await shortlist.shortlist_profile(
        session, node=node, principal=caller, case_id=case_id, profile_id=body.profile_id, note=body.note
    )
    return ShortlistOut.model_validate(entry)


@router.put("/{case_id}/shortlist/{profile_id}")
async def judge_profile(
    case_id: UUID, profile_id: UUID, body: VerdictBody, session: Session, node: Here, caller: Caller
) -> ShortlistOut:
    entry = await shortlist.judge_profile(
        session,
        node=node,
        principal=caller,
        case_id=case_id,
        profile_id=profile_id,
        verdict=body.verdict,
        reason=body.reason,
        note=body.note,
    )
    return ShortlistOut.model_validate(entry)


@router.delete("/{case_id}/shortlist/{profile_id}", status_code=204)
async def remove_profile(case_id: UUID, profile_id: UUID, session: Session, node: Here, caller: Caller) -> None:
    await shortlist.remove_profile(session, node=node, principal=caller, case_id=case_id, profile_id=profile_id)
