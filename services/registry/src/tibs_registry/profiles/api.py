"""Partnership profiles over HTTP.

Steps of the lifecycle need If-Match like edits: a review speaks of the version that the reviewer has read.
"""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tibs_chassis.auth import Caller, Principal
from tibs_chassis.edge import EdgeRoute, IfMatch, Session, etag
from tibs_chassis.text import Input, Output
from tibs_chassis.values import Known, Limit, Page
from tibs_contracts.codes import Cooperation, IprStatus, ProfileType, Sector, Stage, TransS3
from tibs_contracts.events.registry import AnonymousClient, PartnerSought, ProfileState, ResearchCall
from tibs_registry.paging import Cursor
from tibs_registry.profiles import service
from tibs_registry.profiles.model import ProfileEntry, Review, Verdict
from tibs_registry.profiles.rules import Criterion, Decision, Limits, Move
from tibs_registry.values import Prose, at_most
from tibs_registry.wiring import Here, ProfileLimits

router = APIRouter(prefix="/api/v1/profiles", tags=["profiles"], route_class=EdgeRoute)


class NewProfileBody(ProfileEntry):
    """A profile to be drafted for a client of this region."""

    actor_id: UUID

    def entry(self) -> ProfileEntry:
        return ProfileEntry.model_construct(**{name: getattr(self, name) for name in ProfileEntry.model_fields})


class WithdrawalBody(Input):
    """Why it is taken back: stays in the region."""

    note: Annotated[Prose, at_most(1000)] = ""


class CommentOut(Output):
    field: str
    comment: str


class ReviewOut(Output):
    """A review's outcome. `rubric` holds the criteria that were judged."""

    id: UUID
    profile_version: int
    reviewer: str
    decision: Decision
    rubric: dict[Criterion, bool]
    comments: list[CommentOut]
    decided_at: datetime


class MissingOut(Output):
    """What submission still asks for. `pointer` names the field as errors do: `/summary`."""

    pointer: str
    reason: str


class ProfileSummary(Output):
    """A profile in a list."""

    id: UUID
    reference: str
    state: ProfileState
    version: int
    profile_type: ProfileType
    title: str
    summary: str
    actor_id: UUID
    actor_name: str
    author: str
    updated_at: datetime
    submitted_at: datetime | None
    published_at: datetime | None
    valid_until: date | None


class ProfileOut(ProfileSummary):
    """A profile as its own region knows it.

    `moves` are the steps that the caller may take now, `missing` is what submission still asks for, `reviews` stand
    newest first, `client` is what the public will read of the client.
    """

    description: str
    advantages: str
    language: str
    stage: Stage | None
    trl: int | None
    stage_comment: str | None
    ipr: IprStatus | None
    ipr_comment: str | None
    cooperation: list[Cooperation]
    partner_sought: PartnerSought
    target_countries: list[str]
    sectors: list[Sector]
    technology_keywords: list[str]
    market_keywords: list[str]
    nace: list[str]
    trans_s3: list[TransS3]
    sdgs: list[int]
    languages: list[str]
    research_call: ResearchCall | None
    open_for_interest: bool
    desk: str
    created_at: datetime
    ended_at: datetime | None
    client: AnonymousClient
    moves: list[Move]
    missing: list[MissingOut]
    reviews: list[ReviewOut]


class FindingOut(Output):
    """A place that could tell who the client is: `text` stands in `field` from character `start` to before `end`."""

    field: str
    start: int
    end: int
    text: str
    reason: str


class AnonymityOut(Output):
    anonymous: bool
    findings: list[FindingOut]


def _review(review: Review) -> ReviewOut:
    return ReviewOut(
        id=review.id,
        profile_version=review.profile_version,
        reviewer=review.reviewer,
        decision=review.decision,
        rubric=review.rubric.criteria,
        comments=[CommentOut(field=said.field, comment=said.comment) for said in review.comments],
        decided_at=review.decided_at,
    )


def _answer(whole: service.Whole, *, caller: Principal, limits: Limits, response: Response) -> ProfileOut:
    profile = whole.profile
    response.headers.update(etag(profile.version))
    computed = {"actor_name", "client", "moves", "missing", "reviews"}
    return ProfileOut(
        **{name: getattr(profile, name) for name in ProfileOut.model_fields if name not in computed},
        actor_name=whole.actor.name,
        client=whole.client,
        moves=whole.moves(caller),
        missing=[MissingOut(pointer=gap.pointer, reason=gap.reason) for gap in whole.missing(limits)],
        reviews=[_review(review) for review in whole.reviews],
    )


