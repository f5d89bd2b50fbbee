"""Profiles for tests."""

from datetime import timedelta
from typing import Any

from tibs_chassis import clock
from tibs_contracts.codes import ActorKind, ProfileType
from tibs_contracts.events import AnonymousClient, ProfilePublished
from tibs_contracts.ids import new_id


def profile(**told: Any) -> ProfilePublished:
    """A business offer of a Finnish company, as told."""
    now = clock.now()
    client = AnonymousClient(
        country=told.pop("country", "FI"), kind=told.pop("kind", ActorKind.SME), size=told.pop("size", None)
    )
    values: dict[str, Any] = {
        "profile_id": new_id(),
        "reference": "BOFI20260302001",
        "profile_type": ProfileType.BUSINESS_OFFER,
        "title": "Hulls of glass fibre for small boats",
        "summary": "A boatyard makes hulls of glass fibre.",
        "description": "It has made hulls for thirty years and looks for buyers abroad.",
        "language": "en",
        "desk": "Cursor Oy",
        "client": client,
        "published_at": now - timedelta(days=3),
        "valid_until": now.date() + timedelta(days=300),
    }
    return ProfilePublished.model_validate(values | told)
