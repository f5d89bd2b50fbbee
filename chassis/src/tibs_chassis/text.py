"""Text as people type it: normalised, and free of what hides or turns letters."""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_LINE_BREAK = re.compile(r"[\r\n\u2028\u2029]")


def _clean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if found := _CONTROL.search(value):
        raise ValueError(f"holds the control character U+{ord(found[0]):04X} at position {found.start() + 1}")
    if found := _BIDI.search(value):
        raise ValueError(
            f"holds the invisible direction mark U+{ord(found[0]):04X} at position {found.start() + 1}; type it anew"
        )
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise ValueError("holds half a character (a lone surrogate)")
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()


def _one_line(value: str) -> str:
    if found := _LINE_BREAK.search(value):
        raise ValueError(f"should be one line, but has a line break at position {found.start() + 1}")
    return value


def line(max_length: int, *, min_length: int = 1) -> tuple[Any, ...]:
    """What makes a `str` one line of at most `max_length` characters: `Annotated[str, *line(80)]`."""
    length = StringConstraints(min_length=min_length, max_length=max_length)
    return length, BeforeValidator(_clean), AfterValidator(_one_line)


def prose(max_length: int, *, min_length: int = 0) -> tuple[Any, ...]:
    """What makes a `str` text of several lines, of at most `max_length` characters: `Annotated[str, *prose(500)]`."""
    return StringConstraints(min_length=min_length, max_length=max_length), BeforeValidator(_clean)


Line = Annotated[str, *line(200)]
"""One line, 1 to 200 characters."""


class Input(BaseModel):
    """A request body: a field that is not known is an error, not a shrug."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    """An answer."""

    model_config = ConfigDict(from_attributes=True)
