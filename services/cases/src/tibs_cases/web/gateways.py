"""The other services of the node, as the pages ask them. Each call acts for the person who waits for the page."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from tibs_cases.web.i18n import gettext
from tibs_cases.web.i18n import marked as _
from tibs_cases.web.shapes import (
    Actor,
    Contact,
    Delivery,
    Directory,
    Finding,
    Matches,
    NoticePage,
    OwnProfile,
    Page,
    Preferences,
    PublicActor,
    PublicProfile,
    Unsubscription,
)
from tibs_chassis.auth import Principal
from tibs_chassis.client import ServiceClient, Unreachable
from tibs_chassis.problems import Problem

T = TypeVar("T")

_AWAY = {
    "registry": _("The registry does not answer. What is shown here comes back as soon as it does."),
    "matching": _("The search does not answer. Your case is safe; try the matches again in a moment."),
    "notify": _("Notices cannot be read now. None is lost; they appear as soon as the service answers."),
}


@dataclass(frozen=True)
class Panel(Generic[T]):
    """A part of a page that another service fills: what it gave, or the sentence that stands there instead."""

    held: T | None = None
    away: str | None = None


async def panel(call: Awaitable[T]) -> Panel[T]:
    """What a service gives, or why it gives nothing: a page never fails for one of its panels."""
    try:
        return Panel(held=await call)
    except Unreachable as error:
        return Panel(away=gettext(_AWAY.get(error.service, "{0}").format(error)))
    except Problem as problem:
        if problem.status in (401, 403):
            return Panel(away=gettext("Your role does not open this. Ask your lead if you need it."))
        return Panel(away=problem.detail or problem.title)


def _key(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}


def _match(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


class Registry:
    """Actors, contacts and profiles of this region; the directory of all regions."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def actors(self, principal: Principal, **query: Any) -> Page[Actor]:
        return Page[Actor].model_validate(await self._get("/actors", principal, query))

    async def actor(self, principal: Principal, actor_id: UUID) -> Actor:
        return Actor.model_validate(await self._get(f"/actors/{actor_id}", principal))

    async def add_actor(self, principal: Principal, body: Mapping[str, Any], *, key: str | None) -> Actor:
        return Actor.model_validate(await self._post("/actors", principal, body, key=key))

    async def change_actor(
        self, principal: Principal, actor_id: UUID, body: Mapping[str, Any], *, version: int
    ) -> None:
        await self._client.put(
            f"/api/v1/actors/{actor_id}", principal=principal, json=dict(body), headers=_match(version)
        )

    async def contacts(self, principal: Principal, actor_id: UUID) -> list[Contact]:
        found = await self._get(f"/actors/{actor_id}/contacts", principal)
        return Page[Contact].model_validate(found).items

    async def add_contact(
        self, principal: Principal, actor_id: UUID, body: Mapping[str, Any], *, key: str | None
    ) -> None:
        await self._post(f"/actors/{actor_id}/contacts", principal, body, key=key)

    async def contact(self, principal: Principal, actor_id: UUID, contact_id: UUID) -> Contact:
        return Contact.model_validate(await self._get(f"/actors/{actor_id}/contacts/{contact_id}", principal))

    async def change_contact(
        self, principal: Principal, actor_id: UUID, contact_id: UUID, body: Mapping[str, Any], *, version: int
    ) -> None:
        await self._client.put(
            f"/api/v1/actors/{actor_id}/contacts/{contact_id}",
            principal=principal,
            json=dict(body),
            headers=_match(version),
        )

    async def add_consent(
        self, principal: Principal, actor_id: UUID, contact_id: UUID, body: Mapping[str, Any], *, key: str | None
    ) -> None:
        await self._post(f"/actors/{actor_id}/contacts/{contact_id}/consents", principal, body, key=key)

    async def withdraw_consent(
        self, principal: Principal, actor_id: UUID, contact_id: UUID, consent_id: UUID, *, key: str | None
    ) -> None:
        path = f"/actors/{actor_id}/contacts/{contact_id}/consents/{consent_id}/withdrawal"
        await self._post(path, principal, None, key=key)

    async def profiles(self, principal: Principal, **query: Any) -> Page[OwnProfile]:
        return Page[OwnProfile].model_validate(await self._get("/profiles", principal, query))

    async def profile(self, principal: Principal, profile_id: UUID) -> OwnProfile:
        return OwnProfile.model_validate(await self._get(f"/profiles/{profile_id}", principal))

    async def add_profile(self, principal: Principal, body: Mapping[str, Any], *, key: str | None) -> OwnProfile:
        return OwnProfile.model_validate(await self._post("/profiles", principal, body, key=key))

    async def change_profile(
        self, principal: Principal, profile_id: UUID, body: Mapping[str, Any], *, version: int
    ) -> None:
        await self._client.put(
            f"/api/v1/profiles/{profile_id}", principal=principal, json=dict(body), headers=_match(version)
        )

    async def anonymity(self, principal: Principal, profile_id: UUID) -> list[Finding]:
        found = await self._get(f"/profiles/{profile_id}/anonymity", principal)
        return [Finding.model_validate(item) for item in found["findings"]]

    async def move_profile(
        self,
        principal: Principal,
        profile_id: UUID,
        step: str,
        body: Mapping[str, Any] | None = None,
        *,
        version: int,
        key: str | None,
    ) -> None:
        """`step` is submission, review or withdrawal; it speaks of the version that was read."""
        await self._client.post(
            f"/api/v1/profiles/{profile_id}/{step}",
            principal=principal,
            json=dict(body) if body is not None else None,
            headers=_match(version) | _key(key),
        )

    async def public_profiles(self, principal: Principal, **query: Any) -> Directory[PublicProfile]:
        return Directory[PublicProfile].model_validate(await self._get("/directory/profiles", principal, query))

    async def public_profile(self, principal: Principal, profile_id: UUID) -> PublicProfile:
        return PublicProfile.model_validate(await self._get(f"/directory/profiles/{profile_id}", principal))

    async def public_actors(self, principal: Principal, **query: Any) -> Directory[PublicActor]:
        return Directory[PublicActor].model_validate(await self._get("/directory/actors", principal, query))

    async def public_actor(self, principal: Principal, actor_id: UUID) -> PublicActor:
        return PublicActor.model_validate(await self._get(f"/directory/actors/{actor_id}", principal))

    async def _get(self, path: str, principal: Principal, query: Mapping[str, Any] | None = None) -> Any:
        return (await self._client.get(f"/api/v1{path}", principal=principal, params=query)).json()

    async def _post(self, path: str, principal: Principal, body: Mapping[str, Any] | None, *, key: str | None) -> Any:
        answer = await self._client.post(
            f"/api/v1{path}",
            principal=principal,
            json=dict(body) if body is not None else None,
            headers=_key(key),
        )
        return answer.json() if answer.content else {}


