"""The HTTP edge: who may, one transaction a request, the same answer to the same key, and problems that help."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from sqlalchemy import text

from tibs_chassis.api import create_api
from tibs_chassis.auth import Caller, Role
from tibs_chassis.database import Database
from tibs_chassis.edge import EdgeRoute, IfMatch, Session, etag, require_version
from tibs_chassis.node import Node
from tibs_chassis.problems import Conflict
from tibs_chassis.regions import Regions
from tibs_chassis.settings import NodeSettings
from tibs_chassis.testing import api_client, make_node_files, make_principal, walk_access
from tibs_chassis.text import Input, Line, prose
from tibs_chassis.tokens import TokenMinter

pytestmark = pytest.mark.integration

router = APIRouter(prefix="/api/v1", route_class=EdgeRoute)
Note = Annotated[str, *prose(50)]


class ThingIn(Input):
    name: Line
    note: Note = ""
    size: int = 1


@router.post("/things", status_code=201)
async def add_thing(body: ThingIn, session: Session, caller: Caller, response: Response) -> dict[str, str]:
    await session.execute(text("INSERT INTO thing (name) VALUES (:name)"), {"name": body.name})
    if body.size == 13:
        raise Conflict("Thirteen is taken.")
    if body.size == 14:
        raise ZeroDivisionError
    response.headers.update(etag(1))
    return {"name": body.name, "by": caller.person}


@router.put("/things/{version}")
async def change_thing(version: int, expected: IfMatch) -> dict[str, bool]:
    require_version(expected=expected, held=version)
    return {"changed": True}


@router.get("/things")
async def list_things(session: Session, limit: Annotated[int, Query(ge=1, le=10)] = 5) -> list[str]:
    return [row.name for row in await session.execute(text("SELECT name FROM thing LIMIT :limit"), {"limit": limit})]


ACCESS = {
    "add_thing": frozenset({Role.BROKER}),
    "change_thing": frozenset({Role.BROKER, Role.LEAD}),
    "list_things": frozenset({Role.BROKER, Role.ANALYST}),
}


@pytest.fixture
def minter(tmp_path: Path) -> TokenMinter:
    files = make_node_files(tmp_path, regions_file=Path(__file__).parents[2] / "deploy" / "regions.yaml")
    return TokenMinter(region="pl84", key_file=files.key)


@pytest.fixture
async def app(database: Database, tmp_path: Path, minter: TokenMinter, regions: Regions) -> FastAPI:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE thing (name text)"))
    settings = NodeSettings(
        region="pl84",
        regions_file=tmp_path / "regions.yaml",
        database_url=database.url,
        kafka="127.0.0.1:1",
        node_jwks=tmp_path / "node-jwks.json",
        oidc_issuer="http://127.0.0.1:1",
    )
    node = Node(region="pl84", service="registry", regions=regions)
    return create_api(title="Things", database=database, settings=settings, node=node, routers=[router], access=ACCESS)


@pytest.fixture
async def client(app: FastAPI, minter: TokenMinter) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(app, minter=minter, audience="registry", principal=make_principal(Role.BROKER)) as client:
        yield client


async def things(database: Database) -> int:
    async with database.transaction() as session:
        return int((await session.execute(text("SELECT count(*) FROM thing"))).scalar_one())


async def test_every_route_answers_every_role_as_the_matrix_says(app: FastAPI, minter: TokenMinter) -> None:
    assert await walk_access(app, ACCESS, minter=minter, audience="registry") == []


async def test_a_token_for_another_service_opens_nothing(app: FastAPI, minter: TokenMinter) -> None:
    async with api_client(app, minter=minter, audience="cases", principal=make_principal(Role.BROKER)) as client:
        answer = await client.get("/api/v1/things")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5", "Bearer é"])
async def test_a_broken_token_is_refused(app: FastAPI, minter: TokenMinter, token: str) -> None:
    async with api_client(app, minter=minter, audience="registry", principal=None) as client:
        answer = await client.get("/api/v1/things", headers=[(b"Authorization", token.encode())])
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        ({}, "/name", "is required"),
        ({"name": 5}, "/name", "should be text"),
        ({"name": "x", "colour": "red"}, "/colour", "is not a field of this request"),
        ({"name": "x" * 201}, "/name", "at most 200 characters"),
        ({"name": "  "}, "/name", "should not be empty"),
        ({"name": "a\u0000b"}, "/name", "control character U+0000 at position 2"),
        ({"name": "a\nb"}, "/name", "one line"),
        ({"name": "a\u202eb"}, "/name", "direction mark U+202E"),
        ({"name": "x", "note": "y" * 51}, "/note", "at most 50 characters"),
        ({"name": "x", "size": "big"}, "/size", "should be a whole number"),
        ([], "/", "should be an object"),
    ],
)
async def test_bad_input_is_named_by_field_and_changes_nothing(
    client: httpx.AsyncClient, database: Database, body: object, pointer: str, reason: str
) -> None:
    answer = await client.post("/api/v1/things", json=body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert problem["errors"][0]["pointer"] == pointer
    assert reason in problem["errors"][0]["reason"]
    assert await things(database) == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'"' + b"x" * 1_000_001, b'{"name": "\\ud800"}'])
async def test_a_body_that_is_no_json_gets_a_problem_not_a_crash(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/api/v1/things", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_refused_request_is_taken_back(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.post("/api/v1/things", json={"name": "x", "size": 13})).status_code == 409
    assert await things(database) == 0


async def test_a_bug_answers_with_a_problem_and_takes_everything_back(
    client: httpx.AsyncClient, database: Database
) -> None:
    answer = await client.post("/api/v1/things", json={"name": "x", "size": 14})
    assert (answer.status_code, answer.json()["title"]) == (500, "Something went wrong here")
    assert await things(database) == 0


async def test_the_same_key_gives_the_same_answer_and_one_effect(client: httpx.AsyncClient, database: Database) -> None:
    headers = {"Idempotency-Key": "key-00000001"}
    answers = await asyncio.gather(
        *(client.post("/api/v1/things", json={"name": "x"}, headers=headers) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.text for answer in answers} == {'{"name":"x","by":"broker"}'}
    assert sorted(answer.headers.get("idempotency-replayed", "") for answer in answers) == ["", "true", "true", "true"]
    assert {answer.headers["etag"] for answer in answers} == {'"1"'}
    assert await things(database) == 1


async def test_a_key_used_for_something_else_is_refused(client: httpx.AsyncClient, database: Database) -> None:
    headers = {"Idempotency-Key": "key-00000001"}
    await client.post("/api/v1/things", json={"name": "x"}, headers=headers)
    answer = await client.post("/api/v1/things", json={"name": "y"}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "header Idempotency-Key")
    assert await things(database) == 1


async def test_a_refused_request_does_not_use_up_its_key(client: httpx.AsyncClient, database: Database) -> None:
    headers = {"Idempotency-Key": "key-00000001"}
    assert (await client.post("/api/v1/things", json={"name": ""}, headers=headers)).status_code == 422
    assert (await client.post("/api/v1/things", json={"name": "x"}, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    ("header", "status"), [(None, 428), ("3", 400), ('"x"', 400), ('"2"', 412), ('"3"', 200), ('W/"3"', 200)]
)
async def test_an_edit_says_which_version_it_changes(
    client: httpx.AsyncClient, header: str | None, status: int
) -> None:
    answer = await client.put("/api/v1/things/3", headers={} if header is None else {"If-Match": header})
    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_paths_methods_and_query_values_are_problems_too(client: httpx.AsyncClient) -> None:
    for method, path, status in [
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/things", 405),
        ("GET", "/api/v1/things?limit=many", 422),
        ("GET", "/api/v1/things?limit=0", 422),
    ]:
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
