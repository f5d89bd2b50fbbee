"""Texts in the reader's language. English is the source; catalogues lie in `locales/<language>.po`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
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


@cache
def _texts(language: str) -> dict[str, str | tuple[str, ...]]:
    path = LOCALES / f"{language}.po"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    texts: dict[str, str | tuple[str, ...]] = {}
    for message in catalogue:
        if not message.id or message.fuzzy:
            continue
        source = message.id if isinstance(message.id, str) else message.id[0]
        if isinstance(message.string, str):
            texts[source] = message.string
        elif message.string:
            texts[source] = tuple(message.string)
    return texts


def gettext(source: str) -> str:
    """The text in the reader's language, or itself."""
    found = _texts(_language.get()).get(source)
    if isinstance(found, tuple):
        found = found[0]
    return found or source


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the text that goes with a number in the reader's language."""
    found = _texts(_language.get()).get(singular)
    if isinstance(found, tuple):
        form = current_locale().plural_form
        order = [str(tag) for tag in ("zero", "one", "two", "few", "many") if tag in form.tags] + ["other"]
        index = order.index(str(form(count)))
        if index < len(found) and found[index]:
            return found[index]
    return singular if count == 1 else plural


def marked(source: str) -> str:
    """Marks a text for translation where it is only spoken later."""
    return source
