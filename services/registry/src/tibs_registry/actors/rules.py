"""The domain of organisations: when two records may be the same one. No I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from tibs_registry.words import fold, similarity, tokens

SIMILAR = 0.7
"""From here on two names are similar enough to ask: one wrong letter in ten, another order of words."""

# As they read when folded and taken apart into words.
_LEGAL_FORMS = (
    "spolka z ograniczona odpowiedzialnoscia|spolka akcyjna|sp z o o|sp j|sp k|spolka z o o|s p a|s r l|s r o|z s"
    "|gmbh|ag|kg|ug|e v|ev|mbh|oyj|oy|ab|abp|ry|a s|as|aps|ou|sia|uab|vsi|mb|ltd|limited|llc|llp|plc|inc|corp"
    "|s a|sa|spa|srl|s l|sl|slu|b v|bv|n v|nv|sarl|sas|eurl|ltda|lda|d o o|a d|kft|zrt|nyrt|stichting|asbl"
)
_FORM_AT_END = re.compile(rf"(?: (?:{_LEGAL_FORMS}))+$")
_FORM_AT_START = re.compile(rf"^(?:(?:{_LEGAL_FORMS}) )+")


class Likeness(StrEnum):
    """In what two records are alike."""

    REGISTRATION_NUMBER = "registration_number"
    VAT = "vat"
    DOMAIN = "domain"
    NAME = "name"

    @property
    def certain(self) -> bool:
        """A number belongs to one organisation; a name or a domain may be shared."""
        return self in (Likeness.REGISTRATION_NUMBER, Likeness.VAT)


# The statistical office writes EL for Greece and UK for the United Kingdom.
_NUTS_COUNTRY = {"GR": "EL", "GB": "UK"}


def wrong_nuts(*, nuts: str | None, version: str | None, country: str) -> tuple[str, str] | None:
    """The field that is wrong and why, if a NUTS code lacks the year of its list or lies in another country."""
    if nuts is None:
        return None
    if version is None:
        return "nuts_version", "should name the year of the list, such as 2024: codes change their meaning"
    prefix = _NUTS_COUNTRY.get(country, country)
    if not nuts.startswith(prefix):
        return "nuts", f"should begin with {prefix}, as all codes of the country do"
    return None


@dataclass(frozen=True)
class Identity:
    """What tells one organisation from another. Numbers are as their registers write them."""

    id: UUID
    name: str
    name_key: str
    country: str
    registration_number: str | None
    vat: str | None
    domain: str | None


@dataclass(frozen=True)
class Duplicate:
    """A record that may be the same organisation."""

    actor_id: UUID
    name: str
    alike_in: Likeness


def name_key(name: str) -> str:
    """The name as it is compared: `Ökotech Sp. z o.o.` and `OKOTECH` are the same."""
    words = " ".join(tokens(name))
    return _FORM_AT_START.sub("", _FORM_AT_END.sub("", words)) or words or fold(name)


def domain_of(website: str | None) -> str | None:
    """The host of a web address, without www."""
    host = urlsplit(website).hostname if website else None
    return host.removeprefix("www.") if host else None


def duplicates(new: Identity, known: Iterable[Identity]) -> list[Duplicate]:
    """The records that may be the same organisation, the surest first, each once."""
    found = [
        Duplicate(actor_id=other.id, name=other.name, alike_in=likeness)
        for other in known
        if other.id != new.id and (likeness := alike_in(new, other)) is not None
    ]
    order = list(Likeness)
    return sorted(found, key=lambda duplicate: order.index(duplicate.alike_in))


def alike_in(one: Identity, other: Identity) -> Likeness | None:
    """In what two records are alike; the surest, if in several ways."""
    if one.country == other.country and _same(one.registration_number, other.registration_number):
        return Likeness.REGISTRATION_NUMBER
    if _same(one.vat, other.vat):
        return Likeness.VAT
    if _same(one.domain, other.domain):
        return Likeness.DOMAIN
    if similarity(one.name_key, other.name_key) >= SIMILAR:
        return Likeness.NAME
    return None


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and one == other
