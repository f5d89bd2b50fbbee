"""Writing and reading the timeline. Entries are written in the transaction of what they tell."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_cases.timeline.model import Entry, EntryKind
from tibs_chassis import clock
from tibs_chassis.problems import NotFound
from tibs_contracts.ids import new_id


async def tell(
    session: AsyncSession,
    *,
    feed: UUID,
    kind: EntryKind,
    region: str,
    by: str | None = None,
    introduction_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> Entry:
    """Adds an entry. `details` hold what the entry's sentence needs: ids, codes, titles; never contact data."""
    entry = Entry(
        id=new_id(),
        feed=feed,
        introduction_id=introduction_id,
        kind=kind,
        at=at or clock.now(),
        by=by,
        region=region,
        details=dict(details or {}),
    )
    session.add(entry)
    return entry


async def entries(
    session: AsyncSession,
    *,
    feed: UUID,
    introduction_id: UUID | None = None,
    kinds: Sequence[EntryKind] = (),
    before: UUID | None = None,
    limit: int = 100,
) -> list[Entry]:
    """The newest first; `before` is the id of the last entry of the page before."""
    query = select(Entry).where(col(Entry.feed) == feed)
    if introduction_id is not None:
        query = query.where(col(Entry.introduction_id) == introduction_id)
    if kinds:
        query = query.where(col(Entry.kind).in_(kinds))
    if before is not None:
        query = query.where(col(Entry.id) < before)  # ids are ordered by time of writing
    query = query.order_by(col(Entry.id).desc()).limit(limit)
    return list((await session.scalars(query)).all())


async def pin(session: AsyncSession, *, feed: UUID, entry_id: UUID, pinned: bool) -> Entry:
    """Pins an entry to the top of its feed, or lets it go."""
    entry = await session.get(Entry, entry_id)
    if entry is None or entry.feed != feed:
        raise NotFound("timeline entry", entry_id)
    entry.pinned = pinned
    return entry
