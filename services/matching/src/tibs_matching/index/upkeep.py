"""What follows after a profile can be found: passages, counts of words, and vectors of a new model.

None of it is urgent and none of it belongs into a handler's transaction; what was interrupted is simply found again.
"""

import asyncio
import time

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from tibs_chassis.database import Database
from tibs_chassis.inbox import is_transient
from tibs_chassis.log import logger
from tibs_contracts.events import ProfilePublished
from tibs_matching.embedders import Embedder, EmbedderAway
from tibs_matching.index import rules
from tibs_matching.index.model import IndexedProfile, PassageWork, ProfilePassage

_BATCH = 8
_REST = 20
"""Counting anew may take one part in so many of the time: the larger the index, the rarer the count."""
_MODEL_CHECK_SECONDS = 60.0

_PROFILE = IndexedProfile.__table__.c  # type: ignore[attr-defined]
_WORK = PassageWork.__table__.c  # type: ignore[attr-defined]
_PASSAGE = ProfilePassage.__table__.c  # type: ignore[attr-defined]

_CHANGED = text(
    """
    SELECT held.profiles, held.newest,
        (held.profiles, held.newest, :embedder)
            IS DISTINCT FROM (c.profiles::bigint, c.newest, c.embedded_by) AS changed
    FROM (SELECT count(*) AS profiles, max(indexed_at) AS newest FROM indexed_profile) AS held
    LEFT JOIN corpus c ON true
    """
)
_COUNT_WORDS = text(
    """
    WITH counted AS MATERIALIZED (SELECT word, ndoc FROM ts_stat('SELECT terms FROM indexed_profile')),
    gone AS (DELETE FROM lexeme l WHERE NOT EXISTS (SELECT FROM counted WHERE counted.word = l.word))
    INSERT INTO lexeme AS l (word, profiles) SELECT word, ndoc FROM counted
    ON CONFLICT (word) DO UPDATE SET profiles = excluded.profiles WHERE l.profiles <> excluded.profiles
    """
)
_DESCRIBE = text(
    """
    INSERT INTO corpus (id, profiles, newest, embedded, embedded_by, mean)
    SELECT 1, :profiles, :newest, count(*), :embedder, avg(embedding) FROM indexed_profile WHERE embedded_by = :embedder
    ON CONFLICT (id) DO UPDATE SET profiles = excluded.profiles, newest = excluded.newest,
        embedded = excluded.embedded, embedded_by = excluded.embedded_by, mean = excluded.mean
    """
)


class Upkeep:
    """Works until cancelled, a little at a time. Several may run: what one does, another finds done."""

    def __init__(self, *, database: Database, embedder: Embedder, pause: float) -> None:
        self._database = database
        self._embedder = embedder
        self._pause = pause
        self._count_again = 0.0
        self._check_model = 0.0

    async def run(self) -> None:
        """Never ends by itself: what is away comes back, and what is broken is told in the log."""
        while True:
            try:
                busy = await self.round()
            except Exception as error:
                if not (is_transient(error) or isinstance(error, EmbedderAway)):
                    logger.exception("upkeep.failed")
                else:
                    logger.warning("upkeep.waiting", reason=type(error).__name__)
                await asyncio.sleep(5)
                continue
            if not busy:
                await asyncio.sleep(self._pause)

    async def settle(self) -> None:
        """Works until nothing is open."""
        self._count_again = self._check_model = 0.0
        while await self.round():
            self._count_again = self._check_model = 0.0

    async def round(self) -> bool:
        """One piece of each kind of work; whether there was any besides counting."""
        counted = await self._count()
        renewed = await self._renew()
        split = await self._split()
        return counted or renewed or split

    async def _count(self) -> bool:
        """How often each word stands in the index, and the mean of all vectors."""
        started = time.monotonic()
        if started < self._count_again:
            return False
        async with self._database.transaction() as session:
            if not (await session.execute(text("SELECT pg_try_advisory_xact_lock(hashtext('tibs-corpus'))"))).scalar():
                return False
            held = (await session.execute(_CHANGED, {"embedder": self._embedder.name})).one()
            if held.changed is False:
                return False
            await session.execute(_COUNT_WORDS)
            await session.execute(
                _DESCRIBE,
                {"profiles": held.profiles, "newest": held.newest, "embedder": self._embedder.name},
            )
        ended = time.monotonic()
        self._count_again = ended + _REST * (ended - started)
        return True

    async def _renew(self) -> bool:
        """Embeds what another model embedded, so that a new model needs no replay."""
        if time.monotonic() < self._check_model:
            return False
        async with self._database.transaction() as session:
            stale = (
                await session.execute(
                    select(_PROFILE.profile_id, _PROFILE.profile, _PROFILE.text_hash)
                    .where(_PROFILE.embedded_by != self._embedder.name)
                    .limit(_BATCH)
                )
            ).all()
        for row in stale:
            profile = ProfilePublished.model_validate(row.profile, extra="ignore")
            [vector] = await self._embedder.passages([rules.meaning_text(profile)])
            async with self._database.transaction() as session:
                renewed = await session.execute(
                    update(IndexedProfile)
                    .where(_PROFILE.profile_id == row.profile_id, _PROFILE.text_hash == row.text_hash)
                    .values(embedding=vector, embedded_by=self._embedder.name, indexed_at=text("clock_timestamp()"))
                    .returning(_PROFILE.profile_id)
                )
                if renewed.scalar() is not None:
                    await session.execute(
                        insert(PassageWork).values(profile_id=row.profile_id).on_conflict_do_nothing()
                    )
        if not stale:
            self._check_model = time.monotonic() + _MODEL_CHECK_SECONDS
        return bool(stale)

    async def _split(self) -> bool:
        """Embeds the passages of profiles that came or changed."""
        async with self._database.transaction() as session:
            rows = (
                await session.execute(
                    select(_PROFILE.profile_id, _PROFILE.profile, _PROFILE.text_hash)
                    .join(PassageWork, _WORK.profile_id == _PROFILE.profile_id)
                    .limit(_BATCH)
                )
            ).all()
        for row in rows:
            passages = rules.passages(ProfilePublished.model_validate(row.profile, extra="ignore"))
            vectors = await self._embedder.passages(passages)
            async with self._database.transaction() as session:
                now = await session.execute(
                    select(_PROFILE.text_hash).where(_PROFILE.profile_id == row.profile_id).with_for_update()
                )
                if now.scalar_one_or_none() != row.text_hash:
                    continue  # It changed meanwhile, and stands in the work list again.
                await session.execute(delete(ProfilePassage).where(_PASSAGE.profile_id == row.profile_id))
                await session.execute(
                    insert(ProfilePassage),
                    [
                        {"profile_id": row.profile_id, "number": number, "text": passage, "embedding": vector}
                        for number, (passage, vector) in enumerate(zip(passages, vectors, strict=True))
                    ],
                )
                await session.execute(delete(PassageWork).where(_WORK.profile_id == row.profile_id))
        return bool(rows)
