"""Holding, dropping and describing what is in the index."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import clock
from tibs_contracts.events import ProfilePublished
from tibs_matching.embedders import DIMENSIONS, Embedder
from tibs_matching.embedders.port import Vector
from tibs_matching.index import rules
from tibs_matching.index.model import (
    Corpus,
    IndexAnswer,
    IndexedProfile,
    PassageWork,
    ProfileClient,
    RegionHeld,
)

EXPECTED_COUNTS = 20
"""As how many profiles the expected mean counts: with fewer held, a profile would largely be its own background."""


class ForeignProfile(Exception):
    """A region speaks of a profile that another region owns."""


async def hold(session: AsyncSession, *, profile: ProfilePublished, region: str, embedder: Embedder) -> None:
    """Puts a profile into the index, or replaces what was held of it. Raises ForeignProfile and EmbedderAway."""
    held = await _held(session, profile.profile_id, region)
    meaning = rules.meaning_text(profile)
    text_hash = rules.fingerprint(meaning, *rules.passages(profile))
    values: dict[str, Any] = _facets(profile) | {
        "region": region,
        "profile": profile.model_dump(mode="json", exclude_none=True),
        "terms": terms(rules.searched_text(profile), language=profile.language),
        "indexed_at": func.clock_timestamp(),
    }
    new_text = held is None or (held.text_hash, held.embedded_by) != (text_hash, embedder.name)
    if new_text:
        [vector] = await embedder.passages([meaning])
        values |= {"embedding": vector, "embedded_by": embedder.name, "text_hash": text_hash}
    if held is None:
        await session.execute(insert(IndexedProfile).values(profile_id=profile.profile_id, **values))
    else:
        this = _column("profile_id") == profile.profile_id
        await session.execute(update(IndexedProfile).where(this).values(**values))
    if new_text:
        await session.execute(insert(PassageWork).values(profile_id=profile.profile_id).on_conflict_do_nothing())


async def drop(session: AsyncSession, *, profile_id: UUID, region: str) -> None:
    """Removes a profile and all that was made from it. Raises ForeignProfile."""
    if await _held(session, profile_id, region) is not None:
        await session.execute(delete(IndexedProfile).where(_column("profile_id") == profile_id))


async def link(session: AsyncSession, *, profile_id: UUID, actor_id: UUID) -> None:
    """Remembers whose a profile of this region is."""
    statement = insert(ProfileClient).values(profile_id=profile_id, actor_id=actor_id)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["profile_id"], set_={"actor_id": statement.excluded.actor_id})
    )


async def unlink(session: AsyncSession, *, profile_id: UUID) -> None:
    """Forgets whose a profile was, which nobody is offered any more."""
    await session.execute(delete(ProfileClient).where(ProfileClient.__table__.c.profile_id == profile_id))  # type: ignore[attr-defined]


async def empty(session: AsyncSession) -> None:
    """Forgets all profiles, to build them anew."""
    await session.execute(delete(IndexedProfile))


async def empty_links(session: AsyncSession) -> None:
    """Forgets whose the profiles are, to build it anew."""
    await session.execute(delete(ProfileClient))


def terms(searched: str, *, language: str) -> Any:
    """SQL for the words of a text: stems of its language and words as they stand, without their places."""
    return func.strip(
        func.to_tsvector(text(f"'{rules.configuration(language)}'"), searched).op("||")(
            func.to_tsvector(text("'simple'"), searched)
        )
    )


async def describe(session: AsyncSession) -> IndexAnswer:
    """Counts per region."""
    today = clock.now().date()
    can_be_proposed = _column("open_for_interest") & (_column("valid_until") >= today)
    rows = await session.execute(
        select(
            _column("region"),
            func.count(),
            func.count().filter(can_be_proposed),
            func.max(_column("published_at")),
            func.max(_column("embedded_by")),
        )
        .group_by(_column("region"))
        .order_by(_column("region"))
    )
    held = [tuple(row) for row in rows]
    return IndexAnswer(
        profiles=sum(row[1] for row in held),
        open=sum(row[2] for row in held),
        newest=max((row[3] for row in held), default=None),
        embedder=max((row[4] for row in held), default=None),
        waiting=(await session.execute(select(func.count()).select_from(PassageWork))).scalar_one(),
        regions=[RegionHeld(region=row[0], profiles=row[1], open=row[2], newest=row[3]) for row in held],
    )


@dataclass(frozen=True)
class Background:
    """The index as a whole: how many profiles, and the direction into which all their vectors lean."""

    profiles: int
    embedded: int
    mean: Vector

    def mean_with(self, expected: Vector) -> Vector:
        """The mean, held by what is expected of any profile while only few are known."""
        total = self.embedded * self.mean + EXPECTED_COUNTS * expected
        return (total / (self.embedded + EXPECTED_COUNTS)).astype(np.float32)


async def background(session: AsyncSession, *, embedder: str) -> Background:
    """As last counted by upkeep; nothing, if it has not been, or with another embedder."""
    corpus = await session.get(Corpus, 1)
    if corpus is None or corpus.embedded_by != embedder or corpus.mean is None:
        count = corpus.profiles if corpus is not None else 0
        return Background(profiles=count, embedded=0, mean=np.zeros(DIMENSIONS, dtype=np.float32))
    return Background(
        profiles=corpus.profiles, embedded=corpus.embedded, mean=np.asarray(corpus.mean, dtype=np.float32)
    )


def _facets(profile: ProfilePublished) -> dict[str, Any]:
    return {
        "profile_type": profile.profile_type.value,
        "language": profile.language,
        "country": profile.client.country,
        "client_kind": profile.client.kind.value,
        "client_size": profile.client.size.value if profile.client.size is not None else None,
        "sectors": rules.codes(profile.sectors),
        "cooperation": rules.codes(profile.cooperation),
        "target_countries": sorted(set(profile.target_countries)),
        "languages": sorted({*profile.languages, profile.language}),
        "trans_s3": rules.codes(profile.trans_s3),
        "sought_kinds": rules.codes(profile.partner_sought.kinds),
        "sought_sizes": rules.codes(profile.partner_sought.sizes),
        "trl": rules.readiness(trl=profile.trl, stage=profile.stage),
        "published_at": profile.published_at,
        "valid_until": profile.valid_until,
        "open_for_interest": profile.open_for_interest,
    }


@dataclass(frozen=True)
class _Held:
    text_hash: str
    embedded_by: str


async def _held(session: AsyncSession, profile_id: UUID, region: str) -> _Held | None:
    row = (
        await session.execute(
            select(_column("region"), _column("text_hash"), _column("embedded_by"))
            .where(_column("profile_id") == profile_id)
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        return None
    if row[0] != region:
        raise ForeignProfile(f"profile {profile_id} belongs to region '{row[0]}', but region '{region}' speaks of it")
    return _Held(text_hash=row[1], embedded_by=row[2])


def _column(name: str) -> Any:
    return IndexedProfile.__table__.c[name]  # type: ignore[attr-defined]
