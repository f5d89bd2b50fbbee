"""Texts in a person's language. English is the source; catalogues lie in `locales/<language>.po`."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parent / "locales"
LANGUAGES = ("en", "pl", "lv", "et", "lt", "fi", "de", "da")


def known(language: str | None) -> str:
    """The language itself if we speak it, English otherwise."""
    return language if language in LANGUAGES else "en"


def marked(source: str) -> str:
    """Marks a text for translation where it is only spoken later."""
    return source


def say(source: str, *, language: str, **parameters: str) -> str:
    """The text in the language, in English where it has none, with its parameters filled in."""
    translated = _catalogue(known(language)).get(source) or source
    return translated.format_map(parameters) if parameters else translated


def say_date(day: date, *, language: str) -> str:
    """A day in words, such as `Friday 27 November 2026`."""
    # English dates as Europe writes them: 27 November, not November 27.
    locale = Locale.parse("en_GB" if known(language) == "en" else known(language))
    return format_date(day, format="full", locale=locale)


@cache
def _catalogue(language: str) -> Mapping[str, str]:
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {
        message.id: message.string
        for message in catalogue
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id and not message.fuzzy
    }
