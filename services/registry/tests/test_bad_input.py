"""Whatever comes in: a problem document that names field and reason, never a 500, nothing half-written."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_contracts.ids import new_id
from tibs_registry.actors.model import ActorEntry
from tibs_registry.mothers import actor_body, contact_body, made, profile_body, seen, verdict_body
from tibs_registry.profiles.model import ProfileEntry

pytestmark = pytest.mark.integration
ACTORS, PROFILES = "/api/v1/actors", "/api/v1/profiles"
NASTY: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5e308,
    "",
    "x\u0000y",
    "x\u202ey",
    "x" * 25_000,
    "unknown",
    "' OR 1=1 --",
    [],
    {},
    ["unknown"],
    ["", "\u0007"],
    [[[]]],
    {"kinds": ["nobody"]},
    {"task": 3},
    "2026-13-45",
]
COUNT = " UNION ALL ".join(
    f"SELECT '{table}', count(*) FROM {table}"
    for table in ("actor", "contact", "contact_consent", "profile", "profile_review", "outbox", "audit", "idempotency")
)


@pytest.fixture
async def unchanged(database: Database, actor: dict[str, Any]) -> AsyncIterator[None]:
    """Nothing was written by what the test does."""

    async def counts() -> dict[str, int]:
        async with database.transaction() as session:
            return {row[0]: row[1] for row in await session.execute(text(COUNT))}

    before = await counts()
    yield
    assert await counts() == before


def the_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= set(problem)
    return problem


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"name": None}, "/name", "should be text"),
        ({"name": "  "}, "/name", "should not be empty"),
        ({"name": "Two\nlines"}, "/name", "line break at position 4"),
        ({"name": "a\u0000b"}, "/name", "control character U+0000 at position 2"),
        ({"name": "a\u202eb"}, "/name", "invisible direction mark U+202E"),
        ({"short_name": "x" * 81}, "/short_name", "at most 80 characters, but has 81"),
        ({"kind": "boatyard"}, "/kind", "should be one of sme, large_company"),
        ({"kind": "unknown"}, "/kind", "should be one of sme"),
        ({"kind": 3}, "/kind", "sme"),
        ({"sectors": ["maritime", "moon"]}, "/sectors/1", "should be one of aeronautics_space"),
        ({"country": "Poland"}, "/country", "two capital letters"),
        ({"country": "XX"}, "/country", "ISO 3166-1"),
        ({"languages": ["english"]}, "/languages/0", "ISO 639-1"),
        ({"founded": "long ago"}, "/founded", "should be a whole number"),
        ({"founded": 10**30}, "/founded", "2200"),
        ({"website": "javascript:alert(1)"}, "/website", "web address"),
        ({"website": "https://user:secret@firm.example"}, "/website", "web address"),
        ({"nuts": "pl84"}, "/nuts", "NUTS code"),
        ({"nuts": "FI1C"}, "/nuts", "should begin with PL"),
        ({"nuts_version": None}, "/nuts_version", "year of the list"),
        ({"confirmed_on": "2999-01-01"}, "/confirmed_on", "should not lie in the future"),
        ({"registration_number": "12"}, "/registration_number", "is not a Polish KRS, REGON or NIP number"),
        ({"vat": "PL1"}, "/vat", "is not a VAT number"),
        ({"id": str(new_id())}, "/id", "is not a field of this request"),
        ({"listed": "perhaps"}, "/listed", "should be true or false"),
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_what_is_wrong_with_an_actor_is_said_at_the_field(
    broker: httpx.AsyncClient, change: dict[str, Any], pointer: str, reason: str
) -> None:
    problem = the_problem(await broker.post(ACTORS, json=actor_body() | {"name": "Another"} | change), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert reason in problem["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"title": "x" * 201}, "/title", "should have at most 200 characters, but has 201"),
        ({"summary": "x" * 501}, "/summary", "should have at most 500 characters, but has 501"),
        ({"description": "x" * 4001}, "/description", "at most 4000"),
        ({"advantages": "x" * 2001}, "/advantages", "at most 2000"),
        ({"technology_keywords": list("abcdef")}, "/technology_keywords", "should hold at most 5, but holds 6"),
        ({"title": "a\u0007b"}, "/title", "control character U+0007"),
        ({"profile_type": "XX"}, "/profile_type", "should be one of BO, BR, TO, TR, RDR"),
        ({"trl": 10}, "/trl", "should be 9 or less"),
        ({"sdgs": [18]}, "/sdgs/0", "17"),
        ({"nace": ["boats"]}, "/nace/0", "NACE code"),
        ({"partner_sought": {"work": "all"}}, "/partner_sought/work", "is not a field of this request"),
        ({"research_call": {"programme": "Horizon"}}, "/research_call", "R&D requests"),
        ({"state": "published"}, "/state", "is not a field of this request"),
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_what_is_wrong_with_a_profile_is_said_at_the_field(
    broker: httpx.AsyncClient, actor: dict[str, Any], change: dict[str, Any], pointer: str, reason: str
) -> None:
    problem = the_problem(await broker.post(PROFILES, json=profile_body(actor["id"], **change)), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert reason in problem["errors"][0]["reason"]


@pytest.mark.usefixtures("unchanged")
async def test_all_that_is_wrong_is_said_at_once(broker: httpx.AsyncClient) -> None:
    body = actor_body(kind="x", country="y", founded="z", extra=1)
    problem = the_problem(await broker.post(ACTORS, json=body), 422)
    assert {error["pointer"] for error in problem["errors"]} == {"/kind", "/country", "/founded", "/extra"}


async def test_no_value_in_any_field_breaks_an_actor(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    for field in ActorEntry.model_fields:
        for value in NASTY:
            body = actor_body(accept_duplicate=True) | {field: value}
            answer = await broker.post(ACTORS, json=body)
            assert answer.status_code in (201, 409, 422), (field, value, answer.text)


async def test_no_value_in_any_field_breaks_a_profile(
    broker: httpx.AsyncClient, draft: dict[str, Any], actor: dict[str, Any]
) -> None:
    version = draft["version"]
    for field in ProfileEntry.model_fields:
        for value in NASTY:
            answer = await broker.put(
                f"{PROFILES}/{draft['id']}",
                json=profile_body() | {field: value},
                headers={"If-Match": f'"{version}"'},
            )
            assert answer.status_code in (200, 422), (field, value, answer.text)
            version += answer.status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 5000,
        b'{"a": NaN}',
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_body_that_is_no_object_is_refused(broker: httpx.AsyncClient, content: bytes) -> None:
    for path in (ACTORS, PROFILES):
        answer = await broker.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text
        the_problem(answer, answer.status_code)


async def test_a_verdict_is_checked(reviewer: httpx.AsyncClient, submitted: dict[str, Any], unchanged: None) -> None:
    path = f"{PROFILES}/{submitted['id']}/review"
    for change, pointer in (
        ({"decision": "perhaps"}, "/decision"),
        ({"rubric": {"pretty": True}}, "/rubric/pretty/[key]"),
        ({"rubric": verdict_body()["rubric"] | {"anonymous": False}}, "/rubric/anonymous"),
        ({"decision": "return"}, "/comments"),
        ({"comments": [{"field": "summary", "comment": ""}]}, "/comments/0/comment"),
    ):
        problem = the_problem(await reviewer.post(path, json=verdict_body() | change, headers=seen(submitted)), 422)
        assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.usefixtures("unchanged")
async def test_a_stale_or_missing_version_changes_nothing(broker: httpx.AsyncClient, actor: dict[str, Any]) -> None:
    path = f"{ACTORS}/{actor['id']}"
    the_problem(await broker.put(path, json=actor_body()), 428)
    problem = the_problem(await broker.put(path, json=actor_body(), headers={"If-Match": '"7"'}), 412)
    assert problem["held_version"] == 1
    the_problem(await broker.put(path, json=actor_body(), headers={"If-Match": "latest"}), 400)


async def test_the_same_request_again_does_nothing_more(broker: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "form-0001"}
    first = await broker.post(ACTORS, json=actor_body("Łomża Dairy"), headers=headers)
    again = await broker.post(ACTORS, json=actor_body("Łomża Dairy"), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json(), again.headers["ETag"]) == (first.json(), first.headers["ETag"])
    assert (await made(broker.get(ACTORS)))["total"] == 1
    problem = the_problem(await broker.post(ACTORS, json=actor_body("Other"), headers=headers), 422)
    assert problem["errors"][0]["pointer"] == "header Idempotency-Key"


@pytest.mark.usefixtures("unchanged")
async def test_what_does_not_exist_here_is_not_found(
    broker: httpx.AsyncClient, reviewer: httpx.AsyncClient, actor: dict[str, Any]
) -> None:
    id, version = new_id(), {"If-Match": '"1"'}
    for answer in (
        await broker.get(f"{ACTORS}/{id}"),
        await broker.put(f"{ACTORS}/{id}", json=actor_body(), headers=version),
        await broker.get(f"{ACTORS}/{id}/contacts"),
        await broker.post(f"{ACTORS}/{id}/contacts", json=contact_body()),
        await broker.get(f"{ACTORS}/{actor['id']}/contacts/{id}"),
        await broker.post(f"{ACTORS}/{actor['id']}/contacts/{id}/consents/{id}/withdrawal"),
        await broker.get(f"{PROFILES}/{id}"),
        await broker.get(f"{PROFILES}/{id}/anonymity"),
        await broker.put(f"{PROFILES}/{id}", json=profile_body(), headers=version),
        await broker.post(f"{PROFILES}/{id}/submission", headers=version),
        await reviewer.post(f"{PROFILES}/{id}/review", json=verdict_body(), headers=version),
        await broker.post(f"{PROFILES}/{id}/withdrawal", json={}, headers=version),
        await broker.get(f"/api/v1/directory/profiles/{id}"),
        await broker.get(f"/api/v1/directory/actors/{id}"),
    ):
        assert str(id) in the_problem(answer, 404)["detail"]
    problem = the_problem(await broker.post(PROFILES, json=profile_body(str(id))), 422)
    assert problem["errors"] == [
        {"pointer": "/actor_id", "reason": "is no organisation of this region", "held": str(id)}
    ]


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        (f"{ACTORS}?limit=0", "?limit"),
        (f"{ACTORS}?limit=many", "?limit"),
        (f"{ACTORS}?kind=nobody", "?kind.0"),
        (f"{ACTORS}?q=%00", "?q"),
        (f"{ACTORS}?q=" + "x" * 201, "?q"),
        (f"{ACTORS}?cursor=xyz", "?cursor"),
        (f"{ACTORS}?cursor=WyJhIiwgImIiXQ", "?cursor"),
        (f"{ACTORS}/not-an-id", "path actor_id"),
        (f"{PROFILES}?state=unknown", "?state.0"),
        (f"{PROFILES}?actor_id=1", "?actor_id"),
        (f"{PROFILES}?cursor=W1tbXV1d", "?cursor"),
        ("/api/v1/directory/profiles?type=XX", "?type.0"),
        ("/api/v1/directory/profiles?region=../etc", "?region.0"),
        ("/api/v1/directory/profiles?sector=moon", "?sector.0"),
        ("/api/v1/directory/actors?cursor=eyJhIjoxfQ", "?cursor"),
    ],
)
async def test_queries_are_checked(broker: httpx.AsyncClient, path: str, pointer: str) -> None:
    problem = the_problem(await broker.get(path), 422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_who_lacks_a_right_is_told_which(sign_in: Any, actor: dict[str, Any]) -> None:
    analyst = await sign_in(Role.ANALYST)
    problem = the_problem(await analyst.get(f"{ACTORS}/{actor['id']}/contacts"), 403)
    assert "broker" in problem["detail"]
    assert (await analyst.get("/api/v1/directory/actors")).status_code == 200
