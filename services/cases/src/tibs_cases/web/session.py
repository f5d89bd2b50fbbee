"""Server-side sessions: begun at sign-in with a fresh id, found by its digest, ended at sign-out or by time."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.web.model import WebSession
from tibs_chassis.auth import Principal, Role
from tibs_chassis.clock import now

LIFETIME = timedelta(hours=10)
"""A working day: whoever comes back tomorrow signs in again."""
IDLE = timedelta(hours=2)
_SEEN_EVERY = timedelta(minutes=1)
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Cookie:
    """The session's cookie. With https its name forbids any other host or path to set it.

    Without it, as on one's own machine, the region is in the name: browsers keep one jar for all ports of a host.
    """

    secure: bool
    region: str

    @property
    def name(self) -> str:
        return "__Host-tibs" if self.secure else f"tibs-{self.region}"

    def read(self, request: Request) -> str | None:
        return request.cookies.get(self.name)

    def write(self, response: Response, token: str) -> None:
        response.set_cookie(
            self.name,
            token,
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True)
class SignedIn:
    """A live session as pages see it."""

    principal: Principal
    csrf_secret: bytes = field(repr=False)
    id_hash: bytes = field(repr=False)

    @property
    def csrf(self) -> str:
        """The form token: the secret under a fresh mask each time, so that a compressed page gives nothing away."""
        mask = secrets.token_bytes(_SECRET_BYTES)
        return urlsafe_b64encode(mask + _mixed(mask, self.csrf_secret)).decode()

    def owns(self, token: str) -> bool:
        """Whether a form token belongs to this session."""
        try:
            held = urlsafe_b64decode(token.encode())
        except ValueError:
            return False
        if len(held) != 2 * _SECRET_BYTES:
            return False
        mask, mixed = held[:_SECRET_BYTES], held[_SECRET_BYTES:]
        return secrets.compare_digest(_mixed(mask, mixed), self.csrf_secret)


def _mixed(mask: bytes, other: bytes) -> bytes:
    return bytes(one ^ two for one, two in zip(mask, other, strict=True))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def begin(session: AsyncSession, *, principal: Principal, replaces: str | None = None) -> str:
    """A new session for a person; the one before in this browser ends. Gives the id that only the browser keeps."""
    moment = now()
    await session.execute(delete(WebSession).where(col(WebSession.expires_at) < moment))
    if replaces is not None:
        await end(session, token=replaces)
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            id_hash=_hash(token),
            person=principal.person,
            name=principal.name,
            email=principal.email,
            roles=sorted(principal.roles),
            language=principal.language,
            csrf_secret=secrets.token_bytes(_SECRET_BYTES),
            created_at=moment,
            seen_at=moment,
            expires_at=moment + LIFETIME,
        )
    )
    await session.flush()
    return token


async def find(session: AsyncSession, *, token: str, region: str) -> SignedIn | None:
    """The live session with this id, marked as seen; nothing when there is none or its time is over."""
    held = await session.get(WebSession, _hash(token))
    moment = now()
    if held is None or is_over(held, moment=moment):
        return None
    if moment - held.seen_at > _SEEN_EVERY:
        held.seen_at = moment
    known = {role.value for role in Role}
    principal = Principal(
        person=held.person,
        name=held.name,
        email=held.email,
        roles=frozenset(Role(role) for role in held.roles if role in known),
        region=region,
        language=held.language,
    )
    return SignedIn(principal=principal, csrf_secret=held.csrf_secret, id_hash=held.id_hash)


def is_over(held: WebSession, *, moment: datetime) -> bool:
    return held.expires_at <= moment or held.seen_at + IDLE <= moment


async def speak(session: AsyncSession, *, signed_in: SignedIn, language: str) -> None:
    """The person reads another language from now on."""
    await session.execute(
        update(WebSession).where(col(WebSession.id_hash) == signed_in.id_hash).values(language=language)
    )


async def end(session: AsyncSession, *, token: str) -> None:
    await session.execute(delete(WebSession).where(col(WebSession.id_hash) == _hash(token)))
