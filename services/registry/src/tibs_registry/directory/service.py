"""Use cases of the directory: keeping what regions tell, and searching it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, delete, false, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tibs_chassis import clock
from tibs_chassis.problems import NotFound
from tibs_registry.directory.model import DirectoryActor, DirectoryProfile
from tibs_registry.paging import cursor_of, read_cursor
from tibs_registry.words import text_query

R = TypeVar("R", DirectoryProfile, DirectoryActor)
Chosen = Mapping[str, Sequence[str]]
Facets = dict[str, dict[str, int]]
Row = DirectoryProfile | DirectoryActor


@dataclass(frozen=True)
class Results(Generic[R]):
    """One page, and for each facet how many each value would give with the other filters kept."""

    items: Sequence[R]
    next: str | None
    total: int
    facets: Facets


async def put(session: AsyncSession, row: Row) -> bool:
    """Keeps a row in place of the one before; False if another region published it, then nothing was changed."""
    table = type(row)
    values = {name: getattr(row, name) for name in table.model_fields}
    key = "profile_id" if isinstance(row, DirectoryProfile) else "actor_id"
    statement = insert(table).values(values)
    result = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[key],
            set_={name: statement.excluded[name] for name in values if name != key},
            where=col(table.region) == statement.excluded["region"],
        ).returning(col(table.region))
    )
    return result.first() is not None


async def remove_profile(session: AsyncSession, *, profile_id: UUID, region: str) -> None:
    """Removes it if that region published it."""
    mine = (col(DirectoryProfile.profile_id) == profile_id, col(DirectoryProfile.region) == region)
    await session.execute(delete(DirectoryProfile).where(*mine))


async def remove_actor(session: AsyncSession, *, actor_id: UUID, region: str) -> None:
    """Removes it if that region published it."""
    mine = (col(DirectoryActor.actor_id) == actor_id, col(DirectoryActor.region) == region)
    await session.execute(delete(DirectoryActor).where(*mine))


async def clear(session: AsyncSession) -> None:
    """Empties the directory, to be built anew from events."""
    await session.execute(delete(DirectoryProfile))
    await session.execute(delete(DirectoryActor))


async def get_profile(session: AsyncSession, *, profile_id: UUID) -> DirectoryProfile:
    row = await session.get(DirectoryProfile, profile_id)
    if row is None:
        raise NotFound("published profile", profile_id)
    return row


async def get_actor(session: AsyncSession, *, actor_id: UUID) -> DirectoryActor:
    row = await session.get(DirectoryActor, actor_id)
    if row is None:
        raise NotFound("listed organisation", actor_id)
    return row


async def search_profiles(
    session: AsyncSession, *, q: str | None, chosen: Chosen, limit: int, cursor: str | None, today: date | None = None
) -> Results[DirectoryProfile]:
    """Profiles that are still valid, the newest first: a region that is away cannot say that its own have expired."""
    key = (col(DirectoryProfile.published_at), col(DirectoryProfile.profile_id))
    search = _Search(
        table=DirectoryProfile,
        always=[col(DirectoryProfile.valid_until) >= (today or clock.now().date()), *_words(DirectoryProfile, q)],
        chosen=chosen,
        order=[column.desc() for column in key],
        rest=[] if cursor is None else [tuple_(*key) < tuple_(*read_cursor(cursor, tuple[datetime, UUID]))],
        cursor=lambda row: cursor_of(row.published_at.isoformat(), str(row.profile_id)),
    )
    return await search.results(session, limit=limit)


async def search_actors(
    session: AsyncSession, *, q: str | None, chosen: Chosen, limit: int, cursor: str | None
) -> Results[DirectoryActor]:
    """Listed organisations by name."""
    key = (col(DirectoryActor.name_key), col(DirectoryActor.actor_id))
    search = _Search(
        table=DirectoryActor,
        always=_words(DirectoryActor, q),
        chosen=chosen,
        order=key,
        rest=[] if cursor is None else [tuple_(*key) > tuple_(*read_cursor(cursor, tuple[str, UUID]))],
        cursor=lambda row: cursor_of(row.name_key, str(row.actor_id)),
    )
    return await search.results(session, limit=limit)


Condition = ColumnElement[bool]
_UNKNOWN = "unknown"
"""What a code that this version does not know is read as: shown, but not offered as a choice."""


@dataclass(frozen=True)
class _Search(Generic[R]):
    """A search: what holds always, what was chosen in each facet, where the page begins."""

    table: type[R]
    always: Sequence[Condition]
    chosen: Chosen
    order: Sequence[Any]
    rest: Sequence[Condition]
    cursor: Callable[[R], str]

    async def results(self, session: AsyncSession, *, limit: int) -> Results[R]:
        conditions = self._conditions()
        total = (await session.execute(select(func.count()).select_from(self.table).where(*conditions))).scalar_one()
        statement = select(self.table).where(*conditions, *self.rest).order_by(*self.order).limit(limit + 1)
        rows = (await session.execute(statement)).scalars().all()
        return Results(
            items=rows[:limit],
            next=self.cursor(rows[limit - 1]) if len(rows) > limit else None,
            total=total,
            facets={name: await self._counts(session, name) for name in self.chosen},
        )

    def _conditions(self, *, but: str | None = None) -> list[Condition]:
        return [*self.always, *(self._in(name) for name, values in self.chosen.items() if values and name != but)]

    def _in(self, name: str) -> Condition:
        values = [str(value) for value in self.chosen[name]]
        if name == "sector":
            return col(self.table.sectors).bool_op("&&")(cast(values, ARRAY(Text)))
        return col(getattr(self.table, name)).in_(values)

    async def _counts(self, session: AsyncSession, name: str) -> dict[str, int]:
        column = func.unnest(self.table.sectors) if name == "sector" else col(getattr(self.table, name))
        number = func.count().label("number")
        values = select(column.label("value")).where(*self._conditions(but=name)).subquery()
        statement = select(values.c.value, number).group_by(values.c.value).order_by(number.desc(), values.c.value)
        return {row.value: row.number for row in await session.execute(statement) if row.value != _UNKNOWN}


def _words(table: type[Row], q: str | None) -> list[Condition]:
    if q is None:
        return []
    query = text_query(q)
    if query is None:
        return [false()]
    return [func.to_tsvector("simple", table.searched).bool_op("@@")(func.to_tsquery("simple", query))]
