"""What tests and demonstrations hand to the registry, made the same way everywhere. Every value may be replaced."""

from collections.abc import Awaitable
from typing import Any

import httpx

from tibs_registry.profiles.rules import Criterion


def actor_body(name: str = "Suprasl Hulls Sp. z o.o.", **changes: Any) -> dict[str, Any]:
    """A boatyard of Podlaskie."""
    return {
        "name": name,
        "kind": "sme",
        "country": "PL",
        "size": "small",
        "founded": 1998,
        "town": "Supraśl",
        "nuts": "PL84",
        "nuts_version": "2024",
        "sectors": ["maritime", "materials"],
        "technologies": ["laminating"],
        "languages": ["pl", "en"],
        "certificates": ["ISO 9001"],
        "description": "Builds hulls of small boats.",
        "description_language": "en",
    } | changes


def contact_body(**changes: Any) -> dict[str, Any]:
    """A role mailbox of that boatyard."""
    return {
        "name": "Partnership desk",
        "function": "International cooperation",
        "email": "partners@suprasl-hulls.example",
        "phone": "+48 85 123 45 67",
        "language": "pl",
        "purpose": "Introductions to partners abroad",
        "basis": "consent",
    } | changes


def profile_body(actor_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A request that is complete and anonymous; with `actor_id` as it is drafted, without as it is changed."""
    body = {
        "profile_type": "BR",
        "title": "Boatyard seeks a maker of bio-based composites",
        "summary": "A small boatyard wants to replace glass fibre in its hulls and seeks a maker of flax composites.",
        "description": "The company laminates about sixty hulls a year from glass fibre and polyester. Customers ask"
        " for boats that can be recycled. Tests with flax failed because the fibre took up water.",
        "advantages": "Sixty hulls a year, a test basin of its own, and twenty years of laminating.",
        "language": "en",
        "cooperation": ["business.manufacturing", "technology.technical_cooperation"],
        "partner_sought": {
            "kinds": ["sme", "research"],
            "sizes": [],
            "field": "Natural-fibre composites",
            "task": "Deliver fibre and resin, and adapt them to hulls together.",
        },
        "target_countries": ["FI", "LV"],
        "sectors": ["maritime", "materials"],
        "technology_keywords": ["flax", "composite"],
        "market_keywords": ["boats"],
        "trans_s3": ["circular_economy"],
        "languages": ["pl", "en"],
    }
    return body | ({"actor_id": actor_id} if actor_id else {}) | changes


def verdict_body(decision: str = "publish", **changes: Any) -> dict[str, Any]:
    """A reviewer who is content with everything."""
    content = {criterion.value: True for criterion in Criterion}
    return {"decision": decision, "rubric": content, "comments": []} | changes


async def made(answer: Awaitable[httpx.Response]) -> dict[str, Any]:
    """The body of an answer that has to be a good one."""
    response = await answer
    assert response.is_success, response.text
    body: dict[str, Any] = response.json()
    return body


def seen(body: dict[str, Any]) -> dict[str, str]:
    """The header that says which version somebody has read."""
    return {"If-Match": f'"{body["version"]}"'}
