"""Fills a stack with the sample through the services' own interfaces, as its people would.

Every request carries an idempotency key of its own, so filling twice changes nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tibs_chassis.auth import Principal, Role
from tibs_chassis.client import ServiceClient
from tibs_chassis.problems import Problem
from tibs_chassis.regions import Regions
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.topics import SERVICES
from tibs_devstack.people import Person, people_of
from tibs_devstack.sample import STORY, Sample, organisations, partners_of

_AT_ONCE = 4
_RUBRIC = (
    "right_type",
    "specific",
    "problem_and_solution_clear",
    "partner_role_concrete",
    "advantage_quantified",
    "keywords_fit",
    "anonymous",
)


def principal_of(person: Person) -> Principal:
    """Who somebody of a desk is to the services."""
    return Principal(
        person=person.sub,
        name=person.name,
        roles=frozenset(Role(role) for role in person.roles),
        region=person.region,
        email=person.email,
        language=person.locale,
    )


class Desk:
    """A region's people at the interfaces of its services."""

    def __init__(self, *, region: str, regions: Regions, node_key: Path, urls: Mapping[str, str]) -> None:
        """`urls` are those of the region's services by name."""
        self.people = {person.key: person for person in people_of(regions[region])}
        minter = TokenMinter(region=region, key_file=node_key)
        self._registry, self._matching, self._cases, self._notify = (
            ServiceClient(urls[name], audience=name, minter=minter, timeout=30.0) for name in SERVICES
        )
        self.published = 0
        """Profiles that this filling has published; none if the sample was there already."""

    async def introduce_people(self) -> None:
        """The lead enters the desk, so that mail reaches those who have not signed in yet."""
        lead = principal_of(self.people["lead"])
        for person in self.people.values():
            body = {"name": person.name, "email": person.email, "language": person.locale, "roles": list(person.roles)}
            await self._cases.put(f"/api/v1/people/{person.sub}", principal=lead, json=body)

    async def keep(self, sample: Sample) -> None:
        """The organisation, its role mailbox, and its profile, reviewed by a second person and published."""
        broker, reviewer = (principal_of(self.people[key]) for key in ("broker", "reviewer"))

        async def post(step: str, path: str, *, by: Principal = broker, etag: str | None = None, **body: Any) -> Any:
            key = hashlib.sha256(f"{sample.key}/{step}".encode()).hexdigest()[:40]
            headers = {"Idempotency-Key": key} | ({} if etag is None else {"If-Match": etag})
            answer = await self._registry.post(path, principal=by, json=body if body else None, headers=headers)
            repeated = "idempotency-replayed" in answer.headers
            return answer.json() | {"etag": answer.headers.get("etag"), "repeated": repeated}

        actor = await post("actor", "/api/v1/actors", accept_duplicate=True, **sample.actor)
        await post("contact", f"/api/v1/actors/{actor['id']}/contacts", **sample.contact)
        if sample.profile is None:
            return
        profile = await post("profile", "/api/v1/profiles", actor_id=actor["id"], **sample.profile)
        path = f"/api/v1/profiles/{profile['id']}"
        submitted = await post("submission", f"{path}/submission", etag=profile["etag"])
        decided = await post(
            "review",
            f"{path}/review",
            by=reviewer,
            etag=submitted["etag"],
            decision="publish",
            rubric=dict.fromkeys(_RUBRIC, True),
        )
        self.published += not decided["repeated"]

    async def has_compared(self, count: int) -> bool:
        """Whether the region's matching holds so many profiles of all regions, with nothing left to read."""
        broker = principal_of(self.people["broker"])
        index = (await self._matching.get("/api/v1/index", principal=broker)).json()
        return bool(index["profiles"] >= count and not index["waiting"])

    async def heard_of_it(self) -> bool:
        """Whether the broker and the reviewer were told of every profile of this filling, by mail too."""
        for key in ("broker", "reviewer"):
            person = principal_of(self.people[key])
            told = (await self._notify.get("/api/v1/notices/unseen", principal=person)).json()
            mails = await self._notify.get("/api/v1/deliveries", principal=person, params={"state": "sent"})
            if min(told["unseen"], mails.json()["total"]) < self.published:
                return False
        return True

    async def put_aside(self) -> None:
        """The desk has seen what the filling told it."""
        for key in ("broker", "reviewer"):
            await self._notify.post("/api/v1/notices/seen", principal=principal_of(self.people[key]), json={})

    async def close(self) -> None:
        for client in (self._registry, self._matching, self._cases, self._notify):
            await client.close()


class SampleRefused(Exception):
    """A service did not take a part of the sample; the message says which and why."""


async def seed(
    desks: dict[str, Desk], *, regions: Regions, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Fills all regions and returns how many organisations that were. Raises SampleRefused."""
    samples: Sequence[Sample] = [
        *(one for one in organisations(list(desks)) if one.key != f"{STORY}/need"),
        *(one for code in desks for one in partners_of(regions[code])),
    ]
    free, done = asyncio.Semaphore(_AT_ONCE), 0

    async def keep(sample: Sample) -> None:
        nonlocal done
        async with free:
            try:
                await desks[sample.region].keep(sample)
            except Problem as problem:
                told = "; ".join(f"{error.pointer} {error.reason}" for error in problem.errors)
                raise SampleRefused(f"{sample.key} in {sample.region}: {problem.detail} {told}") from problem
        done += 1
        progress(done, len(samples))

    await asyncio.gather(*(desk.introduce_people() for desk in desks.values()))
    await asyncio.gather(*(keep(sample) for sample in samples))
    return len(samples)
