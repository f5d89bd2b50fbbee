"""What other regions may read of an organisation that wishes to be listed."""

from datetime import datetime

from tibs_contracts.events import Event
from tibs_contracts.events.registry import ActorListed, ActorUnlisted
from tibs_registry.actors.model import Actor


def after_change(actor: Actor, *, was_listed: bool, at: datetime) -> Event | None:
    """What a change tells the public: the whole state while it is listed, the end when it no longer is."""
    if actor.listed:
        return listed(actor)
    return ActorUnlisted(actor_id=actor.id, unlisted_at=at) if was_listed else None


def listed(actor: Actor) -> ActorListed:
    """Public fields alone: no numbers, no person, no history."""
    return ActorListed(
        actor_id=actor.id,
        name=actor.name,
        short_name=actor.short_name,
        kind=actor.kind,
        size=actor.size,
        founded=actor.founded,
        country=actor.country,
        town=actor.town,
        nuts=actor.nuts,
        website=actor.website,
        sectors=actor.sectors,
        technologies=actor.technologies,
        languages=actor.languages,
        description=actor.description,
        description_language=actor.description_language,
        desk=actor.desk,
        confirmed_on=actor.confirmed_on,
    )
