"""Calls from one service of the node to another, only where a person waits for the answer."""

from collections.abc import Mapping
from typing import Any

import httpx

from tibs_chassis.auth import Principal
from tibs_chassis.problems import MEDIA_TYPE, Problem, Unavailable
from tibs_chassis.tokens import TokenMinter


class Unreachable(Unavailable):
    """The other service is away. One panel of a page may miss it, never the page."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"The {service} service does not answer ({reason}).")
        self.service = service
        self.reason = reason


class ServiceClient:
    """An HTTP client for one service, acting for whoever is named in each call."""

    def __init__(self, base_url: str, *, audience: str, minter: TokenMinter, timeout: float = 2.0) -> None:
        self._audience = audience
        self._minter = minter
        self._client = httpx.AsyncClient(base_url=base_url, timeout=httpx.Timeout(timeout, connect=1.0))

    async def request(
        self,
        method: str,
        path: str,
        *,
        principal: Principal,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, if below 400. From 400 raises the other side's Problem, from 500 or for silence Unreachable."""
        token = self._minter.mint(principal, self._audience)
        try:
            response = await self._client.request(
                method,
                path,
                json=json,
                params={name: value for name, value in (params or {}).items() if value is not None},
                headers={"Authorization": f"Bearer {token}", **(headers or {})},
            )
        except httpx.HTTPError as error:
            raise Unreachable(self._audience, type(error).__name__) from error
        if response.status_code >= 500:
            raise Unreachable(self._audience, f"status {response.status_code}")
        if response.status_code >= 400:
            document = response.json() if MEDIA_TYPE in response.headers.get("content-type", "") else {}
            raise Problem.from_document(document, status=response.status_code)
        return response

    async def get(self, path: str, *, principal: Principal, **more: Any) -> httpx.Response:
        return await self.request("GET", path, principal=principal, **more)

    async def post(self, path: str, *, principal: Principal, **more: Any) -> httpx.Response:
        return await self.request("POST", path, principal=principal, **more)

    async def put(self, path: str, *, principal: Principal, **more: Any) -> httpx.Response:
        return await self.request("PUT", path, principal=principal, **more)

    async def delete(self, path: str, *, principal: Principal, **more: Any) -> httpx.Response:
        return await self.request("DELETE", path, principal=principal, **more)

    async def close(self) -> None:
        await self._client.aclose()
