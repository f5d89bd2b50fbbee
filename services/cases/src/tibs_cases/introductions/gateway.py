"""Asking the registry for a contact person, while a broker waits."""

from typing import Protocol
from uuid import UUID

from tibs_chassis.auth import Principal
from tibs_chassis.client import ServiceClient, Unreachable
from tibs_contracts.events import DisclosedContact


class RegistryGateway(Protocol):
    """Where contact people are kept."""

    async def contact(self, *, actor_id: UUID, contact_id: UUID, principal: Principal) -> DisclosedContact:
        """What of a contact person would be released; the broker who asks stands in it.

        Raises Problem (404 above all) as the registry answers, Unreachable when it does not.
        """
        ...


class HttpRegistry:
    """The registry service of the node. It writes down who read the contact."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def contact(self, *, actor_id: UUID, contact_id: UUID, principal: Principal) -> DisclosedContact:
        path = f"/api/v1/actors/{actor_id}"
        actor = (await self._client.get(path, principal=principal)).json()
        person = (await self._client.get(f"{path}/contacts/{contact_id}", principal=principal)).json()
        try:
            return DisclosedContact(
                organisation=actor["name"],
                country=actor["country"],
                name=person["name"],
                function=person.get("function") or "",
                email=person["email"],
                phone=person.get("phone"),
                language=person["language"],
                website=actor.get("website"),
                broker=principal.name,
                broker_email=principal.email,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Unreachable("registry", f"its answer does not fit: {type(error).__name__}") from error
