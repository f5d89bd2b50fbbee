"""What is searched for, from whichever of the three ways it was asked in."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.auth import Principal
from tibs_chassis.node import Node
from tibs_chassis.problems import NotFound
from tibs_contracts.codes import ActorKind, Cooperation, OpenCode, ProfileType, Sector, SizeClass, TransS3
from tibs_contracts.events import ProfilePublished
from tibs_matching.embedders import QueryCache
from tibs_matching.embedders.port import Vector, mean_of
from tibs_matching.index.model import IndexedProfile, ProfileClient, ProfilePassage
from tibs_matching.index.rules import readiness, searched_text, sentences, shortened, within
from tibs_matching.matches.model import MatchRequest, NeedEntry, Sought, Told

C = TypeVar("C", bound=OpenCode)

ASKED_LENGTH = 480
"""Characters of a need that are searched by meaning: each token costs about a millisecond of the answer's time."""
WORDS_LENGTH = 4_000
"""Characters of a need that are searched by words."""


@dataclass(frozen=True)
class Question:
    """A need, ready to be searched for."""

    told: Told
    vector: Vector
    sentences: list[str]
    vectors: NDArray[np.float32]
    """One row a sentence."""
    words: str
    languages: tuple[str, ...]
    """Languages that the words may be in; the first is the likeliest."""
    need_id: UUID | None
    without: UUID | None = None
    """The profile that asks; it is no answer to itself."""
    client: UUID | None = None
    """Whose profiles are left out."""


async def pose(
    session: AsyncSession, request: MatchRequest, *, caller: Principal, queries: QueryCache, node: Node
) -> Question:
    """Raises NotFound for a profile that is not held, and EmbedderAway."""
    if request.profile_id is not None:
        return await _of_profile(session, request.profile_id, request)
    languages: tuple[str, ...]
    if request.need is not None:
        country = node.regions[node.region].country
        asked = within(_parts(request.need), ASKED_LENGTH)
        told, text, languages = told_by(request.need, country=country), _text(request.need), (request.need.language,)
    else:
        text = request.text or ""
        asked = within(sentences(text), ASKED_LENGTH)
        told = Told()
        languages = tuple(dict.fromkeys([request.language or caller.language, "en"]))
    vectors = await queries.vectors(asked)
    return Question(
        told=told,
        vector=mean_of(vectors),
        sentences=asked,
        vectors=np.asarray(vectors),
        words=shortened(text, WORDS_LENGTH),
        languages=languages,
        need_id=request.need_id,
        client=request.exclude_client,
    )


def told_by(need: NeedEntry, *, country: str) -> Told:
    """What a need says in codes. A need's client is in the node's country unless it says otherwise."""
    return Told(
        type=need.type,
        country=need.country or country,
        kind=need.kind,
        size=need.size,
        sectors=frozenset(need.sectors),
        cooperation=frozenset(need.cooperation),
        target_countries=frozenset(need.target_countries),
        languages=frozenset([*need.languages, need.language]),
        trans_s3=frozenset(need.trans_s3),
        sought=Sought(kinds=frozenset(need.partner_sought.kinds), sizes=frozenset(need.partner_sought.sizes)),
        trl=readiness(trl=need.trl, stage=need.stage),
    )


def _parts(need: NeedEntry) -> list[str]:
    # Whom the client looks for says more of the partner than what the client does, so it stands before the story.
    sought = need.partner_sought
    texts = [sought.field, sought.task, need.summary, need.description]
    return [need.title, *(sentence for text in texts for sentence in sentences(text))]


def _text(need: NeedEntry) -> str:
    sought = need.partner_sought
    keywords = ", ".join([*need.technology_keywords, *need.market_keywords])
    return "\n".join([need.title, need.summary, keywords, sought.field, sought.task, need.description])


async def _of_profile(session: AsyncSession, profile_id: UUID, request: MatchRequest) -> Question:
    held = await session.get(IndexedProfile, profile_id)
    if held is None:
        raise NotFound("published profile", profile_id)
    profile = ProfilePublished.model_validate(held.profile, extra="ignore")
    passage = ProfilePassage.__table__.c  # type: ignore[attr-defined]
    rows = (
        await session.execute(
            select(passage.text, passage.embedding).where(passage.profile_id == profile_id).order_by(passage.number)
        )
    ).all()
    link = await session.get(ProfileClient, profile_id) if request.exclude_client is None else None
    return Question(
        told=told_of(held),
        vector=np.asarray(held.embedding, dtype=np.float32),
        sentences=[row.text for row in rows],
        vectors=np.asarray([row.embedding for row in rows], dtype=np.float32),
        words=shortened(searched_text(profile), WORDS_LENGTH),
        languages=(profile.language,),
        need_id=request.need_id or profile_id,
        without=profile_id,
        client=request.exclude_client if link is None else link.actor_id,
    )


def told_of(row: Any) -> Told:
    """What a row of the index says in codes."""
    return Told(
        type=_known(ProfileType, row.profile_type),
        country=row.country,
        kind=_known(ActorKind, row.client_kind),
        size=_known(SizeClass, row.client_size),
        sectors=frozenset(map(Sector, row.sectors)),
        cooperation=frozenset(map(Cooperation, row.cooperation)),
        target_countries=frozenset(row.target_countries),
        languages=frozenset(row.languages),
        trans_s3=frozenset(map(TransS3, row.trans_s3)),
        sought=Sought(
            kinds=frozenset(map(ActorKind, row.sought_kinds)), sizes=frozenset(map(SizeClass, row.sought_sizes))
        ),
        trl=row.trl,
    )


def _known(codes: type[C], held: str | None) -> C | None:
    """A code; None for one of a later version, which compares with nothing."""
    code = codes(held) if held is not None else None
    return None if code is None or code.name == "UNKNOWN" else code
