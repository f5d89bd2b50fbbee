"""The service as a whole, put together from the environment."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tibs_cases.app import build
from tibs_chassis.app import Service
from tibs_chassis.testing import NodeFiles


@pytest.fixture
async def service(node_files: NodeFiles, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """The service of Podlaskie, with nothing around it."""
    nowhere = "http://127.0.0.1:1"
    for name, value in {
        "REGION": "pl84",
        "REGIONS_FILE": node_files.regions,
        "DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none",
        "KAFKA": "127.0.0.1:1",
        "NODE_JWKS": node_files.jwks,
        "NODE_KEY": node_files.key,
        "OIDC_ISSUER": nowhere,
        "PUBLIC_URL": nowhere,
        "REGISTRY_URL": nowhere,
        "MATCHING_URL": nowhere,
        "NOTIFY_URL": nowhere,
        "CONTACTS_KEY": node_files.contacts_key,
        "SIGNING_KEY": node_files.signing_key,
        "SESSION_SECRET": "a secret of tests, long enough",
        "PROMISE_DAYS_DECISION": "20",
    }.items():
        monkeypatch.setenv(f"TIBS_{name}", str(value))
    service = build()
    yield service
    for resource in service.resources:
        async with resource():
            pass
    await service.database.close()


async def ask(service: Service, path: str) -> httpx.Response:
    assert service.api is not None
    transport = httpx.ASGITransport(app=service.api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def test_what_is_no_route_of_the_api_is_a_problem_document(service: Service) -> None:
    answer = await ask(service, "/api/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_what_is_a_page_asks_to_sign_in(service: Service) -> None:
    answer = await ask(service, "/today")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_the_api_without_a_token_says_so(service: Service) -> None:
    assert (await ask(service, "/api/v1/today")).status_code == 401


async def test_the_document_of_the_api_can_be_written(service: Service) -> None:
    assert service.api is not None
    assert "/api/v1/introductions/{introduction_id}/acceptance" in service.api.openapi()["paths"]


async def test_consumers_have_names_of_their_own(service: Service) -> None:
    names = [consumer.name for consumer in service.consumers]
    assert len(names) == len(set(names))


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TIBS_CONTACTS_KEY", raising=False)
    with pytest.raises(SystemExit):
        build()
    assert "TIBS_CONTACTS_KEY is not set" in capsys.readouterr().err
