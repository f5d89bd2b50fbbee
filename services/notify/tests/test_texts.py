import re
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from tibs_chassis.regions import Regions
from tibs_notify import words
from tibs_notify.deliveries import mail
from tibs_notify.notices import texts
from tibs_notify.notices.rules import NoticeKind, NoticeType

SOURCES = sorted(
    {source for pair in texts.TEXTS.values() for source in pair}
    | {texts.DUE, texts.OTHER_PROMISE, *texts.PROMISES.values(), *texts.TYPES.values()}
    | {mail.OPEN, mail.WHY, mail.MUTE, mail.ALWAYS}
)
PARAMETERS = {"title": "Sensors {for} wood", "region": "fi1c", "due": "2026-11-27", "promise": "client_decision"}


def fields(source: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(source) if name}


@pytest.mark.parametrize("language", words.LANGUAGES[1:])
def test_every_text_is_there_in_every_language_with_its_parameters(language: str) -> None:
    with (words.LOCALES / f"{language}.po").open("rb") as file:
        catalogue = {message.id: message.string for message in read_po(file, locale=language) if message.id}
    assert sorted(str(source) for source in catalogue) == SOURCES
    for source in SOURCES:
        translated = str(catalogue[source])
        assert translated.strip(), source
        assert fields(translated) == fields(source), source
        assert source.endswith(".") == translated.endswith("."), source


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", NoticeKind)
def test_every_notice_speaks_every_language(kind: NoticeKind, language: str, regions: Regions) -> None:
    told = texts.words_of(kind, PARAMETERS, language=language, regions=regions)
    assert "Sensors {for} wood" in told.text
    assert "2026" in told.text
    assert not re.search(r"\{(title|region|due|promise)\}", told.title + told.text)


def test_regions_and_days_are_named_in_the_readers_language(regions: Regions) -> None:
    english = texts.words_of(NoticeKind.INTRODUCTION_RECEIVED, PARAMETERS, language="en", regions=regions)
    polish = texts.words_of(NoticeKind.INTRODUCTION_RECEIVED, PARAMETERS, language="pl", regions=regions)
    assert english.title == "Kymenlaakso asks for an introduction"
    assert english.text.endswith("Due: Friday, 27 November 2026.")
    assert "piątek, 27 listopada 2026" in polish.text


def test_a_language_that_is_not_ours_is_english_and_an_unknown_region_its_code(regions: Regions) -> None:
    parameters = PARAMETERS | {"region": "zz9", "promise": "of_next_year"}
    assert texts.words_of(NoticeKind.INTRODUCTION_DELIVERED, parameters, language="xx", regions=regions).title == (
        "zz9 has the request"
    )
    told = texts.words_of(NoticeKind.PROMISE_DUE, parameters, language="en", regions=regions)
    assert told.text.startswith("A promise: “Sensors")


def test_every_type_has_a_name() -> None:
    assert {texts.type_in(each, language="en") for each in NoticeType} == set(texts.TYPES.values())
