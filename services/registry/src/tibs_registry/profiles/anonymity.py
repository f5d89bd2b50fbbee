"""Does a text tell who the client is? Rules over texts; no I/O.

What is found blocks publishing, because a published profile cannot be called back from every region.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tibs_registry.actors.rules import name_key
from tibs_registry.words import fold_with_origin, tokens


@dataclass(frozen=True)
class Finding:
    """A place that could tell who the client is: `text` stands in `field` from `start` to before `end`."""

    field: str
    start: int
    end: int
    text: str
    reason: str


@dataclass(frozen=True)
class Client:
    """What is known of the client and must not be said."""

    names: Sequence[str] = ()
    domain: str | None = None
    people: Sequence[str] = ()
    numbers: Sequence[str] = ()


_TLDS = (
    "com|org|net|info|biz|io|ai|app|dev|tech|shop|online|site|cloud|eco|group|eu|example"
    "|pl|lv|ee|lt|fi|de|dk|se|no|is|nl|be|lu|fr|it|es|pt|at|ch|cz|sk|si|hr|hu|ro|bg|gr|cy|mt|ie|uk|us|ua"
)
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮİĶĹĻĽŁŃŅŇŌŎŐŒŔŖŘŚŜŞŠŢŤŨŪŬŮŰŲŴŶŸŹŻŽ"
_WORD = rf"[{_CAPITAL}][\w&'’-]*"
_TITLE = r"(?:Mrs?|Ms|Miss|Dr|Prof|Professor|Herr|Frau|Pan|Pani|Hr|Fru)\.?"
_QUOTE = "[„“”\"'’«»]"
_FORM_AFTER = (
    r"Sp\.? ?z ?o\.? ?o\.?|Sp\. ?[jk]\.|S\.A\.|SA|GmbH(?: & Co\.? KG)?|AG|KG|UG|e\.V\.|Oyj?|AB|Abp|A/S|ApS|AS"
    r"|OÜ|SIA|UAB|MB|Ltd\.?|Limited|LLC|LLP|PLC|plc|Inc\.?|Corp\.?|S\.?r\.?l\.?|S\.?p\.?A\.?|S\.L\.|SL|B\.V\.|BV|N\.V\.|NV"
    r"|SARL|SAS|s\.r\.o\.|a\.s\.|d\.o\.o\.|Kft\.?"
)
_FORM_BEFORE = r"SIA|UAB|OÜ|VšĮ|MB|Oy|AS|AB"
_PATENT_OFFICES = "EP|WO|US|PL|LV|EE|LT|FI|DE|DK|SE|NO|GB|FR|IT|ES|NL|BE|AT|CH|CZ|JP|CN|KR|CA|AU|RU|EA|PCT"

_PATTERNS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("is a mail address", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")),
    ("is a web link", re.compile(r"(?:https?://|www\.)[^\s<>\"“”]+[^\s<>\"“”.,;:!?)\]]", re.IGNORECASE)),
    (
        "is a web address",
        re.compile(rf"(?<![\w@.])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.)+(?:{_TLDS})(?![\w-])(?:/\S+)?"),
    ),
    (
        "is a phone number",
        re.compile(
            r"(?<![\w.,])(?:\+|00)[1-9](?:[ ()/.-]{0,2}\d){7,14}(?!\w)"
            r"|(?i:\b(?:tel|telefon|phone|fon|mobile|mob|puh|tlf|tālr|gsm)\b)[.:]{0,2} ?(?:\d[ ()/.-]{0,2}){6,14}(?!\w)"
        ),
    ),
    (
        "is a patent number",
        re.compile(
            rf"(?<!\w)(?:PCT/)?(?:{_PATENT_OFFICES})[ /-]?(?:\d[ .,/]?){{6,12}}\d?(?: ?[ABCUTY]\d?)?(?!\w)"
            r"|(?i:\b(?:patent\w*|patentti\w*)) ?(?:(?i:no|nr|number|numer|n°|nro|application|pat)\.?:? ?)*"
            r"[A-Z]{0,2}\.? ?(?:\d[ .,/]?){5,12}\d(?!\w)"
        ),
    ),
    (
        "names a company by its legal form",
        re.compile(
            rf"(?<!\w)(?:{_WORD} ){{1,4}}(?:{_FORM_AFTER})(?![\w-])"
            rf"|(?<![\w-])(?:{_FORM_BEFORE}) {_QUOTE}?[{_CAPITAL}][a-zà-ž][\w&-]*{_QUOTE}?"
        ),
    ),
    (
        "names a person",
        re.compile(rf"(?<!\w){_TITLE} (?:(?:Dr|Prof)\.? )?{_WORD}(?: {_WORD})?"),
    ),
)
# "Class AB amplifier", "Type AS" speak of things.
_NOT_A_COMPANY = re.compile(r"(?:^| )(?:Class|Type|Grade|Category|Model|Group|Series|Version|Level) \S+$")
# Functions, not names: "International Office" gives nobody away when the word stands alone.
_ROLE = re.compile(
    "office|desk|team|department|contact|manager|director|head|coordinator|secretary|sales|export|import|project"
    "|partnerships?|international|innovation|cooperation|research|development|business|general|managing|marketing"
    "|technology|support|service|unit|cent(?:re|er)|mailbox|biuro|dzial|dyrektor|kierownik"
)


def check(texts: Mapping[str, str], *, client: Client) -> list[Finding]:
    """Every place, by field in the given order, then by position; places that overlap are told once."""
    known = list(_known_patterns(client))
    found: list[Finding] = []
    for field, text in texts.items():
        if text:
            found += _distinct(sorted(_in_text(field, text, known), key=lambda one: (one.start, -one.end)))
    return found


def _distinct(findings: Sequence[Finding]) -> Iterator[Finding]:
    end = -1
    for finding in findings:
        if finding.start >= end:
            yield finding
            end = finding.end


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    reason: str
    folded: bool


def _in_text(field: str, text: str, known: Sequence[_Known]) -> Iterator[Finding]:
    folded, origin = fold_with_origin(text)
    for one in known:
        for match in one.pattern.finditer(folded if one.folded else text):
            start, end = match.span()
            if one.folded:
                start, end = origin[start], origin[end - 1] + 1
            yield Finding(field=field, start=start, end=end, text=text[start:end], reason=one.reason)
    for reason, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not _NOT_A_COMPANY.search(match[0]):
                yield Finding(field=field, start=match.start(), end=match.end(), text=match[0], reason=reason)


def _known_patterns(client: Client) -> Iterator[_Known]:
    for name in client.names:
        # "Forest 4.0 / Vytautas Magnus University (VMU)" gives three names.
        for part in dict.fromkeys([name, *re.split(r"\s+/\s+|[()]", name)]):
            if part.strip():
                yield from _name(part.strip(), reason="names the client")
    if client.domain:
        label = client.domain.rsplit(".", 2)[-2] if client.domain.count(".") else client.domain
        yield _words(tokens(client.domain), reason="names the client by its domain", inflected=False)
        if len(label) >= 5:
            yield from _name(label.replace("-", " "), reason="names the client by its domain")
    for person in client.people:
        yield from _person(person)
    for number in client.numbers:
        digits = re.sub(r"\D", "", number)
        if len(digits) >= 6:
            pattern = re.compile(r"(?<!\d)" + r"[ .-]?".join(digits) + r"(?!\d)")
            yield _Known(pattern, "is a registration number of the client", folded=False)


def _name(name: str, *, reason: str) -> Iterator[_Known]:
    words = name_key(name).split()
    if len(words) == 1 and len(words[0]) <= 4:
        # Short names are everyday words too ("Wood", "ICE"): they count as they are written only.
        yield _Known(re.compile(rf"(?<!\w){re.escape(name)}(?!\w)"), reason, folded=False)
    elif words:
        yield _words(words, reason=reason, inflected=True)


def _person(name: str) -> Iterator[_Known]:
    words = tokens(name)
    if len(words) < 2:
        return
    yield _words(words, reason="names a contact person", inflected=True)
    yield _words(words[::-1], reason="names a contact person", inflected=True)
    if not any(map(_ROLE.fullmatch, words)) and len(words) <= 3 and len(words[-1]) >= 4:
        surname = name.split()[-1]
        # As it is written: a surname may be a word of the language.
        yield _Known(re.compile(rf"(?<!\w){re.escape(surname)}\w{{0,3}}(?!\w)"), "names a contact person", folded=False)


def _words(words: Sequence[str], *, reason: str, inflected: bool) -> _Known:
    """Words in a row, whatever stands between them; the last may carry an ending, as in Polish and Finnish."""
    ending = r"[^\W_]{0,3}" if inflected else ""
    between = r"[\W_]{0,3}"
    return _Known(
        re.compile(rf"(?<![^\W_]){between.join(re.escape(word) for word in words)}{ending}(?![^\W_])"),
        reason,
        folded=True,
    )
