"""Texts in the reader's language. English is the source; catalogues lie in `locales/<language>.po`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path

from babel import Locale
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parent / "locales"

#: as people call their own language
LANGUAGES = {
    "en": "English",
    "pl": "Polski",
    "lv": "Latviešu",
    "et": "Eesti",
    "lt": "Lietuvių",
    "fi": "Suomi",
    "de": "Deutsch",
    "da": "Dansk",
}

_language: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within it, texts come in this language, or in English where it is not one of ours."""
    token = _language.set(language if language in LANGUAGES else "en")
    try:
        yield
    finally:
        _language.reset(token)


def speak(language: str) -> None:
    """For the rest of this request, texts come in this language."""
    _language.set(language if language in LANGUAGES else "en")


def current_language() -> str:
    return _language.get()


def current_locale() -> Locale:
    # English dates and numbers as Europe writes them: 27 Nov, not Nov 27.
    return Locale.parse("en_GB" if _language.get() == "en" else _language.get())


@dataclass(frozen=True)
class Catalogue:
    """The texts of one language, and which form goes with a number."""

    texts: dict[str, tuple[str, ...]]
    form: Callable[[int], int]


@cache
def _catalogue(language: str) -> Catalogue:
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        return Catalogue(texts={}, form=c2py("n != 1"))
    with path.open("rb") as file:
        read = read_po(file, locale=language)
    texts: dict[str, tuple[str, ...]] = {}
    for message in read:
        if message.id and message.string and not message.fuzzy:
            source = message.id if isinstance(message.id, str) else message.id[0]
            texts[source] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return Catalogue(texts=texts, form=c2py(read.plural_expr))


def gettext(source: str) -> str:
    """The text in the reader's language, or itself."""
    found = _catalogue(_language.get()).texts.get(source)
    return (found[0] if found else "") or source


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the text that goes with a number in the reader's language."""
    catalogue = _catalogue(_language.get())
    found = catalogue.texts.get(singular, ())
    index = catalogue.form(count)
    if index < len(found) and found[index]:
        return found[index]
    return singular if count == 1 else plural


def marked(source: str) -> str:
    """Marks a text for translation where it is only spoken later."""
    return source
