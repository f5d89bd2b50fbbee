"""The directory: built from events alone, the same whatever order they come in, and searched."""

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from tibs_chassis import clock
from tibs_chassis.database import Database
from tibs_chassis.testing import TestRecord, record_of, take_all
from tibs_contracts.codes import ActorKind, ProfileType, Sector, WithdrawalReason
from tibs_contracts.events import Event
from tibs_contracts.events.registry import (
    ActorListed,
    ActorUnlisted,
    AnonymousClient,
    PartnerSought,
    ProfilePublished,
    ProfileWithdrawn,
)
from tibs_contracts.ids import new_id
from tibs_registry.directory.events import consumer
from tibs_registry.mothers import made

pytestmark = pytest.mark.integration
ONE, TWO, THREE = new_id(), new_id(), new_id()


def a_profile(id: UUID = ONE, **changes: Any) -> ProfilePublished:
    whole = {
        "profile_id": id,
        "reference": f"TOFI20261124{id.int % 1000:03d}",
        "profile_type": ProfileType.TECHNOLOGY_OFFER,
        "title": "Flax for hulls",
        "summary": "A mill offers flax.",
        "description": "A mill offers flax for hulls of boats.",
        "language": "en",
        "partner_sought": PartnerSought(task="Build hulls."),
        "sectors": [Sector.MATERIALS],
        "technology_keywords": ["Łódź weave"],
        "client": AnonymousClient(country="FI", kind=ActorKind.SME),
        "desk": "Desk",
        "published_at": clock.now(),
        "valid_until": clock.now().date() + timedelta(days=30),
    }
    return ProfilePublished(**(whole | changes))


def an_actor(id: UUID = THREE, **changes: Any) -> ActorListed:
    whole = {"actor_id": id, "name": "Kymi Flax", "kind": ActorKind.SME, "country": "FI", "desk": "Desk"}
    return ActorListed(**(whole | changes))


def told(event: Event, sequence: int, *, region: str = "fi1c", subject: UUID | None = None) -> TestRecord:
    about = subject or getattr(event, "profile_id", None) or event.actor_id  # type: ignore[attr-defined]
    return record_of(event, region=region, service="registry", subject=about, sequence=sequence)


def withdrawn(id: UUID = ONE) -> ProfileWithdrawn:
    return ProfileWithdrawn(
        profile_id=id, reference="TOFI20261124001", reason=WithdrawalReason.WITHDRAWN, withdrawn_at=clock.now()
    )


async def state(database: Database) -> list[Any]:
    async with database.transaction() as session:
        return [
            tuple(row)
            for table, key in (("directory_profile", "profile_id"), ("directory_actor", "actor_id"))
            for row in await session.execute(text(f"SELECT * FROM {table} ORDER BY {key}"))
        ]


async def emptied(database: Database) -> None:
    async with database.transaction() as session:
        for table in ("directory_profile", "directory_actor", "inbox", "subject_version", "dead_letter"):
            await session.execute(text(f"DELETE FROM {table}"))


async def letters(database: Database) -> Sequence[str]:
    async with database.transaction() as session:
        return (await session.execute(text("SELECT reason FROM dead_letter"))).scalars().all()


STORY = [
    told(a_profile(title="First"), 3),
    told(a_profile(title="Second"), 5),
    told(withdrawn(), 6),
    told(a_profile(TWO, title="Stays"), 2),
    told(an_actor(name="Kymi Linen"), 2),
    told(an_actor(name="Kymi Flax Oy"), 3),
]


async def test_the_latest_word_on_each_counts(database: Database) -> None:
    assert await take_all(consumer(), STORY, database=database) == ["applied"] * 6
    rows = await state(database)
    assert [row[0] for row in rows] == [TWO, THREE]
    assert rows[1].__class__ is tuple
    assert "Kymi Flax Oy" in str(rows[1])


