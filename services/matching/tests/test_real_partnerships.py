"""Does it find the partners that real organisations found? Fourteen public stories, the real model, nothing tuned."""

import json
import statistics
import sys
from pathlib import Path

import pytest

from tibs_chassis.app import Service
from tibs_chassis.auth import Role
from tibs_chassis.testing import make_principal
from tibs_contracts.codes import ActorKind, ProfileType
from tibs_matching.embedders import QueryCache
from tibs_matching.embedders.nano import NanoEmbedder
from tibs_matching.index import service as index
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.matches import service as matches
from tibs_matching.matches.model import MatchRequest

sys.path.insert(0, str(Path(__file__).parent))
from mothers import profile

STORIES = Path(__file__).parents[3] / "devstack/src/tibs_devstack/data/partnerships.jsonl"
KINDS = {"large": ActorKind.LARGE_COMPANY}


def kind_of(told: str) -> ActorKind:
    return KINDS.get(told) or ActorKind(told)


@pytest.mark.integration
async def test_true_partners_stand_near_the_top(matching: Service) -> None:
    stories = [json.loads(line) for line in STORIES.read_text(encoding="utf-8").splitlines()]
    embedder = NanoEmbedder()
    queries = QueryCache(embedder)
    offers = {}
    async with matching.database.transaction() as session:
        for story in stories:
            for side in ("a", "b"):
                told = story[side]
                offer = profile(
                    profile_type=ProfileType.BUSINESS_OFFER,
                    title=told["sector"],
                    summary=told["describes"],
                    description=told["describes"],
                    country=told["country"],
                    kind=kind_of(told["kind"]),
                )
                offers[story["id"], side] = offer.profile_id
                await index.hold(session, profile=offer, region="fi1c", embedder=embedder)
                await index.link(session, profile_id=offer.profile_id, actor_id=offer.profile_id)
    await Upkeep(database=matching.database, embedder=embedder, pause=1).settle()
    ranks = []
    for story in stories:
        told = story["a"]
        request = MatchRequest.model_validate(
            {
                "need": {"type": "BR", "title": told["sector"], "summary": told["need"], "country": told["country"]},
                "limit": 50,
                "exclude_client": offers[story["id"], "a"],
            }
        )
        async with matching.database.transaction() as session:
            answer = await matches.find(
                session, request=request, caller=make_principal(Role.BROKER), queries=queries, node=matching.node
            )
        ids = [item.profile.profile_id for item in answer.items]
        rank = ids.index(offers[story["id"], "b"]) + 1
        ranks.append(rank)
        it = answer.items[rank - 1]
        print(
            story["id"],
            rank,
            answer.took_ms,
            "top",
            answer.items[0].profile.title,
            "| true",
            it.profile.title,
            it.score,
            it.competence,
            it.context,
            [r.text for r in it.reasons][:3],
            it.passages[:1],
            it.why_not,
        )
        print("    ", [(i.competence, i.context) for i in answer.items[:8]], answer.items[-1].competence)
    print(sorted(ranks), statistics.median(ranks), sum(1 / r for r in ranks) / 14)
    await embedder.close()
    assert statistics.median(ranks) <= 2
