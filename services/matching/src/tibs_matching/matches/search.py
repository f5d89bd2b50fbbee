"""From a question to the profiles that may answer it: nearest in meaning, and sharing its telling words."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from pgvector.sqlalchemy import Vector as VectorType
from sqlalchemy import ARRAY, BindParameter, Date, Double, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_contracts.events import ProfilePublished
from tibs_matching.embedders import DIMENSIONS
from tibs_matching.embedders.port import Vector
from tibs_matching.index.rules import configuration
from tibs_matching.matches.facets import answering
from tibs_matching.matches.model import Candidate
from tibs_matching.matches.question import Question, told_of

POOL = 100
"""How many are taken from either way of searching, twice as many as one answer may hold; their union is ranked."""
TELLING = 24
"""How many of a need's words are searched, the rarest first."""
HITS = 6_000
"""How many places of words one search may visit; a common word is left out when it would cost more."""


@dataclass(frozen=True)
class TellingWord:
    """A word of the need: how it is asked for, and how much it tells (less, the more profiles have it)."""

    word: str
    query: str
    weight: float
    profiles: int


_VARIANTS = text(
    """
    SELECT found.place, array_agg(DISTINCT found.lexeme) FILTER (WHERE NOT found.plain) AS stems,
        min(found.lexeme) FILTER (WHERE found.plain) AS word,
        max((SELECT l.profiles FROM lexeme l WHERE l.word = found.lexeme)) AS profiles
    FROM (
        SELECT unnest(positions) AS place, lexeme, true AS plain FROM unnest(to_tsvector('simple', :text))
        UNION ALL
        SELECT unnest(positions), lexeme, false
        FROM unnest(CAST(:configurations AS text[])) AS c(name), unnest(to_tsvector(c.name::regconfig, :text))
    ) AS found
    GROUP BY found.place
    """
)


async def telling_words(
    session: AsyncSession, words: str, *, languages: Sequence[str], profiles: int
) -> list[TellingWord]:
    """The words of a text that tell most, by how few of the `profiles` have them. Stop words are not among them."""
    configurations = sorted({configuration(language) for language in languages} - {"simple"})
    rows = await session.execute(_VARIANTS, {"text": words, "configurations": configurations})
    found: dict[str, TellingWord] = {}
    for row in rows:
        if row.word is None or len(row.word) < 2 or (configurations and not row.stems):
            continue
        held = row.profiles or 0
        variants = dict.fromkeys([*(row.stems or []), row.word])
        found[row.word] = TellingWord(
            word=row.word,
            query=" | ".join(_quoted(variant) for variant in variants),
            weight=math.log(1 + (max(profiles, held) - held + 0.5) / (held + 0.5)),
            profiles=held,
        )
    return affordable(sorted(found.values(), key=lambda one: (-one.weight, one.word)))


def affordable(words: Sequence[TellingWord]) -> list[TellingWord]:
    """From the most telling word on, as many as one search may look for."""
    taken: list[TellingWord] = []
    hits = 0
    for word in words[:TELLING]:
        hits += word.profiles
        if taken and hits > HITS:
            break
        taken.append(word)
    return taken


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


_ELIGIBLE = """
    SELECT p.* FROM indexed_profile p
    WHERE p.open_for_interest AND p.valid_until >= :today
        AND (:any_type OR p.profile_type = ANY(:types))
        AND (:any_region OR p.region = ANY(:regions))
        AND p.profile_id <> :without
        AND NOT EXISTS (SELECT FROM profile_client c WHERE c.profile_id = p.profile_id AND c.actor_id = :client)
"""
_COLUMNS = """p.profile_id, p.region, p.profile_type, p.language, p.country, p.client_kind, p.client_size, p.sectors,
    p.cooperation, p.target_countries, p.languages, p.trans_s3, p.sought_kinds, p.sought_sizes, p.trl, p.published_at"""
_ELIGIBLE_TYPES: list[BindParameter[Any]] = [
    bindparam("today", type_=Date),
    bindparam("types", type_=ARRAY(Text)),
    bindparam("regions", type_=ARRAY(Text)),
    bindparam("without", type_=Uuid),
    bindparam("client", type_=Uuid),
]

# How far a vector is from the need's, both without their background: (mean·need - vector·need) / |vector - mean|. The
# operator is the negative inner product, and |vector - mean|² = 1 + |mean|² - 2 vector·mean. All vectors are compared:
# that takes no longer than a plain cosine, no index could do it, and nothing is passed over.
_DISTANCE = """((:lean + (embedding <#> :vector))
    / sqrt(greatest(:square + 2 * (embedding <#> :mean), 1e-9)))"""
_CANDIDATES = text(
    f"""
    WITH eligible AS NOT MATERIALIZED ({_ELIGIBLE}),
    nearest AS (
        SELECT e.profile_id FROM eligible e WHERE e.embedded_by = :embedder
        ORDER BY {_DISTANCE} LIMIT :pool
    ),
    worded AS MATERIALIZED (
        SELECT e.profile_id, sum(w.weight) AS weight
        FROM unnest(:queries, :weights) AS w(query, weight) JOIN eligible e ON e.terms @@ w.query::tsquery
        GROUP BY e.profile_id
    ),
    pool AS (
        SELECT profile_id FROM nearest
        UNION
        (SELECT profile_id FROM worded ORDER BY weight DESC, profile_id LIMIT :pool)
    )
    SELECT {_COLUMNS}, coalesce(worded.weight, 0) AS weight,
        CASE WHEN p.embedded_by = :embedder THEN -{_DISTANCE} ELSE 0 END AS similarity
    FROM pool JOIN indexed_profile p USING (profile_id) LEFT JOIN worded USING (profile_id)
    """  # noqa: S608 - constants of this module
).bindparams(
    *_ELIGIBLE_TYPES,
    bindparam("lean", type_=Double),
    bindparam("square", type_=Double),
    bindparam("mean", type_=VectorType(DIMENSIONS)),
    bindparam("vector", type_=VectorType(DIMENSIONS)),
    bindparam("queries", type_=ARRAY(Text)),
    bindparam("weights", type_=ARRAY(Double)),
)
_REGIONS = text(
    f"SELECT e.region, count(*) AS profiles FROM ({_ELIGIBLE}) AS e GROUP BY e.region"  # noqa: S608 - as above
).bindparams(*_ELIGIBLE_TYPES)

_NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Scope:
    """Which profiles may be proposed at all."""

    today: date
    types: Collection[str] | None
    regions: Collection[str] | None
    without: UUID | None
    client: UUID | None

    @classmethod
    def of(cls, question: Question, *, today: date, regions: Collection[str] | None) -> "Scope":
        types = answering(question.told.type)
        return cls(
            today=today,
            types=None if types is None else [type_.value for type_ in types],
            regions=regions,
            without=question.without,
            client=question.client,
        )

    def parameters(self) -> dict[str, Any]:
        return {
            "today": self.today,
            "any_type": self.types is None,
            "types": list(self.types or []),
            "any_region": self.regions is None,
            "regions": list(self.regions or []),
            "without": self.without or _NOBODY,
            "client": self.client or _NOBODY,
        }


async def candidates(
    session: AsyncSession,
    *,
    scope: Scope,
    vector: Vector,
    mean: Vector,
    embedder: str,
    words: Sequence[TellingWord],
) -> list[Candidate]:
    """Those nearest in meaning and those that share most of what the words tell. `vector` is centred."""
    # Words that no profile has tell of the need, but nothing of how far a profile answers it.
    known = sum(word.weight for word in words if word.profiles > 0) or sum(word.weight for word in words)
    rows = await session.execute(
        _CANDIDATES,
        scope.parameters()
        | {
            "mean": mean,
            "lean": float(vector @ mean),
            "square": 1 + float(mean @ mean),
            "vector": vector,
            "embedder": embedder,
            "pool": POOL,
            "queries": [word.query for word in words],
            "weights": [word.weight for word in words],
        },
    )
    return [
        Candidate(
            profile_id=row.profile_id,
            region=row.region,
            language=row.language,
            told=told_of(row),
            published_at=row.published_at,
            similarity=float(row.similarity),
            words=min(1.0, float(row.weight) / known) if known > 0 else 0.0,
        )
        for row in rows
    ]


async def eligible_by_region(session: AsyncSession, *, scope: Scope) -> dict[str, int]:
    """How many profiles of each region could be proposed."""
    rows = await session.execute(_REGIONS, scope.parameters())
    return {row.region: row.profiles for row in rows}


@dataclass(frozen=True)
class Shown:
    """What is shown of a profile: all that it says, the words it shares with the need, its sentences by meaning."""

    profile: ProfilePublished
    words: list[str]
    sentences: list[str]
    vectors: np.ndarray[Any, np.dtype[np.float32]]


_PROFILES = text("SELECT profile_id, profile FROM indexed_profile WHERE profile_id = ANY(:ids)").bindparams(
    bindparam("ids", type_=ARRAY(Uuid))
)
_SHARED = text(
    """
    SELECT p.profile_id, array_agg(w.word ORDER BY w.place) AS words
    FROM unnest(:words, :queries) WITH ORDINALITY AS w(word, query, place)
    JOIN indexed_profile p ON p.profile_id = ANY(:ids) AND p.terms @@ w.query::tsquery
    GROUP BY p.profile_id
    """
).bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("words", type_=ARRAY(Text)),
    bindparam("queries", type_=ARRAY(Text)),
)
# As bytes: reading them as text would take longer than all the rest of the statement.
_PASSAGES = text(
    "SELECT profile_id, text, vector_send(embedding) AS vector FROM profile_passage WHERE profile_id = ANY(:ids)"
    " ORDER BY profile_id, number"
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_HEADER = 4
"""Bytes before the numbers of a vector: its dimensions."""


async def shown(session: AsyncSession, *, ids: Sequence[UUID], words: Sequence[TellingWord]) -> dict[UUID, Shown]:
    """Of the profiles that are answered. `words` are shared words, the most telling first."""
    if not ids:
        return {}
    given = {"ids": list(ids)}
    profiles = await session.execute(_PROFILES, given)
    asked = {"words": [word.word for word in words], "queries": [word.query for word in words]}
    shared = {row.profile_id: row.words for row in await session.execute(_SHARED, given | asked)}
    sentences: dict[UUID, list[str]] = {}
    vectors: dict[UUID, list[Any]] = {}
    for row in await session.execute(_PASSAGES, given):
        sentences.setdefault(row.profile_id, []).append(row.text)
        vectors.setdefault(row.profile_id, []).append(np.frombuffer(row.vector, dtype=">f4", offset=_HEADER))
    return {
        row.profile_id: Shown(
            profile=ProfilePublished.model_validate(row.profile, extra="ignore"),
            words=shared.get(row.profile_id, []),
            sentences=sentences.get(row.profile_id, []),
            vectors=np.asarray(vectors.get(row.profile_id, []), dtype=np.float32).reshape(-1, DIMENSIONS),
        )
        for row in profiles
    }
