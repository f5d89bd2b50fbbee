"""The audit log: append-only, each entry bound to the one before by its hash."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import clock
from tibs_chassis.auth import Principal

_SYSTEM = "system"
_APPEND = text(
    "INSERT INTO audit (seq, at, person, action, subject, detail, hash)"
    " VALUES (:seq, :at, :person, :action, :subject, :detail, :hash)"
).bindparams(bindparam("detail", type_=JSONB))


async def record(
    session: AsyncSession,
    *,
    principal: Principal | None,
    action: str,
    subject: str,
    detail: Mapping[str, str] | None = None,
) -> None:
    """Appends who did what to what, in the caller's transaction. `detail` holds ids and codes, never contact data."""
    # One writer at a time, or two entries would follow the same one.
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('tibs-audit'))"))
    last = (await session.execute(text("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"))).first()
    seq, previous = (last.seq + 1, bytes(last.hash)) if last is not None else (1, b"")
    at = clock.now()
    person = principal.person if principal is not None else _SYSTEM
    detail = dict(detail or {})
    await session.execute(
        _APPEND,
        {
            "seq": seq,
            "at": at,
            "person": person,
            "action": action,
            "subject": subject,
            "detail": detail,
            "hash": _hash(previous, seq, at, person, action, subject, detail),
        },
    )


def _hash(
    previous: bytes, seq: int, at: datetime, person: str, action: str, subject: str, detail: Mapping[str, str]
) -> bytes:
    entry = json.dumps([seq, at.isoformat(), person, action, subject, detail], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(previous + entry.encode()).digest()


async def first_break(session: AsyncSession) -> int | None:
    """The number of the first entry that was changed or is missing; None if the log is whole."""
    previous, expected = b"", 1
    for row in await session.execute(
        text("SELECT seq, at, person, action, subject, detail, hash FROM audit ORDER BY seq")
    ):
        entry = _hash(previous, row.seq, row.at, row.person, row.action, row.subject, row.detail)
        if row.seq != expected or entry != bytes(row.hash):
            return expected
        previous, expected = entry, expected + 1
    return None
