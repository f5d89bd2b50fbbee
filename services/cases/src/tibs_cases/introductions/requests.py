"""Asking another region for an introduction."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_cases.cases import rules as case_rules
from tibs_cases.cases import service as cases
from tibs_cases.cases import shortlist
from tibs_cases.cases.model import Case
from tibs_cases.cases.rules import CaseState
from tibs_cases.introductions import halves, rules
from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.rules import IntroductionState
from tibs_cases.introductions.service import audit_move
from tibs_cases.node import CasesNode
from tibs_cases.profiles_known import service as profiles
from tibs_cases.refusals import refusals
from tibs_cases.timeline.model import EntryKind
from tibs_chassis import clock
from tibs_chassis.auth import Principal
from tibs_chassis.problems import Conflict, FieldError, Invalid
from tibs_contracts.codes import ProfileType, Sector
from tibs_contracts.events import AnonymousClient, IntroductionRequested, IntroductionStep, Need, Side
from tibs_contracts.ids import new_id


async def request_introduction(
    session: AsyncSession,
    *,
    node: CasesNode,
    principal: Principal,
    case_id: UUID,
    profile_id: UUID,
    message: str,
    contact_id: UUID | None = None,
) -> Introduction:
    """Asks the broker of another region to introduce the client behind a profile.

    Refused with what is missing while the case has no broker, declaration or diagnosis. The profile joins the
    shortlist if it is not there. Nothing that is sent names the client.
    """
    case = await cases.working_case(
        session, node=node, principal=principal, case_id=case_id, tried=CaseState.INTRODUCTION
    )
    profile = await profiles.require_open(session, node=node, profile_id=profile_id)
    _require_other_region(node, region=profile.region)
    halves.require_key(node, profile.region)
    await _require_ready(session, case=case)
    if await shortlist.live_introduction(session, case_id=case.id, profile_id=profile_id) is not None:
        raise Conflict(f"An introduction to {profile.reference} is under way.", slug="introduction-under-way")
    need = _need(case)
    _require_nameless(case, need=need, message=message)
    await shortlist.put_on_shortlist(session, node=node, case=case, by=principal.person, profile_id=profile_id, note="")
    now = clock.now()
    half = Introduction(
        id=new_id(),
        side=Side.HOME,
        state=IntroductionState.REQUESTED,
        other_region=profile.region,
        case_id=case.id,
        profile_id=profile.id,
        profile_reference=profile.reference,
        profile_title=profile.title,
        need=need.model_dump(mode="json", exclude_none=True),
        message=message,
        desk=node.regions[node.region].desk,
        broker=case.broker,
        client_actor_id=case.client_actor_id,
        client_contact_id=contact_id,
        requested=now,
    )
    session.add(half)
    event = IntroductionRequested(
        introduction_id=half.id,
        case_id=case.id,
        profile_id=profile.id,
        profile_reference=profile.reference,
        need=need,
        message=message,
        desk=half.desk,
        requested_at=now,
    )
    half.request_event = await halves.tell_other(session, node=node, half=half, event=event)
    await halves.write_entry(
        session,
        node=node,
        half=half,
        kind=EntryKind.INTRODUCTION_REQUESTED,
        by=principal.person,
        details={"text": message},
    )
    await halves.tell_node(session, node=node, half=half, step=IntroductionStep.REQUESTED, by=principal.person, at=now)
    await cases.follow(session, node=node, case=case, target=CaseState.INTRODUCTION, by=principal.person)
    case.version += 1
    await audit_move(session, principal=principal, action="introduction.requested", half=half)
    return half


def _require_other_region(node: CasesNode, *, region: str) -> None:
    if region == node.region:
        raise Conflict(
            "The profile is of your own region: talk to its broker at your desk.",
            slug="own-region",
            title="No other region is asked",
        )
    if region not in node.regions:
        raise Conflict(f"Region '{region}' is not in this node's list of regions.", slug="unknown-region")


async def _require_ready(session: AsyncSession, *, case: Case) -> None:
    held = await cases.held_by(session, case=case)
    # The introduction that is about to be is itself what the step asks for.
    missing = tuple(
        item
        for item in case_rules.missing(CaseState.INTRODUCTION, held=held)
        if item is not case_rules.Missing.REQUESTED
    )
    if missing:
        with refusals():
            raise case_rules.MoveRefused(
                tried=CaseState.INTRODUCTION,
                from_state=case.state,
                possible=case_rules.possible(case.state, held=held, held_from=case.held_from),
                missing=missing,
            )


def _need(case: Case) -> Need:
    return Need(
        title=case.title,
        summary=case.summary,
        description="\n\n".join(part for part in (case.description, case.partner_sought) if part),
        language=case.language,
        profile_type=ProfileType(case.profile_type) if case.profile_type is not None else None,
        profile_reference=case.profile_reference,
        sectors=[Sector(sector) for sector in case.sectors],
        client=AnonymousClient.model_validate(case.client),
    )


def _require_nameless(case: Case, *, need: Need, message: str) -> None:
    texts = {"/message": message, "/need/title": need.title, "/need/summary": need.summary}
    texts["/need/description"] = need.description
    errors = [
        FieldError(pointer=pointer, reason="names the client, who has not consented to this introduction yet")
        for pointer, text in texts.items()
        if rules.reveals(text, client_name=case.client_name)
    ]
    if errors:
        raise Invalid("What travels before the client's yes must not name the client.", errors=errors)
