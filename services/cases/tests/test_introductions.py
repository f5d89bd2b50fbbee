"""The protocol over two real databases, from request to exchanged contacts."""

from datetime import date
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tibs_cases.introductions import service
from tibs_chassis.auth import Principal
from tibs_chassis.testing import record_of
from tibs_contracts.codes import ConsentMethod
from tibs_contracts.events import (
    Consent,
    ContactsDisclosed,
    IntroductionAccepted,
    IntroductionReceived,
    IntroductionRequested,
    IntroductionWithdrawn,
)

from .conftest import Story, TestNode, as_record, take

pytestmark = pytest.mark.integration


async def test_a_request_arrives_with_due_dates_and_is_told_as_delivered(story: Story) -> None:
    assert (await story.half(story.pl))["state"] == "requested"
    assert (await story.half(story.pl))["sent"][0]["delivery"] == "queued"
    await story.wire.deliver()
    theirs, ours = await story.half(story.fi), await story.half(story.pl)
    assert (theirs["state"], theirs["side"], theirs["broker"]) == ("delivered", "counterpart", story.fi.broker.person)
    assert (ours["state"], ours["side"]) == ("delivered", "home")
    assert ours["sent"][0]["delivery"] == "delivered"
    assert ours["answer_due"] == theirs["answer_due"]
    assert date.fromisoformat(ours["acknowledge_due"]) < date.fromisoformat(ours["answer_due"])
    assert "Sokół" not in str(theirs)
    moved = await story.fi.told(type_="introduction.moved.%")
    assert [(row.data["step"], row.data["concerned"]) for row in moved] == [("received", [story.fi.broker.person])]
    promises = await story.fi.told(type_="promise.moved.%")
    assert {(row.data["kind"], row.data["state"]) for row in promises} == {
        ("introduction_acknowledged", "made"),
        ("client_decision", "made"),
    }


async def test_contacts_are_exchanged_only_after_both_clients_said_yes(story: Story) -> None:
    await story.wire.deliver()
    assert (await story.post(story.fi, "acknowledgement")).status_code == 200
    assert (await story.post(story.fi, "acceptance", story.fi_yes)).status_code == 200
    await story.wire.deliver()
    for node in (story.pl, story.fi):
        assert await node.told(type_="contacts.%") == []
    assert (await story.half(story.pl))["state"] == "accepted"
    assert (await story.post(story.pl, "consent", story.pl_yes)).status_code == 200
    await story.wire.deliver()
    for node, other in ((story.pl, story.fi), (story.fi, story.pl)):
        assert (await story.half(node))["state"] == "introduced"
        async with node.api() as api:
            contacts = (await api.get(f"/introductions/{story.introduction_id}/contacts")).json()
        assert contacts["own"]["organisation"] == f"Client of {node.region}"
        assert contacts["other"]["organisation"] == f"Client of {other.region}"
        read = await node.rows("SELECT person FROM audit WHERE action = 'contact.read'")
        assert [row.person for row in read] == [node.broker.person]
        sealed = (await node.told(type_="contacts.%"))[0].data["sealed"]
        assert "example" not in sealed
    case = await story.case()
    assert case["state"] == "negotiation"
    introduced = await story.pl.told(type_="case.introduced.%")
    assert [row.data["partner_region"] for row in introduced] == ["fi1c"]
    assert await story.fi.told(type_="case.%") == []
    for node in (story.pl, story.fi):
        assert await node.rows("SELECT id FROM promise WHERE introduction_id IS NOT NULL AND state <> 'kept'") == []
        kinds = [row.kind for row in await node.rows("SELECT kind FROM timeline_entry ORDER BY id")]
        assert {"contact_sent", "contact_received", "introduced"} <= set(kinds)


