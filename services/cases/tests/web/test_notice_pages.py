"""What people are told and how: their choice, mails that did not arrive, and the link that stops a kind of mail."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tibs_cases.web.signin import Limiter
from tibs_chassis.access import routes_of
from tibs_chassis.auth import Role
from tibs_chassis.problems import FieldError, Invalid, Problem
from tibs_chassis.testing import make_principal

from .conftest import ORIGIN, Workplace
from .stand_ins import StandIn

pytestmark = pytest.mark.integration

KIND = {"type": "introduction", "title": "Progress of introductions"}
PREFERENCES: dict[str, Any] = {
    "version": 3,
    "choices": [
        {"type": "urgent", "title": "Requests to me and due dates", "critical": True, "in_app": True, "mail": True},
        {**KIND, "critical": False, "in_app": True, "mail": False},
    ],
    "quiet_hours": {"start": "20:00:00", "end": "06:30:00"},
}
TYPED: dict[str, Any] = {
    "version": "3",
    "type": ["urgent", "introduction"],
    "title": ["Requests to me and due dates", "Progress of introductions"],
    "critical": "urgent",
    "mail": "introduction",
}
MAIL = UUID(int=9)
BEYOND = Problem(status=410, slug="link-not-valid", title="This link does not work any more", detail="")
CHANGED = Problem(status=412, slug="stale-version", title="Somebody changed this meanwhile", detail="")


def delivery(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(MAIL),
        "person": "broker-pl84",
        "state": "failed",
        "subject": "Your profile is published",
        "link": "/profiles/1",
        "attempts": 1,
        "reason": "the mail server refused the address (550)",
        "created_at": "2026-11-24T08:00:00Z",
        "next_attempt_at": None,
    } | changes


@pytest.fixture
def notify(workplace: Workplace) -> StandIn:
    stand_in = StandIn()
    stand_in.take_over(workplace.app.state.workbench.notify._client)
    return stand_in


# ---------------------------------------------------------------- the link of a mail


async def test_opening_a_mails_link_asks_and_changes_nothing(workplace: Workplace, notify: StandIn) -> None:
    notify.answers["GET", "/unsubscriptions"] = KIND
    visitor = await workplace.visit(None)
    answer, page = await visitor.open("/unsubscribe?token=a.b.c")
    assert answer.status_code == 200
    assert "Progress of introductions" in answer.text
    assert "always come" in answer.text
    form = page.css_first("#unsubscribe-form")
    assert form is not None
    assert form.attributes["action"] == "/unsubscribe?language=en&token=a.b.c"
    assert [(call.method, call.query) for call in notify.calls] == [("GET", {"token": "a.b.c"})]
    assert notify.calls[0].claims["roles"] == ["node"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
        {},  # a mail program
        {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_sending_it_stops_the_mails_for_whoever_holds_the_link(
    workplace: Workplace, notify: StandIn, headers: dict[str, str]
) -> None:
    notify.answers["POST", "/unsubscriptions"] = KIND
    visitor = await workplace.visit(None)
    answer = await visitor.client.post(
        "/unsubscribe?token=a.b.c", data={"List-Unsubscribe": "One-Click"}, headers=headers
    )
    assert answer.status_code == 200, "and no redirect: mail programs follow none"
    assert "These mails are stopped" in answer.text
    assert [(call.method, call.body) for call in notify.calls] == [("POST", {"token": "a.b.c"})]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("chosen", "of_the_mail", "read"),
    [("fi", "pl", "fi"), (None, "pl", "pl"), (None, "xx", "en"), ("<", "pl", "en")],
)
async def test_it_is_read_in_the_browsers_language_or_else_in_the_mails(
    workplace: Workplace, notify: StandIn, chosen: str | None, of_the_mail: str, read: str
) -> None:
    notify.answers["GET", "/unsubscriptions"] = KIND
    visitor = await workplace.visit(None)
    if chosen:
        visitor.client.cookies.set("tibs-language", chosen)
    _answer, page = await visitor.open(f"/unsubscribe?language={of_the_mail}&token=a.b.c")
    assert notify.calls[0].claims["locale"] == read
    assert page.html is not None
    assert f'<html lang="{read}"' in page.html


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("query", ["", "?token=", "?token=changed", "?token=" + "x" * 2001, "?token=%00%F0%9F"])
async def test_a_link_that_is_none_gets_a_clear_page(
    workplace: Workplace, notify: StandIn, method: str, query: str
) -> None:
    notify.answers[method, "/unsubscriptions"] = BEYOND
    visitor = await workplace.visit(None)
    answer = await visitor.client.request(method, f"/unsubscribe{query}")
    assert answer.status_code == 410
    assert "This link does not work any more" in answer.text
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_when_notify_is_away_the_page_says_so(workplace: Workplace, notify: StandIn, method: str) -> None:
    visitor = await workplace.visit(None)
    answer = await visitor.client.request(method, "/unsubscribe?token=a.b.c")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "Nothing was changed yet" in answer.text
    notify.answers[method, "/unsubscriptions"] = Problem(status=403, slug="forbidden", title="No", detail="")
    assert (await visitor.client.request(method, "/unsubscribe?token=a.b.c")).status_code == 503


async def test_too_many_tries_from_one_address_wait_and_keep_nobody_from_signing_in(
    workplace: Workplace, notify: StandIn
) -> None:
    workplace.app.state.unsubscribe_limiter = Limiter(per_minute=1)
    notify.answers["GET", "/unsubscriptions"] = KIND
    visitor = await workplace.visit(None)
    statuses = [(await visitor.client.get("/unsubscribe?token=a.b.c")).status_code for _ in range(2)]
    assert statuses == [200, 429]
    assert len(notify.calls) == 1
    assert (await visitor.client.get("/sign-in/start")).status_code == 503, "not 429: its provider is away"


async def test_no_other_form_is_taken_without_its_token(workplace: Workplace) -> None:
    signed_in, nobody = await workplace.visit(workplace.node.lead), await workplace.visit(None)
    for route in routes_of(workplace.app):
        if route.method == "GET" or route.name == "unsubscribe":
            continue
        path = route.path.replace("{", "").replace("}", "")
        without = await signed_in.client.post(path, data={"List-Unsubscribe": "One-Click"}, headers={"Origin": ORIGIN})
        assert without.status_code == 403, route
        unknown = await nobody.client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert unknown.headers["location"].startswith("/sign-in"), route


# ---------------------------------------------------------------- what a person chose


async def test_a_choice_is_shown_with_what_is_always_on(workplace: Workplace, notify: StandIn) -> None:
    notify.answers["GET", "/preferences"] = PREFERENCES
    visitor = await workplace.visit()
    answer, page = await visitor.open("/me/preferences")
    assert answer.status_code == 200
    boxes = {
        (box.attributes["name"], box.attributes["value"]): ("checked" in box.attributes, "disabled" in box.attributes)
        for box in page.css("#preferences-form input[type=checkbox]")
    }
    assert boxes == {
        ("in_app", "urgent"): (True, True),
        ("mail", "urgent"): (True, True),
        ("in_app", "introduction"): (True, False),
        ("mail", "introduction"): (False, False),
    }
    assert "Always on" in answer.text
    assert 'value="06:30"' in answer.text
    _answer, today = await visitor.open("/today")
    assert today.css_first('.menu-list a[href="/me/preferences"]') is not None


async def test_a_choice_is_saved_against_the_version_that_was_shown(workplace: Workplace, notify: StandIn) -> None:
    notify.answers["PUT", "/preferences"] = PREFERENCES
    visitor = await workplace.visit()
    times = {"quiet_hours.start": "21:00", "quiet_hours.end": "07:00"}
    answer = await visitor.send("/me/preferences", **TYPED, **times)
    assert answer.headers["location"] == "/me/preferences?saved=yes"
    [put] = notify.sent("PUT")
    assert put.headers["if-match"] == '"3"'
    assert put.body == {
        "choices": [
            {"type": "urgent", "in_app": True, "mail": True},
            {"type": "introduction", "in_app": False, "mail": True},
        ],
        "quiet_hours": {"start": "21:00", "end": "07:00"},
    }
    await visitor.send("/me/preferences", **TYPED, **dict.fromkeys(times, ""), _key="another form")
    assert notify.sent("PUT")[1].body["quiet_hours"] is None


@pytest.mark.parametrize(
    ("start", "end", "field", "reason"),
    [
        ("21:00", "", "quiet_hours.end", "Give both times"),
        ("", "21:00", "quiet_hours.start", "Give both times"),
        ("late", "07:00", "quiet_hours.start", "Give a time such as 20:00."),
        ("07:00", "07:00", "quiet_hours.end", "Should differ from the start."),
    ],
)
async def test_wrong_quiet_hours_come_back_to_their_field(
    workplace: Workplace, notify: StandIn, start: str, end: str, field: str, reason: str
) -> None:
    same = FieldError(pointer="/quiet_hours/end", reason="should differ from the start", held=end)
    notify.answers["PUT", "/preferences"] = Invalid("The quiet hours cannot be kept.", errors=[same])
    visitor = await workplace.visit()
    answer = await visitor.send("/me/preferences", **TYPED, **{"quiet_hours.start": start, "quiet_hours.end": end})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert reason in answer.text
    assert f'value="{start or end}"' in answer.text
    assert 'name="mail" value="introduction" checked' in answer.text


async def test_what_a_mails_link_changed_meanwhile_is_not_saved_over(workplace: Workplace, notify: StandIn) -> None:
    notify.answers["PUT", "/preferences"] = CHANGED
    notify.answers["GET", "/preferences"] = {**PREFERENCES, "version": 4}
    visitor = await workplace.visit()
    answer = await visitor.send("/me/preferences", **TYPED)
    assert answer.status_code == 412
    assert "changed elsewhere meanwhile" in answer.text
    assert 'name="version" value="4"' in answer.text
    assert 'name="mail" value="introduction"><' in answer.text, "as it holds now: off"


async def test_a_choice_is_not_lost_while_notify_is_away(workplace: Workplace, notify: StandIn) -> None:
    visitor = await workplace.visit()
    answer, _page = await visitor.open("/me/preferences")
    assert answer.status_code == 200
    assert "None is lost" in answer.text
    answer = await visitor.send("/me/preferences", **TYPED)
    assert answer.status_code == 503
    assert 'name="mail" value="introduction" checked' in answer.text


# ---------------------------------------------------------------- mails that did not arrive


async def test_a_lead_sees_the_desks_mails_and_tries_one_again(workplace: Workplace, notify: StandIn) -> None:
    notify.answers["GET", "/deliveries"] = {"items": [delivery()], "next": None, "total": 1}
    notify.answers["POST", f"/deliveries/{MAIL}/attempts"] = delivery(state="queued")
    visitor = await workplace.visit(workplace.node.lead)
    _answer, page = await visitor.open("/notices/deliveries")
    assert notify.calls[0].query == {"stuck": "true", "desk": "true", "limit": "25"}
    text = page.body.text() if page.body else ""
    assert "The mail server refused the address (550)." in text
    assert workplace.node.broker.name in text
    assert page.css_first("[data-action=try-again]") is not None
    sent = await visitor.send(f"/notices/deliveries/{MAIL}/attempts")
    assert sent.headers["location"] == "/notices/deliveries"
    assert notify.sent("POST")[0].headers["idempotency-key"]
    await visitor.open("/notices/deliveries?own=true")
    assert "desk" not in notify.sent("GET")[-1].query
    own = await visitor.send(f"/notices/deliveries/{MAIL}/attempts", own="yes", _key="another form")
    assert own.headers["location"] == "/notices/deliveries?own=true"


async def test_others_see_their_own_mails_with_the_next_try(workplace: Workplace, notify: StandIn) -> None:
    waiting = delivery(state="queued", next_attempt_at="2026-11-24T09:00:00Z", attempts=2)
    notify.answers["GET", "/deliveries"] = {"items": [waiting], "next": None, "total": 1}
    notify.answers["GET", "/notices"] = {"items": [], "next": None, "total": 0, "unseen": 0}
    visitor = await workplace.visit()
    answer, page = await visitor.open("/notices/deliveries")
    assert notify.calls[0].query == {"stuck": "true", "limit": "25"}
    assert "Next try" in answer.text
    assert "2 tries" in answer.text
    assert page.css_first("[data-action=try-again]") is None
    _answer, page = await visitor.open("/notices")
    chip = page.css_first('a[href="/notices/deliveries"] .badge')
    assert chip is not None
    assert chip.text() == "1"


async def test_a_mail_that_is_on_its_way_again_is_no_error(workplace: Workplace, notify: StandIn) -> None:
    conflict = Problem(status=409, slug="conflict", title="Not possible now", detail="")
    notify.answers["POST", f"/deliveries/{MAIL}/attempts"] = conflict
    visitor = await workplace.visit()
    assert (await visitor.send(f"/notices/deliveries/{MAIL}/attempts")).status_code == 303
    notify.answers["POST", f"/deliveries/{MAIL}/attempts"] = Problem(
        status=404, slug="not-found", title="Not found", detail=""
    )
    assert (await visitor.send(f"/notices/deliveries/{MAIL}/attempts", _key="another form")).status_code == 404


# ---------------------------------------------------------------- a contact person

ACTOR, CONTACT = UUID(int=21), UUID(int=22)
HELD = {
    "id": str(CONTACT),
    "version": 2,
    "name": "Sales office",
    "function": None,
    "email": "sales@sokol.example",
    "phone": "+48 85 000 00 00",
    "language": "pl",
    "purpose": "Innovation brokerage for the organisation",
    "basis": "consent",
}


@pytest.fixture
def registry(workplace: Workplace) -> StandIn:
    actor = {"id": str(ACTOR), "version": 1, "name": "Zakład Sokół", "kind": "sme", "country": "PL"}
    stand_in = StandIn({("GET", f"/actors/{ACTOR}"): actor, ("GET", f"/actors/{ACTOR}/contacts/{CONTACT}"): HELD})
    stand_in.take_over(workplace.app.state.workbench.registry._client)
    return stand_in


async def typed_contact(workplace: Workplace, **changes: str) -> httpx.Response:
    visitor = await workplace.visit()
    _answer, page = await visitor.open(f"/actors/{ACTOR}/contacts/{CONTACT}/edit")
    version = page.css_first("#contact-form input[name=version]")
    assert version is not None
    fields = {name: HELD[name] or "" for name in ("name", "function", "email", "phone", "language", "purpose", "basis")}
    return await visitor.send(
        f"/actors/{ACTOR}/contacts/{CONTACT}", **fields | {"version": version.attributes["value"]} | changes
    )


async def test_a_contact_is_changed_against_the_version_that_was_shown(workplace: Workplace, registry: StandIn) -> None:
    registry.answers["PUT", f"/actors/{ACTOR}/contacts/{CONTACT}"] = HELD
    answer = await typed_contact(workplace, email="office@sokol.example", phone="")
    assert answer.headers["location"] == f"/actors/{ACTOR}#contacts"
    [put] = registry.sent("PUT")
    assert put.headers["if-match"] == '"2"'
    assert put.body == {
        "name": "Sales office",
        "function": None,
        "email": "office@sokol.example",
        "phone": None,
        "language": "pl",
        "purpose": "Innovation brokerage for the organisation",
        "basis": "consent",
    }


async def test_a_contact_that_was_refused_comes_back_as_typed(workplace: Workplace, registry: StandIn) -> None:
    wrong = FieldError(pointer="/email", reason="should be like name@company.example", held="office")
    put = ("PUT", f"/actors/{ACTOR}/contacts/{CONTACT}")
    registry.answers[put] = Invalid("One field is not valid.", errors=[wrong])
    answer = await typed_contact(workplace, email="office")
    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text
    assert 'value="office"' in answer.text
    registry.answers[put] = CHANGED
    answer = await typed_contact(workplace, email="other@sokol.example")
    assert answer.status_code == 412
    assert "Somebody changed this meanwhile" in answer.text
    assert 'value="other@sokol.example"' in answer.text


async def test_only_who_works_with_clients_edits_a_contact(workplace: Workplace, registry: StandIn) -> None:
    visitor = await workplace.visit(make_principal(Role.ANALYST, region="pl84"))
    assert (await visitor.client.get(f"/actors/{ACTOR}/contacts/{CONTACT}/edit")).status_code == 403
    assert registry.calls == []
