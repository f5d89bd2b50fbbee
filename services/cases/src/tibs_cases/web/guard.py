"""What stands before every page: who is signed in, is it one of our forms, what may the browser load."""

import hashlib
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tibs_cases.web import session as sessions
from tibs_cases.web.i18n import speak
from tibs_cases.web.session import SignedIn
from tibs_chassis.auth import Principal
from tibs_chassis.edge import MAX_BODY, EdgeRoute, GuardedRoute
from tibs_chassis.problems import Forbidden, Problem

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SignInNeeded(Exception):
    """Nobody is signed in, or not any more."""


class _Pages(GuardedRoute):
    async def authenticate(self, request: Request) -> Principal:
        signed_in = await signed_in_by(request)
        request.state.signed_in = signed_in
        speak(signed_in.principal.language)
        if request.method not in _SAFE:
            await check_own_page(request, signed_in)
        return signed_in.principal


class PageRoute(_Pages):
    """A page, or a form whose work another service does. It opens a transaction itself where it reads our own tables,
    and closes it before it asks others."""


class FormRoute(_Pages, EdgeRoute):
    """A form of this service's own: one transaction, sent twice done once."""

    async def idempotency_key(self, request: Request) -> str | None:
        return await form_key(request)


async def form_key(request: Request) -> str | None:
    """The form's own key with what was typed: the same form sent twice is one request, a corrected one is another."""
    key = (await request.form()).get("_key")
    if not isinstance(key, str) or not key:
        return None
    return hashlib.sha256(key.encode() + await request.body()).hexdigest()


async def signed_in_by(request: Request) -> SignedIn:
    cookie: sessions.Cookie = request.app.state.cookie
    token = cookie.read(request)
    if token is None:
        raise SignInNeeded
    async with request.app.state.database.transaction() as session:
        found = await sessions.find(session, token=token, region=request.app.state.node.region)
    if found is None:
        raise SignInNeeded
    return found


async def check_own_page(request: Request, signed_in: SignedIn) -> None:
    """Raises Forbidden for a form that did not come from one of our pages in this very session."""
    if not same_origin(request, public_url=request.app.state.settings.public_url):
        raise Forbidden("The form came from another site. Open the page here and send it again.")
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise Problem(status=413, slug="too-large", title="Too large", detail=f"A form may hold {MAX_BODY} bytes.")
    # The body is kept by the request: whoever reads it next finds it again.
    await request.body()
    token = (await request.form()).get("csrf")
    if not isinstance(token, str) or not signed_in.owns(token):
        raise Forbidden("The form belongs to an earlier sign-in. Load the page again and send it once more.")


def same_origin(request: Request, *, public_url: str) -> bool:
    """What the browser says about where the request began; both headers where it sends both."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is not None:
        own = urlsplit(public_url)
        return origin in (f"{own.scheme}://{own.netloc}", f"{request.url.scheme}://{request.url.netloc}")
    return site is not None or urlsplit(request.headers.get("referer", "")).netloc == request.url.netloc


def content_security_policy(*, form_targets: str = "'self'") -> str:
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            f"form-action {form_targets}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )


class SecurityHeaders:
    """Puts on every answer what a browser may do with it."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        headers = {
            "content-security-policy": content_security_policy(),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
            "cross-origin-opener-policy": "same-origin",
        }
        if secure:
            headers["strict-transport-security"] = "max-age=31536000"
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                held = message.setdefault("headers", [])
                if not any(name.lower() == b"cache-control" for name, _ in held):
                    held.append((b"cache-control", b"no-store"))
                held.extend([*self._headers, (b"vary", b"HX-Request, Cookie")])
            await send(message)

        await self._app(scope, receive, send_with_headers)
