"""How a profile's text is read: what is searched, what is embedded, what it says in codes. No I/O."""

import hashlib
import re
from collections.abc import Iterable

from tibs_contracts.codes import OpenCode, Stage
from tibs_contracts.events import ProfilePublished

CONFIGURATIONS = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fi": "finnish",
    "fr": "french",
    "it": "italian",
    "lt": "lithuanian",
    "nl": "dutch",
    "no": "norwegian",
    "sv": "swedish",
}
"""PostgreSQL's word stemming by language. Polish and Latvian have none: their words are searched as they stand."""

MEANING_LENGTH = 600
"""Characters of a profile that its one vector stands for. A token costs about a millisecond, and what a profile is
about stands at its beginning; the rest is found by its words."""
PASSAGES = 10
PASSAGE_LENGTH = 300

TRL_OF_STAGE = {
    Stage.CONCEPT: 2,
    Stage.LAB_TESTED: 4,
    Stage.PROTOTYPE: 6,
    Stage.FIELD_TESTED: 7,
    Stage.DEMONSTRATION: 8,
    Stage.ON_THE_MARKET: 9,
}
"""The technology readiness level that a stage of development stands for, where a profile names only the stage."""

_END = re.compile(r"(?<=[.!?…])\s+(?=[^\W\d_a-z]|[\"'(„“»0-9])|\s*\n\s*(?:[-*•–]\s*)?")


def configuration(language: str) -> str:
    """The text search configuration for a language."""
    return CONFIGURATIONS.get(language, "simple")


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, none longer than a passage; lines of a list count as sentences."""
    found = []
    for part in _END.split(text):
        sentence = " ".join(part.split())
        if sentence:
            found.append(shortened(sentence, PASSAGE_LENGTH))
    return found


def shortened(text: str, length: int) -> str:
    """The text cut at a word's end."""
    if len(text) <= length:
        return text
    cut = text[:length]
    return cut[: cut.rfind(" ")] if " " in cut[length // 2 :] else cut


def within(parts: Iterable[str], length: int) -> list[str]:
    """As many of the parts, from the first on, as fit into `length` characters; the first always, if only cut."""
    taken: list[str] = []
    left = length
    for part in parts:
        if not part:
            continue
        if len(part) > left:
            if not taken:
                taken.append(shortened(part, length))
            break
        taken.append(part)
        left -= len(part) + 1
    return taken


def meaning_text(profile: ProfilePublished) -> str:
    """What is embedded as the profile's meaning."""
    keywords = ", ".join([*profile.technology_keywords, *profile.market_keywords])
    parts = [
        profile.title,
        *sentences(profile.summary),
        keywords,
        *sentences(profile.partner_sought.task),
        *sentences(profile.description),
    ]
    return " ".join(part if part[-1] in ".!?…" else f"{part}." for part in within(parts, MEANING_LENGTH))


def searched_text(profile: ProfilePublished) -> str:
    """What is searched by words: all that the profile tells."""
    parts = [
        profile.title,
        profile.summary,
        profile.description,
        profile.advantages,
        profile.partner_sought.field,
        profile.partner_sought.task,
        profile.stage_comment or "",
        ", ".join([*profile.technology_keywords, *profile.market_keywords]),
    ]
    return "\n".join(part for part in parts if part)


def passages(profile: ProfilePublished) -> list[str]:
    """The sentences that may be shown beside a need's."""
    texts = [profile.summary, profile.description, profile.advantages, profile.partner_sought.task]
    found = dict.fromkeys(sentence for text in texts for sentence in sentences(text))
    return list(found)[:PASSAGES] or [profile.title]


def fingerprint(*texts: str) -> str:
    """Changes when any of the texts does."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def readiness(*, trl: int | None, stage: Stage | None) -> int | None:
    """The technology readiness level that is told, by itself or by the stage."""
    if trl is not None or stage is None:
        return trl
    return TRL_OF_STAGE.get(stage)


def codes(values: Iterable[OpenCode]) -> list[str]:
    """As they are kept: what this version does not know is left out, for nothing can be compared with it."""
    return sorted({value.value for value in values if value.name != "UNKNOWN"})