async def test_twice_is_once(database: Database) -> None:
    await take_all(consumer(), STORY, database=database)
    once = await state(database)
    assert await take_all(consumer(), STORY, database=database) == ["repeated"] * 6
    assert await state(database) == once


async def test_out_of_order_is_in_order(database: Database) -> None:
    await take_all(consumer(), STORY, database=database)
    in_order = await state(database)
    for order in itertools.permutations(STORY[:3]):
        await emptied(database)
        outcomes = await take_all(consumer(), [*STORY[:2:-1], *order], database=database)
        assert "dead" not in outcomes
        assert await state(database) == in_order


async def test_replayed_is_live(database: Database) -> None:
    await take_all(consumer(), STORY, database=database)
    live = await state(database)
    for part in (STORY, [STORY[1], STORY[2], STORY[3], STORY[5]]):  # the second as a compacted topic keeps it, at least
        await emptied(database)
        await take_all(consumer(), part, database=database)
        assert await state(database) == live


async def test_a_reset_empties_what_events_built(database: Database) -> None:
    await take_all(consumer(), STORY, database=database)
    reset = consumer().reset
    assert reset is not None
    async with database.transaction() as session:
        await reset(session)
    assert await state(database) == []


async def test_one_region_cannot_change_what_another_published(database: Database) -> None:
    mine, theirs = told(a_profile(title="Mine"), 2), told(a_profile(title="Theirs"), 9, region="lv008")
    away = told(withdrawn(), 10, region="lv008")
    assert await take_all(consumer(), [mine, theirs, away], database=database) == [
        "applied",
        "quarantined",
        "quarantined",
    ]
    assert "Mine" in str(await state(database))
    owned = f"profile {ONE} belongs to region 'fi1c', which told of it first; region 'lv008' cannot change it"
    assert await letters(database) == [owned, owned]


async def test_an_event_about_something_else_is_a_dead_letter(database: Database) -> None:
    record = told(a_profile(), 2, subject=TWO)
    assert await take_all(consumer(), [record, told(an_actor(), 1)], database=database) == ["dead", "applied"]
    assert "the data speak of" in (await letters(database))[0]


async def test_what_postgresql_cannot_hold_is_a_dead_letter(database: Database) -> None:
    record = told(a_profile(title="a\u0000b"), 2)
    assert await take_all(consumer(), [record, told(an_actor(), 1)], database=database) == ["dead", "applied"]


async def test_a_code_of_the_future_is_shown_as_unknown(database: Database, broker: httpx.AsyncClient) -> None:
    record = told(a_profile(), 2)
    assert record.value is not None
    future = record.value.replace(b'"materials"', b'"quantum"').replace(b'"TO"', b'"QO"')
    await take_all(
        consumer(), [TestRecord(record.topic, 0, record.offset, record.key, future, record.headers)], database=database
    )
    page = await made(broker.get("/api/v1/directory/profiles"))
    assert (page["items"][0]["sectors"], page["items"][0]["profile_type"]) == (["unknown"], "unknown")
    assert (page["facets"]["sector"], page["facets"]["type"]) == ({}, {})


async def test_every_public_field_can_be_read(database: Database, broker: httpx.AsyncClient) -> None:
    event = a_profile(trl=6, target_countries=["PL"], sdgs=[9])
    await take_all(consumer(), [told(event, 2), told(an_actor(town="Kotka"), 2)], database=database)
    profile = await made(broker.get(f"/api/v1/directory/profiles/{ONE}"))
    for name, value in event.model_dump(mode="json").items():
        assert profile[name] == value
    assert profile["region"] == "fi1c"
    actor = await made(broker.get(f"/api/v1/directory/actors/{THREE}"))
    assert (actor["town"], actor["region"]) == ("Kotka", "fi1c")


