"""From what a region tells to a row of the directory. No I/O."""

from collections.abc import Sequence
from datetime import datetime

from tibs_contracts.codes import OpenCode
from tibs_contracts.events.registry import ActorListed, ProfilePublished
from tibs_registry.actors.rules import name_key
from tibs_registry.directory.model import DirectoryActor, DirectoryProfile, PublicActor, PublicProfile
from tibs_registry.words import fold


def profile_row(event: ProfilePublished, *, region: str, told_at: datetime) -> DirectoryProfile:
    """The row of a published profile."""
    public = PublicProfile(region=region, **{name: getattr(event, name) for name in ProfilePublished.model_fields})
    said = [event.title, event.summary, *event.technology_keywords, *event.market_keywords, event.reference]
    return DirectoryProfile(
        profile_id=event.profile_id,
        region=region,
        type=event.profile_type.value,
        kind=event.client.kind.value,
        sectors=_known(event.sectors),
        searched=fold(" ".join(said)),
        published_at=event.published_at,
        valid_until=event.valid_until,
        updated_at=told_at,
        public=public,
    )


def actor_row(event: ActorListed, *, region: str, told_at: datetime) -> DirectoryActor:
    """The row of a listed organisation."""
    public = PublicActor(region=region, **{name: getattr(event, name) for name in ActorListed.model_fields})
    said = [event.name, event.short_name or "", event.town or "", *event.technologies, event.description]
    return DirectoryActor(
        actor_id=event.actor_id,
        region=region,
        kind=event.kind.value,
        sectors=_known(event.sectors),
        name_key=name_key(event.name),
        searched=fold(" ".join(said)),
        updated_at=told_at,
        public=public,
    )


def _known(codes: Sequence[OpenCode]) -> list[str]:
    # A code that this version does not know yet cannot be filtered by.
    return sorted({code.value for code in codes if code.name != "UNKNOWN"})
