"""The ranking rule. No I/O, no clock; what it weighs is written down here, told in every answer, and numbered.

Change a weight or a step only together with `RANKING_VERSION`, and for a reason that a broker would understand.
"""

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from tibs_matching.matches.facets import OPEN, Facet, facets
from tibs_matching.matches.model import Candidate, PassagePair, RankingRule, ReasonKind, Told
from tibs_matching.matches.words import labels, listed

RANKING_VERSION = "1"

COMPETENCE = {"meaning": 0.65, "words": 0.25, "sector": 0.10}
CONTEXT = {
    ReasonKind.TYPE: 0.20,
    ReasonKind.COOPERATION: 0.16,
    ReasonKind.COUNTRY_SOUGHT: 0.12,
    ReasonKind.COUNTRY_WANTED_BACK: 0.10,
    ReasonKind.PARTNER_SOUGHT: 0.12,
    ReasonKind.PARTNER_WANTED_BACK: 0.08,
    ReasonKind.STAGE: 0.06,
    ReasonKind.LANGUAGE: 0.06,
    ReasonKind.PRIORITY: 0.04,
    ReasonKind.FRESHNESS: 0.06,
}
ORDER = {"competence": 0.75, "context": 0.25}
"""What somebody can do matters more than where and how: context decides between partners of like competence."""

FULL_MEANING = 0.4
"""The similarity (background taken out) that full marks need at least; a candidate that has more sets them."""
FULL_WORDS = 0.4
"""Nobody repeats all of a need's words: two fifths of what they tell are full marks."""
NEAR_MISS = 0.03
"""The part of the context score that a respect must cost before it is named as what stands in the way."""
SAME_THOUGHT = 0.15
"""The similarity from which on two sentences are shown side by side."""

SAYING = 4
"""Words from which on a sentence says enough to be read aloud; a title of one or two does not."""

VERDICT_RULE = "A profile that was rejected for this need, and shortlisted by nobody, stands last."


def rule() -> RankingRule:
    """The rule as it is told in every answer."""
    weights = {f"competence.{name}": weight for name, weight in COMPETENCE.items()}
    weights |= {f"context.{kind.value}": weight for kind, weight in CONTEXT.items()}
    weights |= {f"order.{name}": weight for name, weight in ORDER.items()}
    return RankingRule(version=RANKING_VERSION, weights=weights, verdicts=VERDICT_RULE)


@dataclass(frozen=True, slots=True)
class Able:
    """A candidate by what it can do. The parts go from 0 to 1, `competence` from 0 to 100."""

    candidate: Candidate
    meaning: float
    words: float
    sector: Facet
    competence: float
    nearest: int
    """Place by meaning alone among the candidates, from 1."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate in its place. The numbers go from 0 to 100."""

    able: Able
    facets: list[Facet]
    context: float
    score: float

    @property
    def candidate(self) -> Candidate:
        return self.able.candidate


def rank(
    candidates: Sequence[Candidate],
    *,
    need: Told,
    languages: Collection[str],
    today: date,
    best: int,
    last: Collection[object] = (),
) -> list[Ranked]:
    """The `best` of them, in order. `languages` are those of the need's text; profiles in `last` come after all others.

    Context is looked at in the order of competence, and only as far as it could still bring somebody among the best.
    """
    able = sorted(_able(candidates, need=need, languages=languages), key=lambda one: -one.competence)
    ranked: list[Ranked] = []
    for group in (
        [one for one in able if one.candidate.profile_id not in last],
        [one for one in able if one.candidate.profile_id in last],
    ):
        wanted = best - len(ranked)
        scores: list[float] = []
        found: list[Ranked] = []
        for one in group:
            if len(scores) >= wanted and (wanted <= 0 or _score(one.competence, 100) < scores[0]):
                break
            seen = facets(need, one.candidate.told, published_on=one.candidate.published_at.date(), today=today)
            around = context(seen)
            found.append(Ranked(able=one, facets=seen, context=around, score=_score(one.competence, around)))
            heapq.heappush(scores, found[-1].score)
            if len(scores) > wanted:
                heapq.heappop(scores)
        ranked += sorted(found, key=_place)[: max(wanted, 0)]
    return ranked


