"""Does it find the partners that real organisations found? Public stories, the real model, nothing tuned to them."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tibs_chassis.app import Service
from tibs_chassis.auth import Role
from tibs_chassis.testing import make_principal
from tibs_contracts.codes import ActorKind
from tibs_contracts.events import ProfilePublished
from tibs_matching.embedders import QueryCache
from tibs_matching.embedders.nano import NanoEmbedder
from tibs_matching.index import service as index
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.matches import service as matches
from tibs_matching.matches.model import MatchRequest

STORIES = Path(__file__).parents[3] / "devstack/src/tibs_devstack/data/partnerships.jsonl"


def kind_of(told: str) -> ActorKind:
    return ActorKind.LARGE_COMPANY if told == "large" else ActorKind(told)


@pytest.mark.integration
async def test_true_partners_stand_near_the_top(
    matching: Service,
    make_profile: Callable[..., ProfilePublished],
    record_property: Callable[[str, object], None],
) -> None:
    stories: list[dict[str, Any]] = [json.loads(line) for line in STORIES.read_text(encoding="utf-8").splitlines()]
    embedder = NanoEmbedder()
    offers = {}
    async with matching.database.transaction() as session:
        for story in stories:
            for side in ("a", "b"):
                told = story[side]
                offer = make_profile(
                    title=told["sector"].capitalize(),
                    summary=told["describes"],
                    description=told["describes"],
                    country=told["country"],
                    kind=kind_of(told["kind"]),
                )
                offers[story["id"], side] = offer.profile_id
                await index.hold(session, profile=offer, region="fi1c", embedder=embedder)
                await index.link(session, profile_id=offer.profile_id, actor_id=offer.profile_id)
    await Upkeep(database=matching.database, embedder=embedder, pause=1).settle()
    queries = QueryCache(embedder)
    ranks = {}
    for story in stories:
        told = story["a"]
        request = MatchRequest.model_validate(
            {
                "need": {
                    "type": "BR",
                    "title": told["sector"].capitalize(),
                    "summary": told["need"],
                    "country": told["country"],
                    "kind": kind_of(told["kind"]),
                },
                "limit": 50,
                "exclude_client": offers[story["id"], "a"],
            }
        )
        async with matching.database.transaction() as session:
            answer = await matches.find(
                session, request=request, caller=make_principal(Role.BROKER), queries=queries, node=matching.node
            )
        found = [item.profile.profile_id for item in answer.items]
        ranks[story["id"]] = found.index(offers[story["id"], "b"]) + 1
        assert len(found) == 2 * len(stories) - 1
    await embedder.close()
    record_property("ranks", ranks)
    print(f"\nranks of the true partners among {2 * len(stories) - 1}: {sorted(ranks.values())}")
    assert statistics.median(ranks.values()) <= 2
    assert sum(rank <= 5 for rank in ranks.values()) >= 0.75 * len(ranks)