class Matching:
    """Who fits whom, and why."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def matches(self, principal: Principal, body: Mapping[str, Any]) -> Matches:
        return Matches.model_validate(
            (await self._client.post("/api/v1/matches", principal=principal, json=dict(body))).json()
        )

    async def verdict(self, principal: Principal, body: Mapping[str, Any]) -> None:
        await self._client.post("/api/v1/verdicts", principal=principal, json=dict(body))


class Notify:
    """What a person should hear of."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def notices(self, principal: Principal, **query: Any) -> NoticePage:
        return NoticePage.model_validate(
            (await self._client.get("/api/v1/notices", principal=principal, params=query)).json()
        )

    async def seen(self, principal: Principal, notice_id: UUID | None = None) -> None:
        """One notice is seen, or all are."""
        path = f"/api/v1/notices/{notice_id}/seen" if notice_id else "/api/v1/notices/seen"
        await self._client.post(path, principal=principal, json={})

    async def deliveries(self, principal: Principal, **query: Any) -> Page[Delivery]:
        return Page[Delivery].model_validate(
            (await self._client.get("/api/v1/deliveries", principal=principal, params=query)).json()
        )

    async def try_again(self, principal: Principal, delivery_id: UUID, *, key: str | None) -> None:
        await self._client.post(f"/api/v1/deliveries/{delivery_id}/attempts", principal=principal, headers=_key(key))

    async def preferences(self, principal: Principal) -> Preferences:
        return Preferences.model_validate((await self._client.get("/api/v1/preferences", principal=principal)).json())

    async def change_preferences(self, principal: Principal, body: Mapping[str, Any], *, version: int) -> None:
        await self._client.put("/api/v1/preferences", principal=principal, json=dict(body), headers=_match(version))

    async def unsubscription(self, principal: Principal, token: str) -> Unsubscription:
        """What a mail's link would switch off. Changes nothing."""
        answer = await self._client.get("/api/v1/unsubscriptions", principal=principal, params={"token": token})
        return Unsubscription.model_validate(answer.json())

    async def unsubscribe(self, principal: Principal, token: str) -> Unsubscription:
        """Switches it off, for whom the mail went to."""
        answer = await self._client.post("/api/v1/unsubscriptions", principal=principal, json={"token": token})
        return Unsubscription.model_validate(answer.json())