async def _everything(story: Story) -> None:
    """Both brokers do all that leads to an introduction, without waiting for each other more than the rules ask."""
    await story.post(story.pl, "consent", story.pl_yes)
    await story.post(story.fi, "messages", {"text": "Which timber?", "language": "en"})
    await story.post(story.fi, "acknowledgement")
    await story.post(story.pl, "messages", {"text": "Spruce.", "language": "en"})
    await story.post(story.fi, "acceptance", story.fi_yes)


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_arrival_ends_in_the_same_introduction(story: Story, seed: int) -> None:
    random = Random(seed)
    requested = as_record((await story.pl.told(type_="introduction.requested.%"))[0])
    assert await take(story.fi, requested) == "applied"
    await _everything(story)
    await story.wire.deliver(random)
    for node in (story.pl, story.fi):
        half = await story.half(node)
        assert half["state"] == "introduced"
        assert [message["text"] for message in half["messages"]] == ["Which timber?", "Spruce."]
        assert half["home_completed"]
        assert half["counterpart_completed"]
        assert len(await node.told(type_="introduction.completed.%")) == 1
        assert len(await node.told(type_="contacts.disclosed.%")) == 1
        assert await node.rows("SELECT reason FROM dead_letter") == []
        assert await node.rows("SELECT * FROM early_fact") == []
    assert len(await story.pl.told(type_="case.introduced.%")) == 1
    ours, theirs = await story.half(story.pl), await story.half(story.fi)
    facts = ("acknowledged", "consented", "accepted", "home_disclosed", "counterpart_disclosed")
    assert {name: ours[name] for name in facts} == {name: theirs[name] for name in facts}


async def test_what_comes_before_its_request_is_kept_and_applied_with_it(story: Story) -> None:
    await story.post(story.pl, "consent", story.pl_yes)
    await story.post(story.pl, "messages", {"text": "One more thing.", "language": "en"})
    records = [record for _, record in await story.wire.waiting()]
    request, *rest = records
    for record in reversed(rest):
        assert await take(story.fi, record) == "applied"
    assert await story.fi.rows("SELECT id FROM introduction") == []
    assert await take(story.fi, request) == "applied"
    half = await story.half(story.fi)
    assert half["state"] == "consented"
    assert [message["text"] for message in half["messages"]] == ["One more thing."]
    assert await story.fi.rows("SELECT * FROM early_fact") == []


async def test_a_fact_taken_twice_is_taken_once(story: Story) -> None:
    record = (await story.wire.waiting())[0][1]
    assert await take(story.fi, record) == "applied"
    before = await story.fi.told()
    assert await take(story.fi, record) == "repeated"
    assert await story.fi.told() == before


async def test_a_request_told_again_under_another_id_changes_nothing(story: Story) -> None:
    row = (await story.pl.told(type_="introduction.requested.%"))[0]
    assert await take(story.fi, as_record(row)) == "applied"
    before = await story.fi.told()
    again = record_of(
        IntroductionRequested.read(row.payload),
        region="pl84",
        service="cases",
        subject=row.subject,
        sequence=99,
        to="fi1c",
    )
    assert await take(story.fi, again) == "applied"
    assert await story.fi.told() == before


async def test_a_region_that_has_no_part_in_it_is_refused(story: Story) -> None:
    await story.wire.deliver()
    stranger = record_of(
        IntroductionWithdrawn(introduction_id=story.introduction_id, withdrawn_at="2026-11-24T10:00:00Z"),
        region="de60",
        service="cases",
        subject=story.introduction_id,
        sequence=5,
        to="fi1c",
    )
    assert await take(story.fi, stranger) == "quarantined"
    reasons = [row.reason for row in await story.fi.rows("SELECT reason FROM dead_letter")]
    assert "de60" in reasons[0]
    assert (await story.half(story.fi))["state"] == "delivered"


async def test_a_half_that_tells_what_is_not_its_to_tell_is_refused(story: Story) -> None:
    await story.wire.deliver()
    forged = IntroductionAccepted.model_validate(
        {
            "introduction_id": story.introduction_id,
            "consent": Consent.model_validate(
                {"given_at": "2026-11-24T10:00:00Z", "method": ConsentMethod.FORM, "text_version": "1"}
            ),
            "accepted_at": "2026-11-24T10:00:00Z",
        }
    )
    record = record_of(forged, region="pl84", service="cases", subject=story.introduction_id, sequence=50, to="fi1c")
    assert await take(story.fi, record) == "dead"
    assert (await story.half(story.fi))["accepted"] is None


async def test_a_contact_sealed_for_somebody_else_is_a_dead_letter_and_nothing_else_stops(story: Story) -> None:
    await story.wire.deliver()
    broken = record_of(
        ContactsDisclosed.model_validate(
            {
                "introduction_id": story.introduction_id,
                "sealed": "not.a.jwe",
                "purpose": "x",
                "disclosed_at": "2026-11-24T10:00:00Z",
            }
        ),
        region="fi1c",
        service="cases",
        subject=story.introduction_id,
        sequence=50,
        to="pl84",
    )
    assert await take(story.pl, broken) == "dead"
    await _everything(story)
    await story.wire.deliver()
    assert (await story.half(story.pl))["state"] == "introduced"


