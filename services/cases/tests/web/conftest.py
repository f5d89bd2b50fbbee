"""The workbench over a node's real database. The other services are away: nobody answers at their address."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser

from tibs_cases.introductions.gateway import HttpRegistry
from tibs_cases.web import session as sessions
from tibs_cases.web.app import create_workbench
from tibs_chassis.auth import Principal
from tibs_chassis.client import ServiceClient

from ..conftest import TestNode

ORIGIN = "http://127.0.0.1:1"


@dataclass
class Visitor:
    """Somebody's browser at the workbench."""

    client: httpx.AsyncClient
    token: str | None = None

    async def open(self, path: str) -> tuple[httpx.Response, LexborHTMLParser]:
        answer = await self.client.get(path)
        return answer, LexborHTMLParser(answer.text)

    async def csrf(self) -> str:
        """The form token of a page, as it stands there."""
        _answer, page = await self.open("/today")
        field = page.css_first("input[name=csrf]")
        assert field is not None
        return field.attributes["value"] or ""

    async def send(self, path: str, *, headers: dict[str, str] | None = None, **fields: object) -> httpx.Response:
        """A form of ours, with its token."""
        data = {"csrf": await self.csrf(), "_key": "a key of this form", **fields}
        own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        return await self.client.post(path, data=data, headers=own if headers is None else headers)


@dataclass
class Workplace:
    """A node with its pages, and a way to sit down at them."""

    node: TestNode
    app: FastAPI
    visit: Callable[..., Awaitable[Visitor]]


@pytest.fixture
async def workplace(pl: TestNode) -> AsyncIterator[Workplace]:
    async with AsyncExitStack() as stack:
        settings = pl.app.state.settings
        services = {
            name: ServiceClient(ORIGIN, audience=name, minter=pl.minter, timeout=0.5)
            for name in ("registry", "matching", "notify")
        }
        for service in services.values():
            stack.push_async_callback(service.close)
        app = create_workbench(
            settings=settings, database=pl.database, node=pl.node, itself=pl.minter.node("cases"), **services
        )
        assert isinstance(app.state.workbench.contacts, HttpRegistry)
        app.state.workbench.contacts = pl.contacts

        async def visit(principal: Principal | None = pl.broker) -> Visitor:
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN)
            )
            if principal is None:
                return Visitor(client)
            async with pl.database.transaction() as session:
                token = await sessions.begin(session, principal=principal)
            client.cookies.set(app.state.cookie.name, token)
            return Visitor(client, token)

        yield Workplace(pl, app, visit)
