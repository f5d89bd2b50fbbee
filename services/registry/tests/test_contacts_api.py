"""Contact people and consents over HTTP, on a real database."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tibs_chassis import audit
from tibs_chassis.auth import Role
from tibs_chassis.database import Database
from tibs_contracts.ids import new_id
from tibs_registry.mothers import actor_body, contact_body, made, seen

pytestmark = pytest.mark.integration


@pytest.fixture
def contacts(actor: dict[str, Any]) -> str:
    return f"/api/v1/actors/{actor['id']}/contacts"


async def records(database: Database) -> list[tuple[str, str]]:
    async with database.transaction() as session:
        assert await audit.first_break(session) is None
        rows = (await session.execute(text("SELECT person, action, detail FROM audit ORDER BY seq"))).all()
    assert "suprasl-hulls" not in str(rows)
    return [(row.person, row.action) for row in rows if not row.action.startswith("actor.")]


async def test_a_contact_is_kept_with_purpose_and_basis(broker: httpx.AsyncClient, contacts: str) -> None:
    contact = await made(broker.post(contacts, json=contact_body()))
    assert {name: contact[name] for name in contact_body()} == contact_body()
    changed = contact_body(email="office@suprasl-hulls.example", phone=None)
    contact = await made(broker.put(f"{contacts}/{contact['id']}", json=changed, headers=seen(contact)))
    assert (contact["email"], contact["phone"], contact["version"]) == ("office@suprasl-hulls.example", None, 2)
    assert (await made(broker.get(contacts)))["items"] == [contact]


async def test_every_read_leaves_a_record_that_holds_no_data(
    broker: httpx.AsyncClient, contacts: str, database: Database, sign_in: Any
) -> None:
    contact = await made(broker.post(contacts, json=contact_body()))
    await made(broker.get(contacts))
    node = await sign_in(Role.NODE)
    await made(node.get(f"{contacts}/{contact['id']}"))
    assert await records(database) == [
        ("broker", "contact.added"),
        ("broker", "contacts.read"),
        ("node", "contact.read"),
    ]


async def test_a_refused_read_leaves_none(broker: httpx.AsyncClient, contacts: str, database: Database) -> None:
    assert (await broker.get(f"{contacts}/{new_id()}")).status_code == 404
    assert await records(database) == []


async def test_a_consent_is_given_and_withdrawn_once(broker: httpx.AsyncClient, contacts: str) -> None:
    contact = await made(broker.post(contacts, json=contact_body()))
    path = f"{contacts}/{contact['id']}/consents"
    given = {"text_version": "2026-01", "method": "meeting", "given_at": "2026-01-12T10:00:00+01:00"}
    consent = await made(broker.post(path, json=given))
    assert (consent["recorded_by"], consent["withdrawn_at"]) == ("broker", None)
    withdrawn = await made(broker.post(f"{path}/{consent['id']}/withdrawal"))
    assert withdrawn["withdrawn_at"] is not None
    again = await broker.post(f"{path}/{consent['id']}/withdrawal")
    assert again.status_code == 409
    assert "already" in again.json()["detail"]
    assert (await made(broker.get(f"{contacts}/{contact['id']}")))["consents"] == [withdrawn]


async def test_a_contact_is_found_under_its_own_organisation_alone(broker: httpx.AsyncClient, contacts: str) -> None:
    contact = await made(broker.post(contacts, json=contact_body()))
    other = await made(broker.post("/api/v1/actors", json=actor_body("Łomża Dairy")))
    elsewhere = f"/api/v1/actors/{other['id']}/contacts/{contact['id']}"
    assert (await broker.get(elsewhere)).status_code == 404
    assert (await broker.put(elsewhere, json=contact_body(), headers=seen(contact))).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"email": "nobody"}, "/email", "mail address"),
        ({"email": "a@b.example\u0000"}, "/email", "control character U+0000"),
        ({"phone": "123"}, "/phone", "country code"),
        ({"basis": "because"}, "/basis", "legitimate_interest"),
        ({"purpose": ""}, "/purpose", "should not be empty"),
        ({"language": "polish"}, "/language", "two small letters"),
        ({"shoe_size": 43}, "/shoe_size", "is not a field of this request"),
    ],
)
async def test_what_is_wrong_with_a_contact_is_said_at_the_field(
    broker: httpx.AsyncClient, contacts: str, change: dict[str, Any], pointer: str, reason: str
) -> None:
    answer = await broker.post(contacts, json=contact_body(**change))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert reason in answer.json()["errors"][0]["reason"]


async def test_a_consent_cannot_be_given_tomorrow(broker: httpx.AsyncClient, contacts: str) -> None:
    contact = await made(broker.post(contacts, json=contact_body()))
    body = {"text_version": "1", "method": "phone", "given_at": "2999-01-01T00:00:00Z"}
    answer = await broker.post(f"{contacts}/{contact['id']}/consents", json=body)
    assert answer.json()["errors"][0]["reason"] == "should not lie in the future"
    for given_at in ("2026-01-12T10:00:00", "yesterday"):
        answer = await broker.post(f"{contacts}/{contact['id']}/consents", json=body | {"given_at": given_at})
        assert answer.status_code == 422
