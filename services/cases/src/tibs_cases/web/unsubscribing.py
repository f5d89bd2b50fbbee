"""The link at the end of a mail: whoever holds it switches one kind of mail off, without signing in.

Opening the link changes nothing, because mail scanners open all links. Sending its form does, and so does a mail
program's own button (RFC 8058), which sends to the same address: no form token could be in that, nor is one needed,
as the token of the link is all that counts, whoever's browser it comes from.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from tibs_cases.web.gateways import Notify
from tibs_cases.web.shapes import Unsubscription
from tibs_cases.web.shell import bench, preferred_language
from tibs_cases.web.signin import Limiter
from tibs_chassis.auth import Principal
from tibs_chassis.client import Unreachable
from tibs_chassis.log import logger
from tibs_chassis.problems import Problem

TRIES_PER_MINUTE = 60
MAX_TOKEN = 2000

Call = Callable[[Notify, Principal, str], Awaitable[Unsubscription]]

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)


class _Refused(Exception):
    """Nothing came of it. `why` is what the page says: too many tries, no answer, or a link that is none."""

    def __init__(self, why: str, *, status: int) -> None:
        super().__init__(why)
        self.why = why
        self.status = status


@router.get("", name="ask_unsubscribe")
async def ask(request: Request, token: str = "", language: str = "en") -> Response:
    """`language` is the mail's."""
    return await _answer(request, token, language, call=Notify.unsubscription, state="ask")


@router.post("", name="unsubscribe")
async def unsubscribe(request: Request, token: str = "", language: str = "en") -> Response:
    """Answers with the page itself: a mail program that follows no redirect has done it all the same."""
    return await _answer(request, token, language, call=Notify.unsubscribe, state="done")


async def _answer(request: Request, token: str, language: str, *, call: Call, state: str) -> Response:
    language = preferred_language(request, otherwise=language)
    found: Unsubscription | None = None
    status = 200
    try:
        found = await _found(request, token, language, call=call)
    except _Refused as refused:
        state, status = refused.why, refused.status
    response = bench(request).page(
        request,
        "pages/unsubscribe.html",
        status=status,
        language=language,
        state=state,
        found=found,
        address=_address(token, language),
    )
    if status in (429, 503):
        response.headers["Retry-After"] = "60"
    return response


def _address(token: str, language: str) -> str:
    return f"/unsubscribe?{urlencode({'language': language, 'token': token})}"


async def _found(request: Request, token: str, language: str, *, call: Call) -> Unsubscription:
    address = request.client.host if request.client else "unknown"
    limiter: Limiter = request.app.state.unsubscribe_limiter
    if not limiter.allows(address, at=time.monotonic()):
        raise _Refused("wait", status=429)
    if not 0 < len(token) <= MAX_TOKEN:
        raise _Refused("invalid", status=410)
    workbench = bench(request)
    asking = replace(workbench.itself, language=language)
    try:
        return await call(workbench.notify, asking, token)
    except Unreachable as error:
        raise _Refused("away", status=503) from error
    except Problem as problem:
        if problem.status in (401, 403):
            # Not the reader's fault: the node's own services do not trust each other.
            logger.error("unsubscribe.refused", status=problem.status)
            raise _Refused("away", status=503) from problem
        raise _Refused("invalid", status=410) from problem