async def test_a_refusal_reaches_home_with_its_reason_and_no_contact_is_kept(story: Story) -> None:
    await story.wire.deliver()
    # Home says yes and the counterpart says yes, then takes it back before it hears of home's.
    await story.post(story.fi, "acceptance", story.fi_yes)
    accepted = [pair for pair in await story.wire.waiting() if pair[0] is story.pl]
    for _, record in accepted:
        await take(story.pl, record)
    await story.post(story.pl, "consent", story.pl_yes)  # home now discloses
    assert len(await story.pl.told(type_="contacts.%")) == 1
    declined = await story.post(story.fi, "decline", {"reason": "capacity", "note": "Not before summer."})
    assert declined.status_code == 200
    await story.wire.deliver()
    ours, theirs = await story.half(story.pl), await story.half(story.fi)
    assert ours["state"] == theirs["state"] == "declined"
    assert (ours["decline_reason"], ours["note"]) == ("capacity", "Not before summer.")
    assert await story.fi.rows("SELECT id FROM introduction WHERE other_contact IS NOT NULL") == []
    assert await story.fi.told(type_="contacts.%") == []
    assert (await story.post(story.pl, "messages", {"text": "Pity."})).status_code == 409


async def test_withdrawing_and_accepting_at_once_ends_in_the_same_state_on_both_sides(story: Story) -> None:
    await story.wire.deliver()
    assert (await story.post(story.pl, "withdrawal", {"note": "The client found a partner."})).status_code == 200
    assert (await story.post(story.fi, "acceptance", story.fi_yes)).status_code == 200
    await story.wire.deliver()
    assert (await story.half(story.pl))["state"] == (await story.half(story.fi))["state"] == "withdrawn"
    for node in (story.pl, story.fi):
        assert await node.told(type_="contacts.%") == []
        left = await node.rows(
            "SELECT kind FROM promise WHERE introduction_id IS NOT NULL AND state IN ('made', 'reminded', 'overdue')"
        )
        assert left == []


async def test_due_dates_that_the_counterpart_told_later_make_it_overdue(story: Story) -> None:
    late = record_of(
        IntroductionReceived.model_validate(
            {
                "introduction_id": story.introduction_id,
                "received_at": "2026-01-01T10:00:00Z",
                "acknowledge_due": "2026-01-09",
                "answer_due": "2026-01-23",
            }
        ),
        region="fi1c",
        service="cases",
        subject=story.introduction_id,
        sequence=1,
        to="pl84",
    )
    assert await take(story.pl, late) == "applied"
    assert (await story.half(story.pl))["sent"][0]["delivery"] == "overdue"


BAD: list[tuple[str, dict[str, Any] | None, int]] = [
    ("acceptance", {"actor_id": "x"}, 422),
    ("acceptance", None, 422),
    ("decline", {"reason": "whim"}, 422),
    ("decline", {"reason": "unknown"}, 422),
    ("messages", {"text": "a\u202eb"}, 422),
    ("messages", {"text": ""}, 422),
    ("consent", {}, 422),
    ("acknowledgement", None, 409),
]