@router.get("")
async def list_profiles(
    session: Session,
    state: Annotated[tuple[Known[ProfileState], ...], Query()] = (),
    actor_id: UUID | None = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Page[ProfileSummary]:
    """Own profiles, the last changed first."""
    found = await service.listing(session, states=state, actor_id=actor_id, limit=limit, cursor=cursor)
    items = [
        ProfileSummary(
            **{name: getattr(profile, name) for name in ProfileSummary.model_fields if name != "actor_name"},
            actor_name=actor_name,
        )
        for profile, actor_name in found.items
    ]
    return Page(items=items, next=found.next, total=found.total)


@router.post("", status_code=201)
async def draft_profile(
    body: NewProfileBody, session: Session, caller: Caller, node: Here, limits: ProfileLimits, response: Response
) -> ProfileOut:
    """Begins a profile for a client."""
    whole = await service.draft(
        session, node=node, limits=limits, principal=caller, actor_id=body.actor_id, entry=body.entry()
    )
    response.headers["Location"] = f"{router.prefix}/{whole.profile.id}"
    return _answer(whole, caller=caller, limits=limits, response=response)


@router.get("/{profile_id}")
async def get_profile(
    profile_id: UUID, session: Session, caller: Caller, limits: ProfileLimits, response: Response
) -> ProfileOut:
    whole = await service.get(session, profile_id=profile_id)
    return _answer(whole, caller=caller, limits=limits, response=response)


@router.put("/{profile_id}")
async def change_profile(
    profile_id: UUID,
    body: ProfileEntry,
    version: IfMatch,
    session: Session,
    caller: Caller,
    node: Here,
    limits: ProfileLimits,
    response: Response,
) -> ProfileOut:
    """Replaces all that was drafted; what is left out becomes empty."""
    whole = await service.change(
        session, node=node, limits=limits, principal=caller, profile_id=profile_id, version=version, entry=body
    )
    return _answer(whole, caller=caller, limits=limits, response=response)


@router.get("/{profile_id}/anonymity")
async def check_anonymity(profile_id: UUID, session: Session) -> AnonymityOut:
    """What in the texts could tell who the client is. Blocks publishing, not drafting."""
    findings = await service.findings(session, profile_id=profile_id)
    return AnonymityOut(anonymous=not findings, findings=[FindingOut.model_validate(found) for found in findings])


@router.post("/{profile_id}/submission")
async def submit_profile(
    profile_id: UUID,
    version: IfMatch,
    session: Session,
    caller: Caller,
    node: Here,
    limits: ProfileLimits,
    response: Response,
) -> ProfileOut:
    """Hands it to review. No body; 422 lists all that is missing."""
    whole = await service.submit(
        session, node=node, limits=limits, principal=caller, profile_id=profile_id, version=version
    )
    return _answer(whole, caller=caller, limits=limits, response=response)


@router.post("/{profile_id}/review")
async def review_profile(
    profile_id: UUID,
    body: Verdict,
    version: IfMatch,
    session: Session,
    caller: Caller,
    node: Here,
    limits: ProfileLimits,
    response: Response,
) -> ProfileOut:
    """Publishes, or returns with comments. 403 for who wrote in it; 409 with `findings` while it is not anonymous."""
    whole = await service.review(
        session, node=node, limits=limits, principal=caller, profile_id=profile_id, version=version, verdict=body
    )
    return _answer(whole, caller=caller, limits=limits, response=response)


@router.post("/{profile_id}/withdrawal")
async def withdraw_profile(
    profile_id: UUID,
    body: WithdrawalBody,
    version: IfMatch,
    session: Session,
    caller: Caller,
    node: Here,
    limits: ProfileLimits,
    response: Response,
) -> ProfileOut:
    """Takes a published profile out of every region's directory."""
    whole = await service.withdraw(
        session, node=node, principal=caller, profile_id=profile_id, version=version, note=body.note
    )
    return _answer(whole, caller=caller, limits=limits, response=response)
