"""The two small servers of a stack: who somebody is, and what mail they got."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tibs_chassis.regions import Regions
from tibs_devstack.parts.identity import Identity
from tibs_devstack.parts.mail import Mail
from tibs_devstack.people import people_of
from tibs_devstack.places import PROJECT
from tibs_devstack.process import free_port


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    folder = tmp_path_factory.mktemp("identity")
    region = Regions.load(PROJECT / "deploy" / "regions.yaml")["pl84"]
    part = Identity(folder, people=people_of(region), port=free_port(), log=folder / "identity.log")
    part.start()
    yield part
    part.stop()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    part = Mail(tmp_path / "mails", smtp_port=free_port(), http_port=free_port(), log=tmp_path / "mail.log")
    part.start()
    yield part
    part.stop()


def _sign_in(issuer: str, person: str) -> dict[str, object]:
    """The authorization code flow, as a browser and a client go through it. Returns what userinfo tells."""
    with httpx.Client(base_url=issuer) as http:
        told = http.get("/.well-known/openid-configuration").json()
        assert told["issuer"] == issuer
        question = {
            "client_id": "tibs",
            "redirect_uri": "http://localhost:1/back",
            "response_type": "code",
            "scope": "openid profile email",
            "state": "s",
        }
        page = http.get("/oauth2/authorize", params=question)
        assert "Second broker, " in page.text
        assert "https://" not in page.text, "nothing is fetched from elsewhere"
        back = http.post("/oauth2/authorize", params=question, data={"sub": person})
        code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
        tokens = http.post(
            "/oauth2/token",
            auth=("tibs", "secret"),
            data={"grant_type": "authorization_code", "code": code, "redirect_uri": question["redirect_uri"]},
        ).json()
        claims: dict[str, object] = http.get(
            "/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}
        ).json()
        return claims


def test_a_region_has_its_own_people_with_roles(identity: Identity) -> None:
    claims = _sign_in(identity.address, "pl84-reviewer")
    assert claims["sub"] == "pl84-reviewer"
    assert claims["name"] == "Reviewer, Podlaskie"
    assert claims["email"] == "reviewer@pl84.example"
    assert claims["roles"] == ["broker", "reviewer"]
    assert claims["region"] == "pl84"
    assert claims["locale"] == "pl"


def test_a_restarted_provider_signs_with_the_same_key(identity: Identity) -> None:
    before = httpx.get(f"{identity.address}/jwks").json()
    identity.stop()
    identity.start()
    assert httpx.get(f"{identity.address}/jwks").json() == before


def _send(mail: Mail, *, to: str, subject: str = "Zażółć gęślą jaźń") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "tibs@pl84.example", to, subject
    message.set_content("Introduction requested, äöü.")
    message.add_alternative("<p>Introduction <b>requested</b></p><script>alert(1)</script>", subtype="html")
    parts = urlsplit(mail.address)
    with smtplib.SMTP(parts.hostname or "", parts.port or 0) as smtp:
        smtp.send_message(message)


def test_mail_is_kept_and_told_by_receiver(mail: Mail) -> None:
    _send(mail, to="broker@pl84.example")
    _send(mail, to="broker@fi1c.example", subject="Other")
    with httpx.Client(base_url=mail.page) as http:
        found = http.get("/api/mails", params={"to": "broker@pl84.example"}).json()
        assert found["total"] == 1
        item = found["items"][0]
        assert item["subject"] == "Zażółć gęślą jaźń"
        assert "äöü" in item["text"]
        assert "<b>requested</b>" in item["html"]
        assert http.get(f"/api/mails/{item['id']}").json() == item
        assert [mail["subject"] for mail in http.get("/api/mails").json()["items"]] == ["Other", item["subject"]]


def test_the_page_shows_a_mail_without_running_it(mail: Mail) -> None:
    _send(mail, to="broker@pl84.example")
    with httpx.Client(base_url=mail.page) as http:
        assert "Zażółć gęślą jaźń" in http.get("/").text
        mail_id = http.get("/api/mails").json()["items"][0]["id"]
        page = http.get(f"/mails/{mail_id}")
        assert '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
        assert "<script" not in page.text
        frame = http.get(f"/mails/{mail_id}/html")
        assert frame.headers["content-security-policy"].startswith("sandbox allow-popups ")
        assert "default-src 'none'" in frame.headers["content-security-policy"]
        assert http.get("/mails/none").status_code == 404


def test_mails_outlive_a_restart_until_they_are_cleared(mail: Mail) -> None:
    _send(mail, to="broker@pl84.example")
    mail.stop()
    mail.start()
    assert httpx.get(f"{mail.page}/api/mails").json()["total"] == 1
    assert httpx.delete(f"{mail.page}/api/mails").status_code == 204
    assert httpx.get(f"{mail.page}/api/mails").json()["total"] == 0
