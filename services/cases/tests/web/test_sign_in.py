"""Sessions, their cookie, and the way through the identity provider."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tibs_cases.web import session as sessions
from tibs_cases.web.shell import inside
from tibs_cases.web.signin import Limiter
from tibs_chassis import clock
from tibs_chassis.auth import Role
from tibs_chassis.testing import make_principal

from .conftest import ORIGIN, Workplace

integration = pytest.mark.integration


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "", None, "today", "/x\r\nSet-Cookie: a=b"]
)
def test_a_sign_in_never_leads_elsewhere(address: str | None) -> None:
    assert inside(address, otherwise="/today") == "/today"
    assert inside("/cases?state=intake", otherwise="/today") == "/cases?state=intake"


def test_too_many_tries_from_one_address_have_to_wait() -> None:
    limiter = Limiter(per_minute=3)
    assert [limiter.allows("one", at=0.0) for _ in range(4)] == [True, True, True, False]
    assert limiter.allows("other", at=0.0)
    assert limiter.allows("one", at=25.0)


@integration
async def test_whoever_is_not_signed_in_comes_back_to_the_page_after_signing_in(workplace: Workplace) -> None:
    visitor = await workplace.visit(None)
    answer = await visitor.client.get("/cases?state=intake")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/cases%3Fstate%3Dintake")
    fragment = await visitor.client.get("/notices/bell", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/sign-in?next=/today")
    gate = await visitor.client.get("/sign-in")
    assert gate.status_code == 200


@integration
async def test_a_provider_that_is_away_is_said_in_a_sentence(workplace: Workplace) -> None:
    visitor = await workplace.visit(None)
    answer = await visitor.client.get("/sign-in/start")
    assert answer.status_code == 503
    assert "identity provider does not answer" in answer.text


@integration
async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(workplace: Workplace) -> None:
    visitor = await workplace.visit(None)
    answer = await visitor.client.get("/sign-in/callback?code=stolen&state=somebody-elses")
    assert answer.status_code == 403
    assert workplace.app.state.cookie.name not in answer.cookies


@integration
async def test_signing_in_asks_the_provider_once_and_begins_a_fresh_session(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = workplace.app.state.provider
    asked: dict[str, Any] = {}

    async def metadata() -> dict[str, Any]:
        return {"issuer": ORIGIN, "authorization_endpoint": f"{ORIGIN}/authorize"}

    async def claims(*, code: str, verifier: str, nonce: str) -> dict[str, Any]:
        asked.update(code=code, verifier=verifier, nonce=nonce)
        return {"sub": "new-broker", "name": "Broker, Suwałki", "roles": ["broker"], "locale": "pl"}

    monkeypatch.setattr(provider, "metadata", metadata)
    monkeypatch.setattr(provider, "claims", claims)
    visitor = await workplace.visit(None)
    visitor.client.cookies.set(workplace.app.state.cookie.name, "an id that somebody planted")
    begun = await visitor.client.get("/sign-in/start?next=/cases")
    query = httpx.URL(begun.headers["location"]).params
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == f"{ORIGIN}/sign-in/callback"
    done = await visitor.client.get(f"/sign-in/callback?code=c&state={query['state']}")
    assert (done.status_code, done.headers["location"]) == (303, "/cases")
    assert asked["nonce"] == query["nonce"]
    cookie = next(line for line in done.headers.get_list("set-cookie") if "tibs-pl84" in line)
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "planted" not in cookie
    assert (await visitor.client.get("/today")).status_code == 200
    rows = await workplace.node.rows("SELECT language, roles FROM person WHERE id = 'new-broker'")
    assert (rows[0].language, rows[0].roles) == ("pl", ["broker"])
    again = await visitor.client.get(f"/sign-in/callback?code=c&state={query['state']}")
    assert again.status_code == 403, "a flow is used once"


@integration
async def test_whoever_has_no_role_at_the_desk_is_told_whom_to_ask(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = workplace.app.state.provider

    async def metadata() -> dict[str, Any]:
        return {"issuer": ORIGIN, "authorization_endpoint": f"{ORIGIN}/authorize"}

    async def claims(**asked: str) -> dict[str, Any]:
        return {"sub": "stranger", "name": "Somebody", "roles": ["integration"]}

    monkeypatch.setattr(provider, "metadata", metadata)
    monkeypatch.setattr(provider, "claims", claims)
    visitor = await workplace.visit(None)
    begun = await visitor.client.get("/sign-in/start")
    state = httpx.URL(begun.headers["location"]).params["state"]
    answer = await visitor.client.get(f"/sign-in/callback?code=c&state={state}")
    assert answer.status_code == 403
    assert "Ask your lead" in answer.text


@integration
async def test_a_session_ends_by_time_by_idleness_and_by_signing_out(workplace: Workplace) -> None:
    for column, late in (("expires_at", timedelta(0)), ("seen_at", sessions.IDLE)):
        visitor = await workplace.visit()
        assert (await visitor.client.get("/today")).status_code == 200
        async with workplace.node.database.transaction() as session:
            await session.execute(text(f"UPDATE web_session SET {column} = :at"), {"at": clock.now() - late})
        assert (await visitor.client.get("/today")).status_code == 303
    visitor = await workplace.visit()
    assert (await visitor.send("/sign-out")).headers["location"] == "/sign-in?left=yes"
    visitor.client.cookies.set(workplace.app.state.cookie.name, visitor.token or "")
    assert (await visitor.client.get("/today")).status_code == 303, "the id is of no use any more"


@integration
async def test_the_database_does_not_hold_what_the_browser_holds(workplace: Workplace) -> None:
    visitor = await workplace.visit()
    rows = await workplace.node.rows("SELECT id_hash, csrf_secret FROM web_session")
    assert (visitor.token or "").encode() not in bytes(rows[0].id_hash)


def test_a_form_token_looks_different_each_time_and_belongs_to_one_session() -> None:
    principal = make_principal(Role.BROKER, person="p")
    one = sessions.SignedIn(principal=principal, csrf_secret=b"a" * 32, id_hash=b"")
    other = sessions.SignedIn(principal=principal, csrf_secret=b"b" * 32, id_hash=b"")
    assert one.csrf != one.csrf
    assert one.owns(one.csrf)
    assert not other.owns(one.csrf)
    assert not one.owns("not a token")
    assert not one.owns("ä")
