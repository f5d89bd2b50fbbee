"""How texts are read."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tibs_contracts.codes import Sector, Stage
from tibs_contracts.events import ProfilePublished
from tibs_matching.index import rules
from tibs_matching.matches.search import HITS, TELLING, TellingWord, affordable


def test_sentences_end_at_full_stops_and_lines() -> None:
    text = "We make hulls. They last!\n- light\n- strong\nDo you know e.g. a dealer? Tel. by mail"
    assert rules.sentences(text) == [
        "We make hulls.",
        "They last!",
        "light",
        "strong",
        "Do you know e.g. a dealer?",
        "Tel. by mail",
    ]


def test_letters_of_all_languages_begin_sentences() -> None:
    assert rules.sentences("Szukamy partnera. Łodzie są lekkie. Äidit tulevat.") == [
        "Szukamy partnera.",
        "Łodzie są lekkie.",
        "Äidit tulevat.",
    ]


@given(some.text(max_size=2000))
def test_no_sentence_is_longer_than_a_passage(text: str) -> None:
    found = rules.sentences(text)
    assert all(0 < len(sentence) <= rules.PASSAGE_LENGTH for sentence in found)


@given(some.lists(some.text(max_size=80)), some.integers(min_value=1, max_value=300))
def test_what_is_taken_fits(parts: list[str], length: int) -> None:
    taken = rules.within(parts, length)
    assert sum(len(part) for part in taken) + max(len(taken) - 1, 0) <= length
    if any(part.strip() for part in parts):
        assert taken


def test_a_fingerprint_tells_where_one_text_ends_and_the_next_begins() -> None:
    assert rules.fingerprint("ab", "c") != rules.fingerprint("a", "bc")


def test_a_stage_stands_for_a_readiness_level() -> None:
    assert rules.readiness(trl=None, stage=Stage.PROTOTYPE) == 6
    assert rules.readiness(trl=3, stage=Stage.PROTOTYPE) == 3
    assert rules.readiness(trl=None, stage=Stage.UNKNOWN) is None


def test_codes_of_a_later_version_are_left_out() -> None:
    assert rules.codes([Sector.ICT, Sector("quantum"), Sector.ICT]) == ["ict"]


def test_languages_without_stemming_are_searched_word_by_word() -> None:
    assert rules.configuration("fi") == "finnish"
    assert rules.configuration("pl") == rules.configuration("lv") == "simple"


@pytest.fixture
def long_profile(make_profile: Callable[..., ProfilePublished]) -> ProfilePublished:
    return make_profile(
        title="Slurry treatment",
        summary="A farm treats slurry.",
        description="It is spread on fields. " * 150,
        technology_keywords=["biogas", "digester"],
    )


def test_the_meaning_of_a_profile_begins_with_its_title_and_stays_short(long_profile: ProfilePublished) -> None:
    meaning = rules.meaning_text(long_profile)
    assert meaning.startswith("Slurry treatment. A farm treats slurry. biogas, digester. It is spread")
    assert len(meaning) <= rules.MEANING_LENGTH + 10


def test_passages_are_each_shown_once(long_profile: ProfilePublished) -> None:
    assert rules.passages(long_profile) == ["A farm treats slurry.", "It is spread on fields."]


def test_a_profile_without_sentences_shows_its_title(make_profile: Callable[..., ProfilePublished]) -> None:
    assert rules.passages(make_profile(title="Hulls", summary="", description="")) == ["Hulls"]


def word(name: str, profiles: int, weight: float = 1.0) -> TellingWord:
    return TellingWord(word=name, query=f"'{name}'", weight=weight, profiles=profiles)


def test_common_words_are_left_out_when_they_would_cost_too_much() -> None:
    rare, common, commoner = word("slurry", 10), word("project", HITS - 10), word("the", 1)
    assert affordable([rare, common, commoner]) == [rare, common]


def test_a_lone_common_word_is_searched_all_the_same() -> None:
    assert affordable([word("project", 10 * HITS)]) == [word("project", 10 * HITS)]


def test_a_long_text_is_searched_by_its_rarest_words() -> None:
    words = [word(f"w{number}", 1) for number in range(100)]
    assert affordable(words) == words[:TELLING]
