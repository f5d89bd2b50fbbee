"""Events for tests, made the same way everywhere."""

from datetime import UTC, date, datetime
from uuid import UUID

from tibs_contracts.codes import ActorKind, ProfileType
from tibs_contracts.events import ActorUnlisted, AnonymousClient, ProfilePublished
from tibs_contracts.ids import new_id

THEN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def unlisted(actor_id: UUID | None = None) -> ActorUnlisted:
    return ActorUnlisted(actor_id=actor_id or new_id(), unlisted_at=THEN)


def published(profile_id: UUID | None = None, *, title: str = "Seeks a maker of hulls") -> ProfilePublished:
    return ProfilePublished(
        profile_id=profile_id or new_id(),
        reference="BRPL20260302001",
        profile_type=ProfileType.BUSINESS_REQUEST,
        title=title,
        summary="A boatyard seeks a partner.",
        description="A boatyard seeks a partner who makes hulls.",
        language="en",
        client=AnonymousClient(country="PL", kind=ActorKind.SME),
        desk="Foundation",
        published_at=THEN,
        valid_until=date(2027, 3, 2),
    )