def _able(candidates: Sequence[Candidate], *, need: Told, languages: Collection[str]) -> list[Able]:
    by_meaning = sorted(candidates, key=lambda one: (-one.similarity, one.profile_id))
    full = max(FULL_MEANING, by_meaning[0].similarity) if by_meaning else FULL_MEANING
    found = []
    for nearest, one in enumerate(by_meaning, start=1):
        meaning = _clamped(one.similarity / full)
        words = _clamped(one.words / FULL_WORDS)
        if one.language not in languages:
            # Nobody can expect the words of one language in another: there the meaning speaks for them.
            words = max(words, meaning)
        sector = sector_fit(need, one.told)
        found.append(
            Able(
                candidate=one,
                meaning=meaning,
                words=words,
                sector=sector,
                competence=competence(meaning, words, sector),
                nearest=nearest,
            )
        )
    return found


def _score(able: float, around: float) -> float:
    return ORDER["competence"] * able + ORDER["context"] * around


def _place(one: Ranked) -> tuple[float, float, float, UUID]:
    candidate = one.candidate
    return -one.score, -one.able.competence, -candidate.published_at.timestamp(), candidate.profile_id


def competence(meaning: float, words: float, sector: Facet) -> float:
    """0 to 100."""
    told = OPEN if sector.score is None else sector.score
    weighted = COMPETENCE["meaning"] * meaning + COMPETENCE["words"] * words + COMPETENCE["sector"] * told
    return 100 * _clamped(weighted)


def context(found: Sequence[Facet]) -> float:
    """0 to 100; what is not told counts half."""
    score = {one.kind: one.score for one in found if one.score is not None}
    return 100 * _clamped(sum(weight * score.get(kind, OPEN) for kind, weight in CONTEXT.items()))


def sector_fit(need: Told, other: Told) -> Facet:
    """They are at home in the same sectors."""
    kind = ReasonKind.SECTOR
    if not need.sectors or not other.sectors:
        return Facet(kind)
    shared = need.sectors & other.sectors
    if shared:
        score = len(shared) / min(len(need.sectors), len(other.sectors))
        values = tuple(code.value for code in sorted(shared))
        return Facet(kind, score, f"Both are at home in {listed(labels(shared))}.", values)
    return Facet(kind, 0.0, f"It is at home elsewhere: {listed(labels(other.sectors))}.")


def why_not(one: Ranked) -> str | None:
    """What costs a candidate most, and the smallest change that would mend it; None if nothing stands in the way."""
    costs = [
        (CONTEXT[found.kind] * (1 - found.score), found)
        for found in one.facets
        if found.score is not None and found.change is not None
    ]
    costly = [(cost, found) for cost, found in costs if cost >= NEAR_MISS]
    if not costly:
        return None
    _, worst = max(costly, key=lambda pair: pair[0])
    return f"{worst.text} {worst.change}"


def centred(vectors: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows without their common background, of length 1.

    Vectors of a sentence model all lean one way: cosines lie between 0.78 and 0.87, related or not. Without the mean,
    unrelated texts score about 0.
    """
    without = vectors - mean
    lengths = np.linalg.norm(without, axis=-1, keepdims=True)
    return np.asarray(without / np.maximum(lengths, 1e-9), dtype=np.float32)


def pairs(
    need: Sequence[str],
    need_vectors: NDArray[np.float32],
    offer: Sequence[str],
    offer_vectors: NDArray[np.float32],
    *,
    limit: int = 2,
) -> list[PassagePair]:
    """The sentences of both sides that come nearest to each other, each used once. Vectors are centred rows."""
    if not need or not offer:
        return []
    nearness = need_vectors @ offer_vectors.T
    nearness[[len(sentence.split()) < SAYING for sentence in need], :] = -1
    found: list[PassagePair] = []
    while len(found) < limit:
        row, column = divmod(int(np.argmax(nearness)), nearness.shape[1])
        if nearness[row, column] < SAME_THOUGHT:
            break
        found.append(PassagePair(need=need[row], offer=offer[column]))
        nearness[row, :] = -1
        nearness[:, column] = -1
    return found


def _clamped(value: float) -> float:
    return min(1.0, max(0.0, value))
