"""The people who can sign in to a stack's regions: named by their role, with addresses that nobody owns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tibs_chassis.regions import Region

_DESK: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("broker", "Broker", ("broker",)),
    ("broker2", "Second broker", ("broker",)),
    # Four eyes need a second person who may publish; in small desks that one brokers too.
    ("reviewer", "Reviewer", ("broker", "reviewer")),
    ("lead", "Lead", ("broker", "lead")),
    ("analyst", "Analyst", ("analyst",)),
)


@dataclass(frozen=True)
class Person:
    """Somebody known to a region's identity provider. `key` is short: broker, reviewer, …"""

    key: str
    sub: str
    name: str
    email: str
    roles: tuple[str, ...]
    region: str
    locale: str

    def claims(self) -> dict[str, Any]:
        """As the provider tells them, `sub` included."""
        told = asdict(self) | {"roles": list(self.roles), "email_verified": True, "preferred_username": self.email}
        del told["key"]
        return told


def people_of(region: Region) -> list[Person]:
    """The desk of a region."""
    return [
        Person(
            key=key,
            sub=f"{region.code}-{key}",
            name=f"{title}, {region.name_in('en')}",
            email=f"{key}@{region.code}.example",
            roles=roles,
            region=region.code,
            locale=region.languages[0],
        )
        for key, title, roles in _DESK
    ]
