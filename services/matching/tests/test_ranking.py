"""The ranking rule and its reasons."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tibs_contracts.codes import ActorKind, Cooperation, OpenCode, ProfileType, Sector, SizeClass, TransS3
from tibs_matching.matches import facets, rules, words
from tibs_matching.matches.model import Agreement, Candidate, ReasonKind, Sought, Told

TODAY = date(2026, 5, 1)


def listed(codes: type[OpenCode]) -> list[OpenCode]:
    return [code for code in codes if code.name != "UNKNOWN"]


def sets(codes: type[OpenCode]) -> some.SearchStrategy[Any]:
    return some.frozensets(some.sampled_from(listed(codes)), max_size=4)


def maybe(codes: type[OpenCode]) -> some.SearchStrategy[Any]:
    return some.none() | some.sampled_from(listed(codes))


COUNTRIES = some.sampled_from(["PL", "FI", "DE", "DK", "XX"])
TOLD = some.builds(
    Told,
    type=maybe(ProfileType),
    country=some.none() | COUNTRIES,
    kind=maybe(ActorKind),
    size=maybe(SizeClass),
    sectors=sets(Sector),
    cooperation=sets(Cooperation),
    target_countries=some.frozensets(COUNTRIES),
    languages=some.frozensets(some.sampled_from(["en", "pl", "fi", "zz"])),
    trans_s3=sets(TransS3),
    sought=some.builds(Sought, kinds=sets(ActorKind), sizes=sets(SizeClass)),
    trl=some.none() | some.integers(1, 9),
)
CANDIDATES = some.builds(
    Candidate,
    profile_id=some.uuids(),
    region=some.sampled_from(["pl84", "fi1c"]),
    language=some.sampled_from(["en", "fi"]),
    told=TOLD,
    published_at=some.dates(min_value=date(2025, 1, 1), max_value=date(2026, 6, 1)).map(
        lambda day: datetime.combine(day, time(12, tzinfo=UTC))
    ),
    similarity=some.floats(-1, 1),
    words=some.floats(0, 1),
)
POOLS = some.lists(CANDIDATES, max_size=8, unique_by=lambda one: one.profile_id)


def candidate(number: int = 1, *, similarity: float = 0.3, shared: float = 0.2, told: Told = Told()) -> Candidate:
    return Candidate(
        profile_id=UUID(int=number),
        region="fi1c",
        language="en",
        told=told,
        published_at=datetime(2026, 4, 20, tzinfo=UTC),
        similarity=similarity,
        words=shared,
    )


def rank(
    *candidates: Candidate, need: Told = Told(), best: int = 50, last: frozenset[UUID] = frozenset()
) -> list[rules.Ranked]:
    return rules.rank(candidates, need=need, languages=("en",), today=TODAY, best=best, last=last)


def test_the_weights_of_each_number_make_one() -> None:
    for weights in (rules.COMPETENCE, rules.CONTEXT, rules.ORDER):
        assert sum(weights.values()) == pytest.approx(1)


def test_every_compared_respect_has_a_weight() -> None:
    found = facets.facets(Told(), Told(), published_on=TODAY, today=TODAY)
    assert [one.kind for one in found] == list(rules.CONTEXT)


@given(POOLS, TOLD)
def test_all_numbers_stay_between_0_and_100(pool: list[Candidate], need: Told) -> None:
    for one in rank(*pool, need=need):
        assert 0 <= one.able.competence <= 100
        assert 0 <= one.context <= 100
        assert 0 <= one.score <= 100


@given(POOLS, TOLD, some.randoms())
def test_the_order_does_not_hang_on_the_order_of_finding(pool: list[Candidate], need: Told, chance: Random) -> None:
    shuffled = list(pool)
    chance.shuffle(shuffled)
    assert [one.candidate for one in rank(*pool, need=need)] == [one.candidate for one in rank(*shuffled, need=need)]


@given(POOLS, TOLD, some.integers(1, 9), some.sets(some.integers(0, 7)))
def test_who_is_not_looked_at_could_not_have_been_among_the_best(
    pool: list[Candidate], need: Told, best: int, rejected: set[int]
) -> None:
    last = frozenset(one.profile_id for place, one in enumerate(pool) if place in rejected)
    everybody = rank(*pool, need=need, best=len(pool) or 1, last=last)
    assert len(everybody) == len(pool)
    assert rank(*pool, need=need, best=best, last=last) == everybody[:best]


@given(TOLD, TOLD)
def test_telling_something_that_agrees_never_lowers_context(need: Told, other: Told) -> None:
    found = facets.facets(need, other, published_on=TODAY, today=TODAY)
    for place, facet in enumerate(found):
        if facet.agreement is Agreement.AGREES:
            untold = [*found[:place], facets.Facet(facet.kind), *found[place + 1 :]]
            assert rules.context(found) >= rules.context(untold)


@given(TOLD, TOLD)
def test_every_respect_that_is_told_says_so_in_a_sentence(need: Told, other: Told) -> None:
    for facet in [*facets.facets(need, other, published_on=TODAY, today=TODAY), rules.sector_fit(need, other)]:
        if facet.score is None:
            assert facet.text == ""
        else:
            assert 0 <= facet.score <= 1
            assert facet.text[0].isupper()
            assert facet.text.endswith(".")


@given(POOLS, some.floats(0, 0.5))
def test_to_come_nearer_never_lowers_competence(pool: list[Candidate], more: float) -> None:
    if not pool:
        return
    first, *others = pool
    nearer = Candidate(
        profile_id=first.profile_id,
        region=first.region,
        language=first.language,
        told=first.told,
        published_at=first.published_at,
        similarity=first.similarity + more,
        words=first.words,
    )
    before = {one.candidate.profile_id: one.able.competence for one in rank(*pool)}
    after = {one.candidate.profile_id: one.able.competence for one in rank(nearer, *others)}
    assert after[first.profile_id] >= before[first.profile_id] - 1e-9


def test_nobody_gets_full_marks_for_being_the_best_of_a_bad_lot() -> None:
    [best, _] = rank(candidate(1, similarity=0.1, shared=0), candidate(2, similarity=0.02, shared=0))
    assert best.able.competence < 35


def test_words_are_not_expected_across_languages() -> None:
    foreign = Candidate(
        profile_id=UUID(int=1),
        region="fi1c",
        language="fi",
        told=Told(),
        published_at=datetime(2026, 4, 20, tzinfo=UTC),
        similarity=0.4,
        words=0.0,
    )
    [first, second] = rank(candidate(2, similarity=0.4, shared=0.0), foreign)
    assert first.candidate == foreign
    assert first.able.competence > second.able.competence


def test_what_was_rejected_stands_last_however_well_it_fits() -> None:
    good, poor = candidate(1, similarity=0.9), candidate(2, similarity=0.05)
    assert [one.candidate for one in rank(good, poor, last=frozenset({good.profile_id}))] == [poor, good]


def test_offers_answer_requests_and_never_their_own_kind() -> None:
    for type_, answers in facets.ANSWERS.items():
        assert max(answers.values()) == 1
        if type_ is not ProfileType.RESEARCH_REQUEST:
            assert type_ not in answers
    assert set(facets.ANSWERS) == set(listed(ProfileType))


@pytest.mark.parametrize(("need", "other"), list(itertools.permutations(facets.ANSWERS, 2)))
def test_an_answer_can_be_asked_back(need: ProfileType, other: ProfileType) -> None:
    assert (other in facets.ANSWERS[need]) == (need in facets.ANSWERS[other])


def test_a_research_organisation_answers_an_rd_request_whatever_it_offers() -> None:
    need = Told(type=ProfileType.RESEARCH_REQUEST)
    company = facets.type_fit(need, Told(type=ProfileType.BUSINESS_OFFER, kind=ActorKind.SME))
    institute = facets.type_fit(need, Told(type=ProfileType.BUSINESS_OFFER, kind=ActorKind.RESEARCH))
    assert company.agreement is Agreement.PARTLY
    assert institute.agreement is Agreement.AGREES


@pytest.mark.parametrize(
    ("need", "other", "sentence"),
    [
        (
            Told(type=ProfileType.TECHNOLOGY_REQUEST),
            Told(type=ProfileType.TECHNOLOGY_OFFER),
            "A technology offer answers a technology request.",
        ),
        (
            Told(cooperation=frozenset({Cooperation.TECHNOLOGY_LICENCE})),
            Told(cooperation=frozenset({Cooperation.TECHNOLOGY_LICENCE, Cooperation.SERVICES})),
            "Both want licence (technology).",
        ),
        (
            Told(target_countries=frozenset({"FI"})),
            Told(country="FI"),
            "It is from Finland, where a partner is sought.",
        ),
        (Told(country="PL"), Told(target_countries=frozenset({"PL", "LV"})), "It looks for partners in Poland."),
        (
            Told(sought=Sought(kinds=frozenset({ActorKind.SME}), sizes=frozenset({SizeClass.SMALL}))),
            Told(kind=ActorKind.SME, size=SizeClass.SMALL),
            "It is a small company, as sought.",
        ),
        (
            Told(kind=ActorKind.AUTHORITY),
            Told(sought=Sought(kinds=frozenset({ActorKind.AUTHORITY}))),
            "It looks for a public authority, as your client is.",
        ),
        (
            Told(type=ProfileType.TECHNOLOGY_REQUEST, trl=5),
            Told(trl=7),
            "What is offered is at readiness level 7; 5 is wanted.",
        ),
        (
            Told(languages=frozenset({"pl", "en"})),
            Told(languages=frozenset({"en", "fi"})),
            "Both work in English.",
        ),
        (
            Told(trans_s3=frozenset({TransS3.CIRCULAR_ECONOMY})),
            Told(trans_s3=frozenset({TransS3.CIRCULAR_ECONOMY})),
            "Both belong to the shared priority circular economy.",
        ),
    ],
)
def test_what_agrees_is_said(need: Told, other: Told, sentence: str) -> None:
    found = facets.facets(need, other, published_on=TODAY, today=TODAY)
    assert sentence in [facet.text for facet in found if facet.agreement is Agreement.AGREES]


def test_why_not_names_what_costs_most_and_the_change_that_would_mend_it() -> None:
    need = Told(
        type=ProfileType.BUSINESS_REQUEST, country="PL", target_countries=frozenset({"SE"}), languages=frozenset({"en"})
    )
    other = Told(
        type=ProfileType.BUSINESS_OFFER,
        country="FI",
        target_countries=frozenset({"DE", "SE"}),
        languages=frozenset({"fi"}),
    )
    [one] = rank(candidate(told=other), need=need)
    assert rules.why_not(one) == (
        "It is from Finland; a partner is sought in Sweden. It would fit if Finland were added to the countries sought."
    )


def test_where_nothing_stands_in_the_way_nothing_is_named() -> None:
    [one] = rank(candidate(told=Told(type=ProfileType.BUSINESS_OFFER)), need=Told(type=ProfileType.BUSINESS_REQUEST))
    assert rules.why_not(one) is None


@given(TOLD, TOLD)
def test_the_change_named_is_for_something_that_does_not_agree(need: Told, other: Told) -> None:
    for facet in facets.facets(need, other, published_on=TODAY - timedelta(days=200), today=TODAY):
        if facet.change is not None:
            assert facet.agreement is not Agreement.AGREES


@given(some.dates(min_value=date(2020, 1, 1), max_value=date(2026, 5, 1)))
def test_the_older_the_less_fresh(published: date) -> None:
    older = facets.freshness(published - timedelta(days=10), TODAY)
    younger = facets.freshness(published, TODAY)
    assert older.score is not None
    assert younger.score is not None
    assert older.score <= younger.score


def test_the_nearest_sentences_are_paired_once_each() -> None:
    need = np.eye(3, dtype=np.float32)
    offer = np.array([[0.6, 0.8, 0], [0.9, 0.4, 0]], dtype=np.float32)
    pairs = rules.pairs(
        ["first of the need's sentences", "second of the need's sentences", "third of the need's sentences"],
        need,
        ["an offer", "another"],
        offer,
    )
    assert [(pair.need.split()[0], pair.offer) for pair in pairs] == [("first", "another"), ("second", "an offer")]


def test_a_heading_is_not_read_aloud_as_a_sentence() -> None:
    one = np.ones((1, 1), dtype=np.float32)
    assert rules.pairs(["Boats"], one, ["It makes boats and hulls."], one) == []


def test_the_background_is_taken_out() -> None:
    mean = np.array([1, 0, 0], dtype=np.float32)
    turned = rules.centred(np.array([[1, 0.1, 0], [1, 0, -0.1]], dtype=np.float32), mean)
    assert turned == pytest.approx(np.array([[0, 1, 0], [0, 0, -1]]), abs=1e-6)


@pytest.mark.parametrize("codes", [ProfileType, Sector, ActorKind, Cooperation, SizeClass, TransS3])
def test_every_code_has_words(codes: type[OpenCode]) -> None:
    for code in listed(codes):
        assert "_" not in words.label(code)


def test_enumerations_read_well() -> None:
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"], "or") == "a, b or c"
    assert words.a("R&D request") == "an R&D request"
    assert words.a("intermediary") == "an intermediary"
    assert [words.ordinal(number) for number in (1, 2, 3, 4, 11, 22, 113)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "22nd",
        "113th",
    ]
    assert words.language("et") == "Estonian"
    assert words.country("LV") == "Latvia"
    assert words.language("zz") == "zz"


def test_the_rule_is_told_with_its_version() -> None:
    told = rules.rule()
    assert told.version == rules.RANKING_VERSION
    assert told.weights["competence.meaning"] == rules.COMPETENCE["meaning"]
    assert told.weights[f"context.{ReasonKind.TYPE.value}"] == rules.CONTEXT[ReasonKind.TYPE]
