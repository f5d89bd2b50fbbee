"""Every page: who may open it, what its answer allows the browser, what a missing service does to it."""

import re
from typing import Any
from uuid import UUID

import pytest

from tibs_cases.web.access import PAGES
from tibs_chassis.access import routes_of
from tibs_chassis.auth import Principal, Role
from tibs_chassis.testing import make_principal, record_of
from tibs_chassis.trust import Trust

from ..conftest import Story, case_body, profile_event
from .conftest import ORIGIN, Visitor, Workplace

pytestmark = pytest.mark.integration

SOMETHING = str(UUID(int=7))
OPEN = {"sign_in", "start_sign_in", "finish_sign_in", "ask_unsubscribe", "unsubscribe"}


def filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", SOMETHING, path)


async def open_a_case(workplace: Workplace, **changes: Any) -> str:
    async with workplace.node.api() as api:
        opened = await api.post("/cases", json=case_body(**changes))
        assert opened.status_code == 201, opened.text
        return f"/cases/{opened.json()['id']}"


@pytest.mark.parametrize("role", [Role.BROKER, Role.LEAD, Role.REVIEWER, Role.ANALYST, Role.INTEGRATION])
async def test_each_page_opens_for_the_roles_of_its_row_and_for_nobody_else(workplace: Workplace, role: Role) -> None:
    principal: Principal = make_principal(role, person=f"some-{role}", region="pl84")
    visitor = await workplace.visit(principal)
    for route in routes_of(workplace.app):
        if route.name in OPEN or route.name in ("sign_out", "notice_stream"):
            continue
        if route.method == "GET":
            status = (await visitor.client.get(filled(route.path))).status_code
        else:
            # Without its token a form is stopped, but only after the role was asked for.
            token = workplace_token(visitor)
            answer = await visitor.client.post(
                filled(route.path), data={"csrf": await token}, headers={"Origin": ORIGIN}
            )
            status = answer.status_code
        if role in PAGES[route.name]:
            assert status != 403 or "case" in route.path or "introduction" in route.path, (route, status)
        else:
            assert status == 403, (route, status)


async def workplace_token(visitor: Visitor) -> str:
    """A token without a page: roles that may open none have a session all the same."""
    from tibs_cases.web import session as sessions

    app = visitor.client._transport.app  # type: ignore[attr-defined] # the one place that needs it
    async with app.state.database.transaction() as session:
        found = await sessions.find(session, token=visitor.token or "", region="pl84")
    assert found is not None
    return found.csrf


async def test_no_page_lets_the_browser_run_or_load_what_is_not_ours(workplace: Workplace) -> None:
    visitor = await workplace.visit(workplace.node.lead)
    for path in (
        "/today",
        "/cases",
        "/cases/new",
        "/directory",
        "/actors/new",
        "/notices",
        "/nothing-here",
        "/sign-in",
    ):
        answer, page = await visitor.open(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "HX-Request" in answer.headers["vary"]
        assert page.css("[style], style, script:not([src])") == [], path
        for element in page.css("[src], link[href]"):
            address = element.attributes.get("src") or element.attributes.get("href") or ""
            assert address.startswith("/static/"), address


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
)
async def test_a_form_from_elsewhere_is_refused(workplace: Workplace, headers: dict[str, str]) -> None:
    visitor = await workplace.visit()
    case = await open_a_case(workplace, no_conflict=False)
    answer = await visitor.send(f"{case}/declaration", headers=headers)
    assert answer.status_code == 403
    assert "came from another site" in answer.text


async def test_a_form_without_the_sessions_token_is_refused(workplace: Workplace) -> None:
    visitor, other = await workplace.visit(), await workplace.visit(workplace.node.lead)
    case = await open_a_case(workplace, no_conflict=False)
    for token in ("", await other.csrf()):
        answer = await visitor.send(f"{case}/declaration", csrf=token)
        assert answer.status_code == 403
        assert "earlier sign-in" in answer.text
    assert (await visitor.send(f"{case}/declaration")).headers["location"] == case


async def test_a_form_sent_twice_is_done_once_and_a_corrected_one_again(workplace: Workplace) -> None:
    visitor = await workplace.visit()
    case = await open_a_case(workplace)
    fields = {"csrf": await visitor.csrf(), "_key": "one form", "text": "Called the client."}
    headers = {"Origin": ORIGIN}
    for _ in range(2):
        answer = await visitor.client.post(f"{case}/notes", data=fields, headers=headers)
        assert answer.headers["location"] == f"{case}/timeline"
    await visitor.client.post(f"{case}/notes", data={**fields, "text": "Called again."}, headers=headers)
    rows = await workplace.node.rows("SELECT details FROM timeline_entry WHERE kind = 'note' ORDER BY id")
    assert [row.details["text"] for row in rows] == ["Called the client.", "Called again."]


async def test_pages_stay_when_the_other_services_are_away(workplace: Workplace) -> None:
    visitor = await workplace.visit()
    case = await open_a_case(workplace)
    for path, sentence in (
        ("/directory", "The registry does not answer"),
        ("/actors", "The registry does not answer"),
        (f"{case}/matches", "Your case is safe"),
        ("/notices", "None is lost"),
    ):
        answer, page = await visitor.open(path)
        assert answer.status_code == 200
        assert sentence in (page.body.text() if page.body else ""), path
    bell = await visitor.client.get("/notices/bell")
    assert "not reachable" in bell.text


