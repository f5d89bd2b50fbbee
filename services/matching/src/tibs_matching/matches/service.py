"""The use case: partners for a need."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import clock
from tibs_chassis.auth import Principal
from tibs_chassis.node import Node
from tibs_chassis.problems import FieldError, Invalid, Unavailable
from tibs_matching.embedders import EmbedderAway, QueryCache
from tibs_matching.index import service as index
from tibs_matching.matches import rules, search
from tibs_matching.matches.model import (
    Agreement,
    Candidate,
    Exposure,
    Match,
    MatchAnswer,
    MatchRequest,
    Reason,
    ReasonKind,
)
from tibs_matching.matches.question import pose
from tibs_matching.matches.rules import Ranked
from tibs_matching.matches.words import listed, ordinal
from tibs_matching.verdicts import service as verdicts
from tibs_matching.verdicts.model import Judgement, VerdictAnswer

WORDS_NAMED = 8


async def find(
    session: AsyncSession, *, request: MatchRequest, caller: Principal, queries: QueryCache, node: Node
) -> MatchAnswer:
    """Ranks what is held for a need. Raises problems for what cannot be asked."""
    started = time.perf_counter()
    _require_known_regions(request, node)
    try:
        question = await pose(session, request, caller=caller, queries=queries, node=node)
        background = await queries.background()
    except EmbedderAway as error:
        raise Unavailable(f"Partners cannot be searched now: {error}.") from error
    today = clock.now().date()
    held = await index.background(session, embedder=queries.embedder_name)
    mean = held.mean_with(background)
    scope = search.Scope.of(question, today=today, regions=request.regions)
    words = await search.telling_words(session, question.words, languages=question.languages, profiles=held.profiles)
    found = await search.candidates(
        session,
        scope=scope,
        vector=rules.centred(question.vector, mean),
        mean=mean,
        embedder=queries.embedder_name,
        words=words,
    )
    given = await verdicts.of_need(session, need_id=question.need_id) if question.need_id is not None else []
    top = rules.rank(
        found,
        need=question.told,
        languages=question.languages,
        today=today,
        best=request.limit,
        last=turned_down(given),
    )
    shown = await search.shown(session, ids=[one.candidate.profile_id for one in top], words=words)
    eligible = await search.eligible_by_region(session, scope=scope)
    total = sum(eligible.values())
    items = []
    for place, one in enumerate(top, start=1):
        profile = shown[one.candidate.profile_id]
        items.append(
            Match(
                rank=place,
                profile=profile.profile,
                region=one.candidate.region,
                score=round(one.score),
                competence=round(one.able.competence),
                context=round(one.context),
                reasons=reasons(one, shared=profile.words, compared=total),
                passages=rules.pairs(
                    question.sentences,
                    rules.centred(question.vectors, mean) if question.sentences else question.vectors,
                    profile.sentences,
                    rules.centred(profile.vectors, mean),
                ),
                why_not=rules.why_not(one),
                freshness_days=max((today - one.candidate.published_at.date()).days, 0),
                verdicts=[verdict for verdict in given if verdict.profile_id == one.candidate.profile_id],
            )
        )
    return MatchAnswer(
        candidates=total,
        took_ms=round((time.perf_counter() - started) * 1000, 1),
        ranking=rules.rule(),
        exposure=exposure(eligible, compared=found, shown=top),
        items=items,
    )


def turned_down(given: Iterable[VerdictAnswer]) -> frozenset[UUID]:
    """Profiles that somebody rejected and nobody shortlisted."""
    rejected: set[UUID] = set()
    shortlisted: set[UUID] = set()
    for verdict in given:
        (rejected if verdict.verdict is Judgement.REJECTED else shortlisted).add(verdict.profile_id)
    return frozenset(rejected - shortlisted)


def reasons(one: Ranked, *, shared: Sequence[str], compared: int) -> list[Reason]:
    """Why a candidate stands where it does: what agrees first, then what agrees in part, then what differs."""
    found = [
        Reason(
            kind=ReasonKind.MEANING,
            text=f"What it says is the {ordinal(one.able.nearest)} nearest to the need of {compared} profiles compared."
            if one.able.nearest > 1
            else f"What it says is nearest to the need of {compared} profiles compared.",
            agreement=_degree(one.able.meaning),
        )
    ]
    if shared:
        named = list(shared[:WORDS_NAMED])
        found.append(
            Reason(
                kind=ReasonKind.WORDS,
                text=f"It shares the telling words {listed(named)}." if len(named) > 1 else f"It shares “{named[0]}”.",
                agreement=_degree(one.able.words),
                values=named,
            )
        )
    found += [
        Reason(kind=facet.kind, text=facet.text, agreement=facet.agreement, values=list(facet.values))
        for facet in [one.able.sector, *one.facets]
        if facet.score is not None
    ]
    order = list(Agreement)
    return sorted(found, key=lambda reason: order.index(reason.agreement))


def exposure(eligible: dict[str, int], *, compared: Sequence[Candidate], shown: Sequence[Ranked]) -> list[Exposure]:
    """How each region fared."""
    ranked = Counter(one.region for one in compared)
    top = Counter(one.candidate.region for one in shown)
    return [
        Exposure(region=region, eligible=count, compared=ranked[region], shown=top[region])
        for region, count in sorted(eligible.items())
    ]


def _degree(strength: float) -> Agreement:
    if strength >= 0.6:
        return Agreement.AGREES
    return Agreement.PARTLY if strength >= 0.3 else Agreement.DIFFERS


def _require_known_regions(request: MatchRequest, node: Node) -> None:
    known = ", ".join(region.code for region in node.regions)
    errors = [
        FieldError(pointer=f"/regions/{place}", reason=f"is no region of the network: {known}", held=code)
        for place, code in enumerate(request.regions or [])
        if code not in node.regions
    ]
    if errors:
        raise Invalid("A region is not known.", errors=errors)
