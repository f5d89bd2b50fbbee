"""What the index makes of events, in whatever order and however often they come."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from tibs_chassis import clock
from tibs_chassis.app import Service
from tibs_chassis.auth import Role
from tibs_chassis.testing import TestRecord, assert_migrated, make_principal, record_of, take_all
from tibs_contracts.codes import ProfileType, WithdrawalReason
from tibs_contracts.events import Event, ProfileMoved, ProfilePublished, ProfileState, ProfileWithdrawn
from tibs_contracts.ids import new_id
from tibs_matching.embedders.hashing import HashingEmbedder
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.tables import Table
from tibs_matching.verdicts import service as verdicts
from tibs_matching.verdicts.model import Judgement, VerdictEntry

pytestmark = pytest.mark.integration

MakeProfile = Callable[..., ProfilePublished]


def record(event: Any, sequence: int, *, region: str = "fi1c") -> TestRecord:
    return record_of(event, region=region, service="registry", subject=event.profile_id, sequence=sequence)


def withdrawn(profile: ProfilePublished, reason: WithdrawalReason = WithdrawalReason.WITHDRAWN) -> ProfileWithdrawn:
    return ProfileWithdrawn(
        profile_id=profile.profile_id, reference=profile.reference, reason=reason, withdrawn_at=clock.now()
    )


def moved(profile_id: UUID, actor_id: UUID, state: ProfileState = ProfileState.PUBLISHED) -> ProfileMoved:
    return ProfileMoved(
        profile_id=profile_id,
        actor_id=actor_id,
        reference="BRPL20260302001",
        profile_type=ProfileType.BUSINESS_REQUEST,
        title="Seeks a maker of hulls",
        state=state,
        author="broker",
        moved_at=clock.now(),
        region="pl84",
    )


async def contents(matching: Service) -> dict[str, list[Any]]:
    """All that the index holds, but for when it came to hold it."""
    async with matching.database.transaction() as session:

        async def rows(statement: str) -> list[Any]:
            return [tuple(row) for row in await session.execute(text(statement))]

        return {
            "profiles": await rows(
                "SELECT (to_jsonb(p) - 'indexed_at')::text FROM indexed_profile p ORDER BY profile_id"
            ),
            "passages": await rows("SELECT p::text FROM profile_passage p ORDER BY profile_id, number"),
            "words": await rows("SELECT word, profiles FROM lexeme ORDER BY word"),
            "corpus": await rows("SELECT profiles, embedded, mean::text FROM corpus"),
            "clients": await rows("SELECT profile_id, actor_id FROM profile_client ORDER BY profile_id"),
        }


async def take(matching: Service, records: Sequence[TestRecord], upkeep: Upkeep) -> list[str]:
    [profiles, clients] = matching.consumers
    outcomes = []
    for one in records:
        consumer = clients if one.topic.startswith("tibs-local") else profiles
        outcomes += await take_all(consumer, [one], database=matching.database)
    await upkeep.settle()
    return outcomes


async def forget(matching: Service) -> None:
    async with matching.database.transaction() as session:
        for consumer in matching.consumers:
            assert consumer.reset is not None
            await consumer.reset(session)
        for table in ("inbox", "subject_version"):
            await session.execute(text(f"DELETE FROM {table}"))


def test_the_migrations_make_what_the_models_say(matching: Service) -> None:
    assert_migrated(matching.settings.database_url, Table.metadata)


async def test_a_published_profile_is_held_with_its_words_and_passages(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    profile = make_profile(title="Laminoituja runkoja", language="fi", summary="Veistämö tekee runkoja.")
    assert await take(matching, [record(profile, 1)], upkeep) == ["applied"]
    held = await contents(matching)
    assert len(held["profiles"]) == 1
    words = {row[0] for row in held["words"]}
    assert "runkoja" in words, "the word as it stands"
    assert any(word != "runkoja" and word.startswith("runko") for word in words), "and its Finnish stem"
    assert [row[0].split(",")[1] for row in held["passages"]] == ["0", "1", "2"]


async def test_twice_is_once_and_any_order_is_the_same(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    first, second = make_profile(), make_profile(title="Sails of recycled cloth")
    changed = first.model_copy(update={"title": "Hulls of birch plywood", "open_for_interest": False})
    events: list[tuple[Event, int]] = [(first, 1), (changed, 2), (withdrawn(second), 2), (second, 1)]
    records = [record(event, sequence) for event, sequence in events]
    records.append(record(moved(first.profile_id, new_id()), 1, region="pl84"))
    await take(matching, records, upkeep)
    expected = await contents(matching)
    assert len(expected["profiles"]) == 1
    assert "plywood" in str(expected["profiles"])
    assert set(await take(matching, records, upkeep)) == {"repeated"}
    assert await contents(matching) == expected
    for order in itertools.permutations(records[:4]):
        await forget(matching)
        await take(matching, [*order, records[4]], upkeep)
        assert await contents(matching) == expected


async def test_what_was_withdrawn_is_gone_with_all_that_was_made_of_it(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    profile = make_profile()
    await take(matching, [record(profile, 1), record(withdrawn(profile), 2)], upkeep)
    held = await contents(matching)
    assert held["profiles"] == held["passages"] == held["words"] == []
    assert held["corpus"] == [(0, 0, None)]


async def test_a_region_cannot_speak_of_the_profile_of_another(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    profile = make_profile()
    await take(matching, [record(profile, 1)], upkeep)
    before = await contents(matching)
    strange = profile.model_copy(update={"title": "Nothing of the kind"})
    assert await take(
        matching, [record(strange, 2, region="ee"), record(withdrawn(profile), 3, region="ee")], upkeep
    ) == ["quarantined", "quarantined"]
    assert await contents(matching) == before


async def test_an_unchanged_text_is_not_embedded_again(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile, embedder: HashingEmbedder
) -> None:
    profile = make_profile()
    await take(matching, [record(profile, 1)], upkeep)
    embedded = len(embedder.embedded)
    renewed = profile.model_copy(update={"published_at": clock.now(), "open_for_interest": False})
    await take(matching, [record(renewed, 2)], upkeep)
    assert len(embedder.embedded) == embedded
    await take(matching, [record(profile.model_copy(update={"description": "It makes masts."}), 3)], upkeep)
    assert len(embedder.embedded) > embedded


async def test_a_new_model_needs_no_replay(matching: Service, upkeep: Upkeep, make_profile: MakeProfile) -> None:
    class Other(HashingEmbedder):
        name = "hashing/2"

    await take(matching, [record(make_profile(), 1), record(make_profile(title="Sails"), 1)], upkeep)
    before = await contents(matching)
    await Upkeep(database=matching.database, embedder=Other(), pause=1).settle()
    after = await contents(matching)
    assert all("hashing/2" in row[0] for row in after["profiles"])
    assert after["passages"] == before["passages"]
    assert after["corpus"] == before["corpus"]


async def test_whose_a_profile_is_is_known_while_it_is_offered(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    profile_id, actor_id = new_id(), new_id()
    await take(matching, [record(moved(profile_id, actor_id), 1, region="pl84")], upkeep)
    assert (await contents(matching))["clients"] == [(profile_id, actor_id)]
    gone = moved(profile_id, actor_id, ProfileState.WITHDRAWN)
    await take(matching, [record(gone, 2, region="pl84")], upkeep)
    assert (await contents(matching))["clients"] == []


async def test_verdicts_on_an_erased_profile_are_forgotten(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    profile, need = make_profile(), new_id()
    await take(matching, [record(profile, 1)], upkeep)
    entry = VerdictEntry(need_id=need, profile_id=profile.profile_id, verdict=Judgement.SHORTLISTED)
    async with matching.database.transaction() as session:
        await verdicts.give(session, entry=entry, principal=make_principal(Role.BROKER))
    await take(matching, [record(withdrawn(profile, WithdrawalReason.ERASED), 2)], upkeep)
    async with matching.database.transaction() as session:
        assert await verdicts.of_need(session, need_id=need) == []


async def test_words_and_mean_are_those_of_a_fresh_count(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile
) -> None:
    profiles = [make_profile(title=title) for title in ("Hulls", "Sails of cloth", "Masts")]
    await take(matching, [record(profile, 1) for profile in profiles], upkeep)
    await take(matching, [record(withdrawn(profiles[1]), 2)], upkeep)
    grown = await contents(matching)
    async with matching.database.transaction() as session:
        await session.execute(text("DELETE FROM lexeme"))
        await session.execute(text("DELETE FROM corpus"))
    await upkeep.settle()
    assert await contents(matching) == grown


async def test_the_index_is_described_by_region(
    matching: Service, upkeep: Upkeep, make_profile: MakeProfile, broker: httpx.AsyncClient
) -> None:
    await take(
        matching,
        [
            record(make_profile(), 1),
            record(make_profile(open_for_interest=False), 1),
            record(make_profile(country="PL"), 1, region="pl84"),
        ],
        upkeep,
    )
    answer = (await broker.get("/api/v1/index")).json()
    assert (answer["profiles"], answer["open"], answer["waiting"]) == (3, 2, 0)
    assert [(one["region"], one["profiles"], one["open"]) for one in answer["regions"]] == [
        ("fi1c", 2, 1),
        ("pl84", 1, 1),
    ]
    assert answer["embedder"] == "hashing/1"