async def test_a_form_for_a_service_that_is_away_comes_back_with_what_was_typed(workplace: Workplace) -> None:
    visitor = await workplace.visit()
    answer = await visitor.send("/actors", name="Sokół <b>", kind="sme", country="PL", sectors=["ict", "maritime"])
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert 'value="Sokół &lt;b&gt;"' in answer.text
    assert answer.text.count("checked") >= 2


async def test_an_own_case_shows_its_steps_and_another_brokers_does_not_open(workplace: Workplace) -> None:
    case = await open_a_case(workplace, no_conflict=False, diagnosis="")
    visitor = await workplace.visit()
    answer, page = await visitor.open(case)
    assert answer.status_code == 200
    now = page.css_first('.track [aria-current="step"]')
    assert now is not None
    assert now.text(strip=True) == "Intake"
    action = page.css_first("[data-action=next]")
    assert action is not None
    assert action.text(strip=True) == "Declare no conflict"
    stranger = await workplace.visit(make_principal(Role.BROKER, person="stranger", region="pl84"))
    answer, page = await stranger.open(case)
    assert answer.status_code == 403
    assert page.css_first("[data-empty=closed]") is not None


async def test_an_introduction_tells_both_sides_who_knows_whom(story: Story, workplace: Workplace) -> None:
    visitor = await workplace.visit()
    path = f"/introductions/{story.introduction_id}"
    answer, page = await visitor.open(path)
    assert answer.status_code == 200
    assert page.css_first('[data-way="queued"].is-now') is not None, "nothing has left: waiting to send"
    assert "Waiting to send" in answer.text
    assert len(page.css("[data-party]")) == 4
    own = page.css_first('[data-party="home_client"] .party-name')
    other = page.css_first('[data-party="counterpart_client"] .party-name')
    assert own is not None
    assert own.text() == "Zakład Sokół Sp. z o.o."
    assert other is not None
    assert other.text() == "Not named yet"
    refused = await visitor.send(f"{path}/consent", actor_id=story.pl_yes["actor_id"], contact_id="", method="")
    assert refused.status_code == 422
    yes = await visitor.send(f"{path}/consent", **story.pl_yes)
    assert yes.headers["location"] == path
    answer, page = await visitor.open(path)
    assert page.css_first("#own-contact") is not None
    assert page.css_first("#other-contact") is None
    assert "Not sent: the other client has not said yes." in answer.text


async def test_a_message_that_names_the_client_comes_back_to_its_field(story: Story, workplace: Workplace) -> None:
    visitor = await workplace.visit()
    async with workplace.node.api() as api:
        await api.post(f"/introductions/{story.introduction_id}/withdrawal", json={})
    answer = await visitor.send(
        f"/cases/{story.case_id}/introductions",
        profile_id=str(story.offer.profile_id),
        message="Our client Zakład Sokół would like to talk.",
    )
    assert answer.status_code == 422
    assert 'id="message-error"' in answer.text
    assert "Our client Zakład Sokół would like to talk." in answer.text


async def test_odd_addresses_get_a_page_and_never_a_stack_trace(workplace: Workplace) -> None:
    visitor = await workplace.visit()
    for path in (
        "/cases/not-an-id",
        f"/cases/{SOMETHING}",
        "/cases?state=nonsense&q=%00%25_'",
        "/directory?region=%F0%9F%98%80",
        "/introductions/1",
        "/cases/new?profile_id=x",
        "/today/../../etc/passwd",
        "/static/../app.py",
        "/matches?profile_id=x",
    ):
        answer = await visitor.client.get(path)
        assert answer.status_code < 500, path


async def test_hints_reach_the_pages_that_they_concern(workplace: Workplace) -> None:
    live = workplace.app.state.live
    mine = live.events(person="me", objects=frozenset({"case-1"}))
    assert "hello" in await anext(mine)
    live.hand_on('{"person": "somebody else"}')
    live.hand_on('{"case": "case-2"}')
    live.hand_on("not json")
    live.hand_on('{"case": "case-1"}')
    assert await anext(mine) == "event: changed\ndata: changed\n\n"
    live.hand_on('{"person": "me"}')
    assert await anext(mine) == "event: notice\ndata: new\n\n"
    await mine.aclose()


async def test_a_lead_sees_what_of_other_regions_is_not_believed_and_why(workplace: Workplace) -> None:
    node = workplace.node
    consumer = node.consumers["known-profiles"]
    consumer.trust = Trust(region=node.region, regions=node.node.regions)
    for _ in range(2):
        event = profile_event()
        unsigned = record_of(event, region="fi1c", service="registry", subject=event.profile_id, sequence=1)
        assert await consumer.take(unsigned, database=node.database) == "quarantined"

    _, page = await (await workplace.visit(node.lead)).open("/today")

    told = page.css_first("#quarantine")
    assert told is not None
    assert "2 messages of other regions are in quarantine" in told.text()
    assert "Kymenlaakso (2): it is not signed, and region 'fi1c' signs all that others read" in told.text()
    async with node.api(node.lead) as api:
        [row] = (await api.get("/today")).json()["quarantined"]
    assert (row["region"], row["records"]) == ("fi1c", 2)
    _, page = await (await workplace.visit()).open("/today")
    assert page.css_first("#quarantine") is None
