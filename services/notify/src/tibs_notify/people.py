"""The people of the desk, whom the cases service keeps. Addresses are asked for when a mail leaves, never kept."""

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from tibs_chassis.auth import Principal, Role
from tibs_chassis.client import ServiceClient, Unreachable
from tibs_chassis.problems import Problem
from tibs_notify.words import known


class DeskAway(Exception):
    """The desk cannot be asked now; the message says why."""


@dataclass(frozen=True)
class Reachable:
    """How a person can be written to."""

    address: str | None
    language: str


class Desk(Protocol):
    """Who works here. Every call raises DeskAway when there is no answer."""

    async def person(self, person: str) -> Reachable | None:
        """How to reach somebody; None if the desk does not know the person."""
        ...

    async def holders(self, role: Role) -> tuple[str, ...]:
        """The ids of everybody who holds a role."""
        ...


class CasesDesk:
    """The desk as the cases service of this node knows it."""

    def __init__(self, client: ServiceClient, *, caller: Principal) -> None:
        self._client = client
        self._caller = caller

    async def person(self, person: str) -> Reachable | None:
        try:
            answer = await self._ask(f"/api/v1/people/{quote(person, safe='')}")
        except Problem as problem:
            if problem.status == 404:
                return None
            raise DeskAway(f"the desk refused to answer ({problem.status})") from problem
        return Reachable(address=answer.get("email") or None, language=known(answer.get("language")))

    async def holders(self, role: Role) -> tuple[str, ...]:
        try:
            answer = await self._ask("/api/v1/people", role=role.value)
        except Problem as problem:
            raise DeskAway(f"the desk refused to answer ({problem.status})") from problem
        people = [entry for entry in answer.get("items", []) if role.value in entry.get("roles", [role.value])]
        return tuple(str(entry.get("person") or entry["id"]) for entry in people)

    async def _ask(self, path: str, **params: str) -> dict[str, Any]:
        try:
            response = await self._client.get(path, principal=self._caller, params=params)
            answer: dict[str, Any] = response.json()
        except Unreachable as error:
            raise DeskAway(f"the desk does not answer ({error.reason})") from error
        except ValueError as error:
            raise DeskAway("the desk gave an answer that is not JSON") from error
        return answer

    async def close(self) -> None:
        await self._client.close()
