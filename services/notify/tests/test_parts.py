"""Settings, the desk, and the frozen schema of the job queue."""

from importlib.resources import files as resources

import httpx
import pytest
from pydantic import ValidationError

from tibs_chassis.auth import Role
from tibs_chassis.client import ServiceClient
from tibs_chassis.settings import load_settings
from tibs_chassis.testing import NodeFiles
from tibs_chassis.tokens import TokenMinter
from tibs_notify.people import CasesDesk, DeskAway, Reachable
from tibs_notify.settings import NotifySettings


def test_the_job_queues_tables_are_those_of_the_installed_version() -> None:
    """When this fails, procrastinate was updated: add a migration with what its own migrations change."""
    frozen = resources("tibs_notify") / "migrations" / "sql" / "procrastinate-3.10.0.sql"
    installed = resources("procrastinate") / "sql" / "schema.sql"
    assert frozen.read_text() == installed.read_text()


@pytest.fixture
def environment(files: NodeFiles, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    values = {
        "REGION": "pl84",
        "REGIONS_FILE": files.regions,
        "DATABASE_URL": "postgresql://notify:secret@localhost/notify",
        "KAFKA": "localhost:9092",
        "NODE_JWKS": files.jwks,
        "NODE_KEY": files.key,
        "OIDC_ISSUER": "http://localhost:1",
        "SMTP_URL": "smtp://localhost:25",
        "MAIL_FROM": "TIBS Podlaskie <no-reply@pl84.example>",
        "CASES_URL": "http://localhost:2",
        "PUBLIC_URL": "http://localhost:3/",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TIBS_{name}", str(value))
    return monkeypatch


def test_the_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TIBS_MAIL_RETRY_SECONDS", "[1, 2]")
    settings = load_settings(NotifySettings)
    assert settings.public_url == "http://localhost:3"
    assert settings.mail_retry_seconds == (1, 2)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SMTP_URL", "mail.example", "TIBS_SMTP_URL held a value: Value error, should be like smtp://host:25"),
        ("MAIL_FROM", "TIBS", "TIBS_MAIL_FROM held 'TIBS': Value error, should be like 'TIBS Podlaskie"),
        ("MAIL_RETRY_SECONDS", "[]", "TIBS_MAIL_RETRY_SECONDS held"),
        ("NODE_KEY", "", "TIBS_NODE_KEY is not set"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    environment: pytest.MonkeyPatch, name: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv(f"TIBS_{name}", value)
    with pytest.raises(SystemExit) as stopped:
        load_settings(NotifySettings)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_mail_sender_may_not_hold_a_second_header(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TIBS_MAIL_FROM", "TIBS <a@b.example>\nBcc: c@d.example")
    with pytest.raises(ValidationError):
        NotifySettings()


def desk_answering(
    answer: httpx.Response | httpx.HTTPError, minter: TokenMinter
) -> tuple[CasesDesk, list[httpx.Request]]:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    client = ServiceClient("http://cases", audience="cases", minter=minter)
    client._client = httpx.AsyncClient(base_url="http://cases", transport=httpx.MockTransport(handle))
    return CasesDesk(client, caller=minter.node("notify")), requests


async def test_the_desk_is_asked_for_one_person(minter: TokenMinter) -> None:
    answer = httpx.Response(200, json={"id": "a/b", "email": "broker@pl84.example", "language": "pl", "version": 3})
    desk, [*requests] = desk_answering(answer, minter)
    assert await desk.person("a/b") == Reachable(address="broker@pl84.example", language="pl")
    await desk.close()
    assert requests == []


async def test_a_persons_id_cannot_leave_its_place_in_the_path(minter: TokenMinter) -> None:
    desk, requests = desk_answering(httpx.Response(200, json={"email": None, "language": "xx"}), minter)
    assert await desk.person("../cases?x=1") == Reachable(address=None, language="en")
    assert requests[0].url.raw_path == b"/api/v1/people/..%2Fcases%3Fx%3D1"
    await desk.close()


async def test_the_desk_is_asked_for_the_holders_of_a_role(minter: TokenMinter) -> None:
    people = [{"id": "reviewer", "roles": ["broker", "reviewer"]}, {"id": "broker", "roles": ["broker"]}]
    desk, requests = desk_answering(httpx.Response(200, json={"items": people}), minter)
    assert await desk.holders(Role.REVIEWER) == ("reviewer",)
    assert dict(requests[0].url.params) == {"role": "reviewer"}
    await desk.close()


async def test_nobody_is_nobody(minter: TokenMinter) -> None:
    problem = httpx.Response(404, json={"detail": "no"}, headers={"content-type": "application/problem+json"})
    desk, _ = desk_answering(problem, minter)
    assert await desk.person("ghost") is None
    await desk.close()


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(503), httpx.Response(403), httpx.Response(200, text="<html>"), httpx.ConnectError("no")],
    ids=["busy", "refused", "no JSON", "no line"],
)
async def test_a_desk_that_gives_no_answer_is_away(
    answer: httpx.Response | httpx.HTTPError, minter: TokenMinter
) -> None:
    desk, _ = desk_answering(answer, minter)
    with pytest.raises(DeskAway, match="the desk"):
        await desk.person("broker")
    with pytest.raises(DeskAway, match="the desk"):
        await desk.holders(Role.REVIEWER)
    await desk.close()
