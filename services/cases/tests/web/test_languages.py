"""The workbench in the network's languages: what is translated is whole, what is not is English."""

import re
from datetime import date

import pytest
from babel.messages.pofile import read_po

from tibs_cases.promises.rules import calendar
from tibs_cases.web.dates import promise
from tibs_cases.web.i18n import LANGUAGES, LOCALES, gettext, ngettext, speaking
from tibs_cases.web.shell import NAVIGATION

TRANSLATED = [code for code in LANGUAGES if code != "en"]


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_navigation_is_in_every_language(language: str) -> None:
    with speaking(language):
        names = [gettext(item.name) for item in NAVIGATION]
    assert not set(names) & ({item.name for item in NAVIGATION} - {"Profile", "Match"})


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_names_what_its_source_names(language: str) -> None:
    with (LOCALES / f"{language}.po").open("rb") as file:
        for message in read_po(file, locale=language):
            sources = [message.id] if isinstance(message.id, str) else list(message.id)
            texts = [message.string] if isinstance(message.string, str) else list(message.string)
            wanted = set(re.findall(r"%\(\w+\)s", sources[0]))
            assert all(set(re.findall(r"%\(\w+\)s", text)) == wanted for text in texts), message.id


def test_numbers_take_the_form_of_their_language() -> None:
    one, many = "%(num)s thing waits for you", "%(num)s things wait for you"
    with speaking("pl"):
        forms = [ngettext(one, many, count) % {"num": count} for count in (1, 3, 5)]
    assert forms == ["czeka 1 rzecz", "czekają 3 rzeczy", "czeka 5 rzeczy"]


def test_a_promise_in_finnish() -> None:
    with speaking("fi"):
        told = promise(date(2026, 11, 27), today=date(2026, 11, 24), calendar=calendar("FI", "Europe/Helsinki"))
    assert told.text == "pe 27.11., 3 työpäivän kuluttua"
