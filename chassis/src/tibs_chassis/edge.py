"""The HTTP edge: who asks, may they, and one transaction for what they ask, committed before the answer leaves."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.access import authorise
from tibs_chassis.auth import Principal
from tibs_chassis.problems import FieldError, Invalid, Problem

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEY = re.compile(r"[\x21-\x7e]{8,100}")
_KEPT_HEADERS = ("content-type", "etag", "location")
MAX_BODY = 1_000_000
"""Bytes; what people type is far below."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route that asks who is there before it reads anything, by `state.verifier` and `state.access` of its app."""

    async def authenticate(self, request: Request) -> Principal:
        principal: Principal = await request.app.state.verifier.principal(request)
        return principal

    async def guard(self, request: Request) -> None:
        principal = await self.authenticate(request)
        authorise(principal, route=self.name, access=request.app.state.access)
        request.state.principal = principal

    def get_route_handler(self) -> Handler:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            await self.guard(request)
            return await original(request)

        return handler


class EdgeRoute(GuardedRoute):
    """A guarded route with one session. Unsafe methods commit it if the answer is below 400; nothing else ever commits.

    With an idempotency key (header `Idempotency-Key`) the answer is kept in the same transaction: the same request
    again gets the same answer and does nothing; another request under that key is refused.
    """

    async def idempotency_key(self, request: Request) -> str | None:
        return request.headers.get("idempotency-key")

    def get_route_handler(self) -> Handler:
        original = super(GuardedRoute, self).get_route_handler()

        async def handler(request: Request) -> Response:
            await self.guard(request)
            unsafe = request.method in _UNSAFE
            if unsafe:
                await _bounded_body(request)
            async with request.app.state.database.session() as session:
                request.state.session = session
                if not unsafe:
                    return await original(request)
                return await self._unit_of_work(request, session, original)

        return handler

    async def _unit_of_work(self, request: Request, session: AsyncSession, original: Handler) -> Response:
        key = await self.idempotency_key(request) if request.method == "POST" else None
        async with session.begin() as transaction:
            if key is not None and (kept := await _claim(request, session, key)) is not None:
                return kept
            response = await original(request)
            if response.status_code >= 400:
                await transaction.rollback()
            elif key is not None:
                await _keep(request, session, key, response)
        return response


async def _bounded_body(request: Request) -> None:
    declared = request.headers.get("content-length")
    too_large = Problem(
        status=413,
        slug="too-large",
        title="Too large",
        detail=f"The body may hold {MAX_BODY} bytes.",
    )
    if declared is not None and declared.isdigit() and int(declared) > MAX_BODY:
        raise too_large
    if len(await request.body()) > MAX_BODY:
        raise too_large


async def _fingerprint(request: Request) -> bytes:
    start = f"{request.method} {request.url.path}\n".encode()
    return hashlib.sha256(start + await request.body()).digest()


async def _claim(request: Request, session: AsyncSession, key: str) -> Response | None:
    if not _KEY.fullmatch(key):
        raise Invalid(
            "The idempotency key is not usable.",
            errors=[
                FieldError(
                    pointer="header Idempotency-Key",
                    reason="should be 8 to 100 visible ASCII characters",
                    held=key[:80],
                )
            ],
        )
    principal: Principal = request.state.principal
    where = {"person": principal.person, "key": key}
    fingerprint = await _fingerprint(request)
    # A second request under the same key waits here until the first has ended.
    result = await session.execute(
        text(
            "INSERT INTO idempotency (person, key, request_hash) VALUES (:person, :key, :hash) ON CONFLICT DO NOTHING"
        ),
        where | {"hash": fingerprint},
    )
    if result.rowcount == 1:  # type: ignore[attr-defined]
        return None
    kept = (
        await session.execute(
            text("SELECT request_hash, status, headers, body FROM idempotency WHERE person = :person AND key = :key"),
            where,
        )
    ).one()
    if bytes(kept.request_hash) != fingerprint:
        raise Problem(
            status=422,
            slug="idempotency-key-reused",
            title="Key already used",
            detail="This idempotency key belongs to another request; use a new key for a new request.",
            errors=[FieldError(pointer="header Idempotency-Key", reason="was used for another request", held=key)],
        )
    return Response(
        content=bytes(kept.body), status_code=kept.status, headers={**kept.headers, "Idempotency-Replayed": "true"}
    )


async def _keep(request: Request, session: AsyncSession, key: str, response: Response) -> None:
    principal: Principal = request.state.principal
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    await session.execute(
        text(
            "UPDATE idempotency SET status = :status, headers = :headers, body = :body"
            " WHERE person = :person AND key = :key"
        ).bindparams(bindparam("headers", type_=JSONB)),
        {
            "person": principal.person,
            "key": key,
            "status": response.status_code,
            "headers": headers,
            "body": bytes(response.body),
        },
    )


async def _session(request: Request) -> AsyncSession:
    session: AsyncSession = request.state.session
    return session


Session = Annotated[AsyncSession, Depends(_session)]
"""The session of the request's unit of work."""


async def _committed(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.database.transaction() as session:
        yield session


AuditedRead = Annotated[AsyncSession, Depends(_committed, scope="function")]
"""The session of a read that leaves an audit record: committed before the answer, so that none is seen unrecorded."""


def etag(version: int) -> dict[str, str]:
    """The header that names an aggregate's version."""
    return {"ETag": f'"{version}"'}


async def _if_match(if_match: Annotated[str | None, Header()] = None) -> int:
    if if_match is None:
        raise Problem(
            status=428,
            slug="precondition-required",
            title="Say which version you changed",
            detail='An edit needs the header If-Match with the ETag that you read, such as "3".',
        )
    found = re.fullmatch(r'(?:W/)?"([1-9][0-9]{0,17})"', if_match.strip())
    if found is None:
        raise Problem(
            status=400,
            slug="malformed-etag",
            title="Not an ETag of ours",
            detail="If-Match should hold one ETag as it was read.",
            errors=[FieldError(pointer="header If-Match", reason='should be like "3"', held=if_match[:80])],
        )
    return int(found[1])


IfMatch = Annotated[int, Depends(_if_match)]
"""The version that the caller has seen."""


def require_version(*, expected: int, held: int) -> None:
    """Raises 412 if somebody else was faster."""
    if expected != held:
        raise Problem(
            status=412,
            slug="stale-version",
            title="Somebody changed this meanwhile",
            detail=f"You changed version {expected}, but version {held} is there now. Read it again, then edit.",
            held_version=held,
        )