async def test_bad_input_is_a_problem_document(story: Story) -> None:
    for step, body, status in BAD:
        answer = await story.post(story.pl, step, body)
        assert answer.status_code == status, (step, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


async def test_a_contact_that_the_registry_does_not_know_is_refused_and_nothing_is_written(story: Story) -> None:
    wrong = story.pl_yes | {"contact_id": story.introduction_id}
    assert (await story.post(story.pl, "consent", wrong)).status_code == 404
    assert (await story.half(story.pl))["consented"] is None


async def test_a_yes_of_somebody_else_is_refused(story: Story) -> None:
    actor = "018f0000-0000-7000-8000-000000000001"
    contact = story.pl.contacts.add(type(story.offer.profile_id)(actor), organisation="Another")
    answer = await story.post(story.pl, "consent", story.pl_yes | {"actor_id": actor, "contact_id": str(contact)})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/actor_id"


async def test_a_move_that_is_not_possible_says_what_is(story: Story) -> None:
    answer = await story.post(story.pl, "acceptance", story.pl_yes)
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["tried"] == "accept"
    assert problem["possible"] == ["consent", "withdraw", "write"]


async def test_no_contact_data_stand_outside_the_columns_marked_personal(story: Story) -> None:
    await story.wire.deliver()
    await _everything(story)
    await story.wire.deliver()
    for node in (story.pl, story.fi):
        for table, columns in {
            "outbox": "convert_from(payload, 'UTF8') || headers::text",
            "timeline_entry": "details::text",
            "audit": "detail::text",
            "promise": "title",
        }.items():
            found = await node.rows(f"SELECT {columns} AS held FROM {table}")
            assert not [row for row in found if "-client.example" in row.held], table


async def open_page(story: Story, node: TestNode, principal: Principal | None = None) -> None:
    """Somebody has the introduction on the screen."""
    async with node.database.transaction() as session:
        await service.mark_read(
            session,
            node=node.node,
            principal=principal or node.broker,
            introduction_id=UUID(story.introduction_id),
        )


async def way(story: Story, node: TestNode) -> list[tuple[str, str]]:
    return [(one["what"], one["delivery"]) for one in (await story.half(node))["sent"]]


async def test_what_the_other_broker_opened_is_told_once_and_without_a_name(story: Story) -> None:
    await story.wire.deliver()
    await story.post(story.pl, "messages", {"text": "Spruce or pine?", "language": "en"})
    await story.wire.deliver()
    assert await way(story, story.pl) == [("request", "delivered"), ("message", "queued")]
    for _ in range(2):
        await open_page(story, story.fi)
    [told] = await story.fi.told(type_="introduction.read.%")
    [message] = (await story.half(story.pl))["messages"]
    assert told.data["message_ids"] == [message["id"]]
    assert set(told.data) == {"introduction_id", "message_ids", "read_at"}
    await story.wire.deliver()
    assert await way(story, story.pl) == [("request", "read"), ("message", "read")]
    ours, theirs = await story.half(story.pl), await story.half(story.fi)
    assert ours["read"] == theirs["read"] == ours["sent"][0]["read_at"]
    assert ours["messages"][0]["read_at"] == theirs["messages"][0]["read_at"]


async def test_a_lead_who_looks_over_a_shoulder_has_not_read_it(story: Story) -> None:
    await story.wire.deliver()
    await open_page(story, story.fi, story.fi.lead)
    assert await story.fi.told(type_="introduction.read.%") == []


async def test_the_home_broker_reads_messages_only(story: Story) -> None:
    await story.wire.deliver()
    await open_page(story, story.pl)
    assert await story.pl.told(type_="introduction.read.%") == []
    await story.post(story.fi, "messages", {"text": "Which timber?", "language": "en"})
    await story.wire.deliver()
    await open_page(story, story.pl)
    await story.wire.deliver()
    assert await way(story, story.fi) == [("message", "read")]
    assert (await story.half(story.fi))["read"] is None


async def test_nothing_is_told_of_reading_what_was_refused(story: Story) -> None:
    await story.wire.deliver()
    await story.post(story.fi, "decline", {"reason": "capacity"})
    await open_page(story, story.fi)
    assert await story.fi.told(type_="introduction.read.%") == []


@pytest.mark.parametrize("seed", range(4))
async def test_reading_and_answering_in_any_order_end_in_the_same(story: Story, seed: int) -> None:
    await story.wire.deliver()
    await story.post(story.pl, "messages", {"text": "Spruce or pine?", "language": "en"})
    await story.wire.deliver()
    await open_page(story, story.fi)
    await story.post(story.fi, "acknowledgement")
    await story.post(story.fi, "messages", {"text": "Spruce.", "language": "en"})
    await story.wire.deliver(Random(seed))
    half = await story.half(story.pl)
    assert await way(story, story.pl) == [("request", "answered"), ("message", "answered")]
    assert half["read"]
    assert half["messages"][0]["read_at"]
    assert await story.pl.rows("SELECT reason FROM dead_letter") == []


async def test_a_node_that_knows_no_reading_answers_all_the_same(story: Story) -> None:
    await story.wire.deliver()
    await story.post(story.fi, "acknowledgement")
    await story.wire.deliver()
    assert (await story.half(story.pl))["read"] is None
    assert await way(story, story.pl) == [("request", "answered")]


async def test_what_cannot_be_sent_says_when_it_is_tried_again(story: Story) -> None:
    async with story.pl.database.transaction() as session:
        await session.execute(
            text("INSERT INTO relay_state VALUES (true, 'KafkaError', now(), now() + interval '10 seconds')")
        )
    [sent] = (await story.half(story.pl))["sent"]
    assert sent["delivery"] == "failed"
    assert sent["next_attempt_at"]
