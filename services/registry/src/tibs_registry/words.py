"""Words as they are compared: without case, accents and the letters that only some keyboards have."""

import re
import unicodedata

# Letters that do not come apart into a base letter and an accent.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})


def fold(text: str) -> str:
    """`Białystok` and `BIALYSTOK` become `bialystok`."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_LETTERS)


def fold_with_origin(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its letters the position in `text` that it came from."""
    folded: list[str] = []
    origin: list[int] = []
    for position, letter in enumerate(text):
        for part in fold(letter):
            folded.append(part)
            origin.append(position)
    return "".join(folded), origin


def tokens(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return re.findall(r"[^\W_]+", fold(text))


def trigrams(text: str) -> frozenset[str]:
    """Groups of three letters, with the word's edges marked."""
    return frozenset(f"  {word} "[at : at + 3] for word in text.split() for at in range(len(word) + 1))


def similarity(one: str, other: str) -> float:
    """How much two folded texts share, from 0 to 1 (Dice, on trigrams)."""
    left, right = trigrams(one), trigrams(other)
    if not left or not right:
        return 0.0
    return 2 * len(left & right) / (len(left) + len(right))


def text_query(text: str) -> str | None:
    """A PostgreSQL text query that finds every word of `text` as a beginning; None if it holds no word."""
    found = tokens(text)
    # Only letters and digits are left, so nothing of the query's own syntax can be among them.
    return " & ".join(f"{word}:*" for word in found[:20]) or None