async def fill(database: Database) -> None:
    records = []
    for number in range(6):
        changes = {
            "summary": "Nothing more.",
            "title": f"Offer {number} of flax" if number % 2 else f"Request {number} for boats",
            "profile_type": ProfileType.TECHNOLOGY_OFFER if number % 2 else ProfileType.BUSINESS_REQUEST,
            "sectors": [Sector.MATERIALS, Sector.MARITIME] if number < 3 else [Sector.ICT],
            "published_at": clock.now() - timedelta(days=number),
        }
        region = "fi1c" if number < 4 else "pl84"
        records.append(told(a_profile(new_id(), **changes), 2, region=region))
    over = a_profile(new_id(), title="Over", valid_until=date(2020, 1, 1))
    outcomes = await take_all(consumer(), [*records, told(over, 2)], database=database)
    assert set(outcomes) == {"applied"}


@pytest.mark.parametrize(
    ("params", "numbers"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"type": "TO"}, [1, 3, 5]),
        ({"type": ["TO", "BR"]}, [0, 1, 2, 3, 4, 5]),
        ({"region": "pl84"}, [4, 5]),
        ({"sector": ["maritime", "ict"], "region": "fi1c"}, [0, 1, 2, 3]),
        ({"kind": "research"}, []),
        ({"q": "FLAX off"}, [1, 3, 5]),
        ({"q": "lodz request"}, [0, 2, 4]),
        ({"q": "absent"}, []),
    ],
)
async def test_the_directory_is_filtered(
    database: Database, broker: httpx.AsyncClient, params: dict[str, Any], numbers: list[int]
) -> None:
    await fill(database)
    page = await made(broker.get("/api/v1/directory/profiles", params=params))
    assert [int(item["title"].split()[1]) for item in page["items"]] == numbers
    assert page["total"] == len(numbers)


async def test_facets_count_what_each_choice_would_give(database: Database, broker: httpx.AsyncClient) -> None:
    await fill(database)
    page = await made(broker.get("/api/v1/directory/profiles", params={"region": "fi1c"}))
    assert page["facets"] == {
        "type": {"BR": 2, "TO": 2},
        "region": {"fi1c": 4, "pl84": 2},
        "sector": {"maritime": 3, "materials": 3, "ict": 1},
        "kind": {"sme": 4},
    }


async def test_pages_follow_each_other_also_when_something_is_added(
    database: Database, broker: httpx.AsyncClient
) -> None:
    await fill(database)
    path = "/api/v1/directory/profiles"
    first = await made(broker.get(path, params={"limit": 4}))
    await take_all(consumer(), [told(a_profile(new_id(), title="Offer 99"), 2)], database=database)
    second = await made(broker.get(path, params={"limit": 4, "cursor": first["next"]}))
    assert [int(item["title"].split()[1]) for item in first["items"] + second["items"]] == [0, 1, 2, 3, 4, 5]
    assert second["next"] is None


async def test_actors_are_found_by_name_and_left_when_unlisted(database: Database, broker: httpx.AsyncClient) -> None:
    names = ["Ylä Flax", "Augustów Boats", "Łomża Dairy"]
    ids = [new_id() for _ in names]
    records = [told(an_actor(id, name=name), 2) for id, name in zip(ids, names, strict=True)]
    await take_all(consumer(), records, database=database)
    path = "/api/v1/directory/actors"
    first = await made(broker.get(path, params={"limit": 2}))
    second = await made(broker.get(path, params={"limit": 2, "cursor": first["next"]}))
    assert [one["name"] for one in first["items"] + second["items"]] == ["Augustów Boats", "Łomża Dairy", "Ylä Flax"]
    assert first["facets"] == {"kind": {"sme": 3}, "region": {"fi1c": 3}, "sector": {}}
    gone = ActorUnlisted(actor_id=ids[0], unlisted_at=clock.now())
    await take_all(consumer(), [told(gone, 3)], database=database)
    assert (await made(broker.get(path, params={"q": "yla"})))["total"] == 0
    assert (await broker.get(f"{path}/{ids[0]}")).status_code == 404
