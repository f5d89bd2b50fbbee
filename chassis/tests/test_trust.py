"""Tokens, sealed contacts and the audit log."""

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey, RSAKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request

from tibs_chassis import audit
from tibs_chassis.auth import Principal, Role, TokenVerifier, roles_of
from tibs_chassis.database import Database
from tibs_chassis.problems import Unauthenticated, Unavailable
from tibs_chassis.sealing import SealError, load_key, open_sealed, seal
from tibs_chassis.testing import NodeFiles, make_node_files, make_principal
from tibs_chassis.tokens import TokenMinter

REGIONS_FILE = Path(__file__).parents[2] / "deploy" / "regions.yaml"


@pytest.fixture
def files(tmp_path: Path) -> NodeFiles:
    return make_node_files(tmp_path, regions_file=REGIONS_FILE)


class Provider:
    """An identity provider that signs whatever a test asks for."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, parameters={"kid": "k1", "use": "sig"})
        self.issuer = ""

    def token(self, **claims: Any) -> str:
        standard = {"iss": self.issuer, "aud": "tibs", "sub": "machine-1", "exp": int(time.time()) + 60}
        kept = {name: value for name, value in (standard | claims).items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, kept, self.key)


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = {"jwks_uri": f"{provider.issuer}/jwks"}
            if self.path == "/jwks":
                answer = dict(KeySet([provider.key]).as_dict(private=False))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield provider
        server.shutdown()
        thread.join()


def verify(files: NodeFiles, token: str, *, issuer: str = "http://127.0.0.1:1") -> Principal:
    verifier = TokenVerifier(
        region="pl84", service="registry", node_jwks=files.jwks, oidc_issuer=issuer, oidc_audience="tibs"
    )
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return asyncio.run(verifier.principal(Request({"type": "http", "headers": headers})))


def test_a_token_of_the_node_carries_the_person_on(files: NodeFiles) -> None:
    minter = TokenMinter(region="pl84", key_file=files.key)
    person = make_principal(Role.BROKER, Role.REVIEWER, person="p-1", language="pl")
    found = verify(files, minter.mint(person, "registry"))
    assert (found.person, found.roles, found.language) == ("p-1", person.roles, "pl")


def test_a_token_of_the_node_ends_soon(files: NodeFiles) -> None:
    minter = TokenMinter(region="pl84", key_file=files.key)
    with pytest.raises(Unauthenticated, match="ExpiredTokenError"):
        verify(files, minter.mint(make_principal(Role.BROKER), "registry", lifetime=-60))


def test_a_token_of_another_node_is_refused(files: NodeFiles) -> None:
    minter = TokenMinter(region="fi1c", key_file=files.key)
    with pytest.raises(Unavailable):
        verify(files, minter.mint(make_principal(Role.BROKER), "registry"))


def test_a_machine_comes_with_a_token_of_the_regions_provider(files: NodeFiles, provider: Provider) -> None:
    found = verify(files, provider.token(roles=["integration", "emperor"]), issuer=provider.issuer)
    assert found.roles == {Role.INTEGRATION}


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"iss": "http://elsewhere.example"},
        {"roles": ["node"]},
        {"iss": "/regions/pl84", "aud": "registry"},
    ],
)
def test_a_token_of_the_provider_that_is_not_for_us_is_refused(
    files: NodeFiles, provider: Provider, claims: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        verify(files, provider.token(**claims), issuer=provider.issuer)


def test_a_token_without_signature_is_refused(files: NodeFiles, provider: Provider) -> None:
    header, payload, _ = provider.token(roles=["lead"]).split(".")
    with pytest.raises(Unauthenticated):
        verify(files, f"{header}.{payload}.", issuer=provider.issuer)


def test_roles_are_read_as_keycloak_writes_them() -> None:
    assert roles_of({"realm_access": {"roles": ["lead", "offline_access"]}}) == {Role.LEAD}
    assert roles_of({"roles": "lead"}) == frozenset()


def test_a_sealed_contact_opens_with_the_receivers_key_alone(tmp_path: Path, files: NodeFiles) -> None:
    finnish, polish = (load_key(tmp_path / f"contacts-{code}.json") for code in ("fi1c", "pl84"))
    sealed = seal(b"desk@company.example", key=finnish.as_dict(private=False))
    assert "company" not in sealed
    assert open_sealed(sealed, key=finnish) == b"desk@company.example"
    with pytest.raises(SealError):
        open_sealed(sealed, key=polish)


@pytest.mark.parametrize("sealed", ["", "a.b.c.d.e", "x" * 1000, "é"])
def test_what_was_never_sealed_cannot_be_opened(sealed: str) -> None:
    key = OKPKey.generate_key("X25519", parameters={"kid": "k"})
    with pytest.raises(SealError):
        open_sealed(sealed, key=key)


@pytest.mark.integration
async def test_the_audit_log_is_only_appended_to_and_notices_a_gap(database: Database) -> None:
    for number in range(5):
        async with database.transaction() as session:
            await audit.record(
                session, principal=make_principal(Role.BROKER), action="contact.read", subject=f"contact {number}"
            )
    async with database.transaction() as session:
        assert await audit.first_break(session) is None

    async def tamper(statement: str) -> None:
        async with database.transaction() as session:
            await session.execute(text(statement))

    for statement in ("UPDATE audit SET person = 'x' WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"):
        with pytest.raises(DBAPIError, match="only ever appended to"):
            await tamper(statement)
    await tamper("ALTER TABLE audit DISABLE TRIGGER audit_append_only")
    await tamper("UPDATE audit SET person = 'x' WHERE seq = 3")
    async with database.transaction() as session:
        assert await audit.first_break(session) == 3
