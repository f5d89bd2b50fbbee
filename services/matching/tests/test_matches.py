"""Asking for partners over the API."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tibs_chassis import clock
from tibs_chassis.app import Service
from tibs_contracts.codes import ActorKind, Cooperation, ProfileType, Sector
from tibs_contracts.events import ProfilePublished
from tibs_contracts.ids import new_id
from tibs_matching.index import service as index

pytestmark = pytest.mark.integration

MakeProfile = Callable[..., ProfilePublished]
Hold = Callable[..., Awaitable[None]]

NEED = {
    "type": "BR",
    "title": "Seeks a maker of hulls",
    "summary": "A boatyard in Podlaskie seeks a maker of glass fibre hulls. It sells boats to families.",
    "language": "en",
    "sectors": ["maritime"],
    "cooperation": ["business.manufacturing"],
    "target_countries": ["FI", "EE"],
    "partner_sought": {"kinds": ["sme"], "field": "boat building"},
    "kind": "sme",
}


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/matches", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["profile"]["profile_id"] for item in answer["items"]]


async def test_the_fitting_offer_stands_first_with_reasons(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    hulls = make_profile(
        sectors=[Sector.MARITIME],
        cooperation=[Cooperation.BUSINESS_MANUFACTURING],
        target_countries=["PL"],
        languages=["en", "fi"],
    )
    honey = make_profile(title="Honey and berries", summary="A farm sells honey.", description="Honey in jars.")
    await hold(hulls, honey)
    answer = await ask(broker, need=NEED)
    assert ids(answer) == [str(hulls.profile_id), str(honey.profile_id)]
    first, second = answer["items"]
    assert first["competence"] > second["competence"]
    assert first["context"] > second["context"]
    assert first["region"] == "fi1c"
    assert first["freshness_days"] == 3
    texts = [reason["text"] for reason in first["reasons"]]
    assert "Both are at home in maritime industries." in texts
    assert "Both want manufacturing (business)." in texts
    assert "It looks for partners in Poland." in texts
    shared = next(reason for reason in first["reasons"] if reason["kind"] == "words")
    assert {"hulls", "glass", "fibre"} <= set(shared["values"])
    assert first["passages"][0] == {
        "need": "A boatyard in Podlaskie seeks a maker of glass fibre hulls.",
        "offer": "A boatyard makes hulls of glass fibre.",
    }
    assert answer["candidates"] == 2
    assert answer["ranking"]["version"]
    assert answer["exposure"] == [{"region": "fi1c", "eligible": 2, "compared": 2, "shown": 2}]


async def test_a_near_miss_says_what_would_mend_it(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    await hold(make_profile(country="DE"))
    [item] = (await ask(broker, need=NEED))["items"]
    assert item["why_not"].endswith("It would fit if Germany were added to the countries sought.")


async def test_what_cannot_be_had_is_not_proposed(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    today = clock.now().date()
    last_day = make_profile(valid_until=today)
    await hold(
        last_day,
        make_profile(valid_until=today - timedelta(days=1)),
        make_profile(open_for_interest=False),
        make_profile(profile_type=ProfileType.BUSINESS_REQUEST),
    )
    assert ids(await ask(broker, need=NEED)) == [str(last_day.profile_id)]


async def test_free_words_find_profiles_of_any_type(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    types = [type_ for type_ in ProfileType if type_ is not ProfileType.UNKNOWN]
    await hold(*(make_profile(profile_type=type_) for type_ in types))
    answer = await ask(broker, text="glass fibre hulls")
    assert {item["profile"]["profile_type"] for item in answer["items"]} == set(types)
    assert all("type" not in [reason["kind"] for reason in item["reasons"]] for item in answer["items"])


async def test_words_find_each_other_across_inflection(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    finnish = make_profile(language="fi", title="Veneiden rungot", summary="Tehdas valmistaa runkoja.", description="")
    await hold(finnish, make_profile(language="fi", title="Hunaja", summary="Tila myy hunajaa.", description=""))
    answer = await ask(broker, text="veneen runko", language="fi")
    assert ids(answer)[0] == str(finnish.profile_id)
    [shared] = [one for one in answer["items"][0]["reasons"] if one["kind"] == "words"]
    assert set(shared["values"]) == {"veneen", "runko"}


async def test_the_clients_own_profiles_are_left_out(
    matching: Service, broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    client, own, foreign = new_id(), make_profile(country="PL"), make_profile()
    need = make_profile(profile_type=ProfileType.BUSINESS_REQUEST, country="PL")
    await hold(own, need, region="pl84")
    await hold(foreign)
    async with matching.database.transaction() as session:
        for profile in (own, need):
            await index.link(session, profile_id=profile.profile_id, actor_id=client)
    assert ids(await ask(broker, need=NEED, exclude_client=str(client))) == [str(foreign.profile_id)]
    assert ids(await ask(broker, profile_id=str(need.profile_id))) == [str(foreign.profile_id)]


async def test_a_profile_finds_its_answers_but_not_itself(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    offer = make_profile()
    request = make_profile(
        profile_type=ProfileType.BUSINESS_REQUEST,
        title="Hulls wanted",
        summary="A yard wants hulls of glass fibre.",
        description="",
    )
    await hold(offer, request)
    answer = await ask(broker, profile_id=str(request.profile_id))
    assert ids(answer) == [str(offer.profile_id)]
    assert answer["items"][0]["passages"][0]["need"] == "A yard wants hulls of glass fibre."


async def test_two_rd_requests_may_become_one_consortium_but_none_answers_itself(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    one, other = (make_profile(profile_type=ProfileType.RESEARCH_REQUEST) for _ in range(2))
    await hold(one, other)
    assert ids(await ask(broker, profile_id=str(one.profile_id))) == [str(other.profile_id)]


async def test_a_search_can_be_kept_to_some_regions(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    home, foreign = make_profile(country="PL"), make_profile()
    await hold(home, region="pl84")
    await hold(foreign)
    assert ids(await ask(broker, text="hulls", regions=["fi1c"])) == [str(foreign.profile_id)]
    assert set(ids(await ask(broker, text="hulls"))) == {str(home.profile_id), str(foreign.profile_id)}


async def test_a_profile_is_found_before_its_words_are_counted(
    matching: Service, broker: httpx.AsyncClient, make_profile: MakeProfile, embedder: Any
) -> None:
    profile = make_profile()
    async with matching.database.transaction() as session:
        await index.hold(session, profile=profile, region="fi1c", embedder=embedder)
    [item] = (await ask(broker, need=NEED))["items"]
    assert item["passages"] == []
    assert {"hulls", "glass", "fibre"} <= {
        word for reason in item["reasons"] if reason["kind"] == "words" for word in reason["values"]
    }


async def test_an_empty_index_answers_nobody(broker: httpx.AsyncClient) -> None:
    answer = await ask(broker, need=NEED)
    assert (answer["candidates"], answer["items"], answer["exposure"]) == (0, [], [])


async def test_verdicts_come_back_with_later_matches_and_a_rejection_sinks(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile
) -> None:
    good, poor, need_id = make_profile(), make_profile(title="Honey", summary="Honey in jars."), new_id()
    await hold(good, poor)
    entry = {"need_id": str(need_id), "profile_id": str(good.profile_id)}
    given = await broker.post("/api/v1/verdicts", json=entry | {"verdict": "rejected", "reason": "Too far away."})
    assert given.status_code == 201
    answer = await ask(broker, need=NEED, need_id=str(need_id))
    assert ids(answer) == [str(poor.profile_id), str(good.profile_id)]
    assert [verdict["reason"] for verdict in answer["items"][1]["verdicts"]] == ["Too far away."]
    assert ids(await ask(broker, need=NEED)) == [str(good.profile_id), str(poor.profile_id)]

    again = await broker.post("/api/v1/verdicts", json=entry | {"verdict": "shortlisted"})
    assert again.json()["verdict"] == "shortlisted"
    answer = await ask(broker, need=NEED, need_id=str(need_id))
    assert ids(answer)[0] == str(good.profile_id)
    held = (await broker.get("/api/v1/verdicts", params={"need_id": str(need_id)})).json()
    assert [(one["profile_id"], one["verdict"], one["person"]) for one in held["items"]] == [
        (str(good.profile_id), "shortlisted", "broker")
    ]


async def test_a_verdict_needs_a_profile_that_is_there(broker: httpx.AsyncClient) -> None:
    entry = {"need_id": str(new_id()), "profile_id": str(new_id()), "verdict": "shortlisted"}
    answer = await broker.post("/api/v1/verdicts", json=entry)
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")


async def test_a_profile_that_is_not_held_cannot_be_the_need(broker: httpx.AsyncClient) -> None:
    answer = await broker.post("/api/v1/matches", json={"profile_id": str(new_id())})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "?!",
        "it's \\ ' | & ! :* <-> (hulls)",
        "'; DROP TABLE indexed_profile; --",
        '\\\'\\\\ "quoted" 100% %s %(x)s :need {x}',
        "Łódź żaglowa, õlletehas, müügiks, gæster",
        "船体 🚤",
        "a" * 5000,
        "hull " * 999,
    ],
)
async def test_whatever_people_type_is_answered(
    broker: httpx.AsyncClient, hold: Hold, make_profile: MakeProfile, text: str
) -> None:
    await hold(make_profile(title="It's a hull \\ 'of' glass", kind=ActorKind.CLUSTER))
    assert len((await ask(broker, text=text))["items"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        ({}, "/", "needs exactly one of need, text and profile_id, but has none"),
        ({"text": "hulls", "profile_id": str(new_id())}, "/", "but has text and profile_id"),
        ({"text": ""}, "/text", "should not be empty"),
        ({"text": " \n "}, "/text", "should not be empty"),
        ({"text": "x" * 100_000}, "/text", "at most"),
        ({"text": "hulls\x00"}, "/text", "control character U+0000"),
        ({"text": "hulls\u202e"}, "/text", "invisible direction mark"),
        ({"text": "hulls \ud800"}, "/text", ""),
        ({"text": 5}, "/text", "should be text"),
        ({"text": "hulls", "limit": 0}, "/limit", "should be 1 or more"),
        ({"text": "hulls", "limit": 51}, "/limit", "should be 50 or less"),
        ({"text": "hulls", "limit": "many"}, "/limit", "should be a whole number"),
        ({"text": "hulls", "regions": []}, "/regions", "should not be empty"),
        ({"text": "hulls", "regions": ["atlantis"]}, "/regions/0", "is no region of the network"),
        ({"text": "hulls", "regions": ["Pl 84"]}, "/regions/0", "pattern"),
        ({"text": "hulls", "language": "english"}, "/language", "pattern"),
        ({"text": "hulls", "colour": "red"}, "/colour", "is not a field of this request"),
        ({"profile_id": "7"}, "/profile_id", "UUID"),
        ({"text": "hulls", "exclude_client": "me"}, "/exclude_client", "UUID"),
        ({"need": {}}, "/need", "nothing to search for"),
        ({"need": {"title": " "}}, "/need", "nothing to search for"),
        ({"need": NEED | {"type": "XX"}}, "/need/type", "should be one of BO, BR, TO, TR, RDR"),
        ({"need": NEED | {"type": "unknown"}}, "/need/type", "should be one of"),
        ({"need": NEED | {"sectors": ["boats"]}}, "/need/sectors/0", "should be one of aeronautics_space"),
        ({"need": NEED | {"target_countries": ["Finland"]}}, "/need/target_countries/0", "pattern"),
        ({"need": NEED | {"trl": 10}}, "/need/trl", "should be 9 or less"),
        ({"need": NEED | {"description": "x" * 100_000}}, "/need/description", "at most"),
        ({"need": NEED | {"title": "x\x07"}}, "/need/title", "control character U+0007"),
        ({"need": NEED | {"partner_sought": {"kinds": ["friend"]}}}, "/need/partner_sought/kinds/0", "one of"),
        ({"need": "hulls"}, "/need", "should be an object"),
        ([], "/", "should be an object"),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(
    broker: httpx.AsyncClient, body: Any, pointer: str, reason: str
) -> None:
    import json

    answer = await broker.post(
        "/api/v1/matches", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    errors = {error["pointer"]: error["reason"] for error in answer.json()["errors"]}
    assert pointer in errors, errors
    assert reason in errors[pointer]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"text": NaN}', b"null"])
async def test_what_is_no_json_is_a_problem_too(broker: httpx.AsyncClient, content: bytes) -> None:
    answer = await broker.post("/api/v1/matches", content=content, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"verdict": "maybe"}, "/verdict"),
        ({"verdict": "rejected"}, "/"),
        ({"verdict": "rejected", "reason": "\x01"}, "/reason"),
        ({"need_id": None}, "/need_id"),
        ({"person": "somebody else"}, "/person"),
    ],
)
async def test_a_wrong_verdict_is_told_what_is_wrong(
    broker: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    entry = {"need_id": str(new_id()), "profile_id": str(new_id()), "verdict": "shortlisted"}
    answer = await broker.post("/api/v1/verdicts", json=entry | change)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
