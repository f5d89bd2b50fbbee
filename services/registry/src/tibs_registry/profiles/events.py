"""What the steps of a profile tell: its own node where it stands, the other regions what they may read."""

from collections.abc import Iterator
from datetime import datetime

from tibs_contracts.codes import WithdrawalReason
from tibs_contracts.events import Event
from tibs_contracts.events.registry import (
    AnonymousClient,
    ProfileMoved,
    ProfilePublished,
    ProfileState,
    ProfileWithdrawn,
)
from tibs_registry.actors.model import Actor
from tibs_registry.profiles.model import Profile

_ENDED = {ProfileState.WITHDRAWN: WithdrawalReason.WITHDRAWN, ProfileState.EXPIRED: WithdrawalReason.EXPIRED}


def of_step(profile: Profile, *, client: AnonymousClient, region: str, by: str | None, at: datetime) -> Iterator[Event]:
    """The events of the step that led to the profile's state. `by` is a person id, None if time did it."""
    yield ProfileMoved(
        profile_id=profile.id,
        actor_id=profile.actor_id,
        reference=profile.reference,
        profile_type=profile.profile_type,
        title=profile.title,
        state=profile.state,
        author=profile.author,
        moved_by=by,
        moved_at=at,
        region=region,
    )
    if profile.state is ProfileState.PUBLISHED:
        yield published(profile, client=client)
    elif (reason := _ENDED.get(profile.state)) is not None:
        yield ProfileWithdrawn(profile_id=profile.id, reference=profile.reference, reason=reason, withdrawn_at=at)


def published(profile: Profile, *, client: AnonymousClient) -> ProfilePublished:
    """The public profile. Neither the client's id nor its author is in it."""
    own = {"profile_id", "client"}
    return ProfilePublished(
        profile_id=profile.id,
        client=client,
        **{name: getattr(profile, name) for name in ProfilePublished.model_fields if name not in own},
    )


def anonymous_client(actor: Actor) -> AnonymousClient:
    """What the public may know of the client."""
    return AnonymousClient(
        country=actor.country,
        kind=actor.kind,
        size=actor.size,
        founded=actor.founded,
        turnover_band=actor.turnover_band,
        certificates=actor.certificates,
        experience=actor.experience,
    )
