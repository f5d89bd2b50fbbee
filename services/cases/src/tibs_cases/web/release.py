"""From the registry's records to what a case may hold."""

from tibs_cases.cases.service import CaseNeed, Client
from tibs_cases.web.shapes import Actor, OwnProfile
from tibs_contracts.events import AnonymousClient


def client_of(actor: Actor) -> Client:
    """The client of a case: its name for this node, and what other regions may know before it says yes."""
    return Client(
        actor_id=actor.id,
        name=actor.name,
        anonymous=AnonymousClient(
            country=actor.country,
            kind=actor.kind,
            size=actor.size,
            founded=actor.founded,
            turnover_band=actor.turnover_band,
            certificates=actor.certificates,
            experience=actor.experience,
        ),
    )


def need_of(profile: OwnProfile) -> CaseNeed:
    """A case's need, as the client's published profile tells it."""
    sought = profile.partner_sought
    return CaseNeed(
        title=profile.title,
        summary=profile.summary,
        language=profile.language,
        description=profile.description,
        partner_sought="\n".join(part for part in (sought.field, sought.task) if part),
        profile_type=profile.profile_type,
        sectors=tuple(profile.sectors),
        profile_id=profile.id,
        profile_reference=profile.reference,
    )
