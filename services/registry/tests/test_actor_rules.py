"""Which numbers are valid, and which records may be the same organisation."""

from uuid import UUID

import pytest

from tibs_contracts.ids import new_id
from tibs_registry.actors.numbers import registration_number, vat_number
from tibs_registry.actors.rules import Identity, Likeness, domain_of, duplicates, name_key
from tibs_registry.words import fold, fold_with_origin, text_query


@pytest.mark.parametrize(
    ("country", "number", "kept"),
    [
        ("FI", "2077474-0", "20774740"),
        ("PL", "0000 123 456", "0000123456"),
        ("LV", "40003521600", "40003521600"),
        ("EE", "12345678", "12345678"),
        ("LT", "302296711", "302296711"),
        ("DK", "13585628", "13585628"),
        ("DE", "HRB 11223, Hamburg", "HRB 11223 Hamburg"),
        ("SE", "123456-7897", "1234567897"),
        ("IS", "  5501 052 ", "5501 052"),
    ],
)
def test_a_registration_number_is_kept_as_its_register_writes_it(country: str, number: str, kept: str) -> None:
    assert registration_number(number, country=country) == kept


@pytest.mark.parametrize(
    ("country", "number", "why"),
    [
        ("FI", "2077474-1", "is not a Finnish business id (Y-tunnus): its check digit is wrong"),
        ("PL", "5260250275", "is not a Polish KRS, REGON or NIP number"),
        ("LV", "161175-19997", "is not a Latvian registration number: a part of it cannot be"),
        ("EE", "1234", "it has too few or too many digits; one looks like 12345678"),
        ("DE", "HRB 11223", "with its court"),
        ("IS", "?", "should be a registration number"),
    ],
)
def test_a_wrong_number_is_explained(country: str, number: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        registration_number(number, country=country)
    assert why in str(raised.value)


def test_a_vat_number_belongs_to_its_country() -> None:
    assert vat_number("20774740", country="FI") == "FI20774740"
    assert vat_number("el 094259216", country="GR") == "EL094259216"
    with pytest.raises(ValueError, match="is not a VAT number of that country"):
        vat_number("PL8567346215", country="FI")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Ökotech Sp. z o.o.", "okotech"),
        ("UAB „Litek“", "litek"),
        ("Green Transformation AS", "green transformation"),
        ("Castellari S.r.l.", "castellari"),
        ("Øresund Boats A/S", "oresund boats"),
        ("AS", "as"),
    ],
)
def test_names_are_compared_without_accents_and_legal_form(name: str, key: str) -> None:
    assert name_key(name) == key


def an_actor(name: str, *, vat: str | None = None, domain: str | None = None, number: str | None = None) -> Identity:
    return Identity(
        id=new_id(),
        name=name,
        name_key=name_key(name),
        country="PL",
        registration_number=number,
        vat=vat,
        domain=domain,
    )


def test_duplicates_are_told_the_surest_first() -> None:
    known = [
        an_actor("Suprasl Hull"),
        an_actor("Something else", domain="hulls.example"),
        an_actor("Quite different", number="0000123456"),
        an_actor("Port of Riga"),
    ]
    new = an_actor("Supraśl Hulls", domain="hulls.example", number="0000123456")
    found = duplicates(new, known)
    assert [one.alike_in for one in found] == [Likeness.REGISTRATION_NUMBER, Likeness.DOMAIN, Likeness.NAME]
    assert [one.alike_in.certain for one in found] == [True, False, False]


def test_a_record_is_no_duplicate_of_itself() -> None:
    actor = an_actor("Suprasl Hulls")
    assert duplicates(actor, [actor]) == []
    assert isinstance(actor.id, UUID)


@pytest.mark.parametrize(("one", "other"), [("Port of Hamburg", "Port of Riga"), ("Water Alliance", "Wood Alliance")])
def test_names_that_share_a_word_are_different(one: str, other: str) -> None:
    assert duplicates(an_actor(one), [an_actor(other)]) == []


def test_a_domain_is_the_host_without_www() -> None:
    assert domain_of("https://www.Hulls.example/en") == "hulls.example"
    assert domain_of(None) is None


def test_folding_remembers_where_letters_came_from() -> None:
    folded, origin = fold_with_origin("Łódź ﬁne")
    assert folded == fold("Łódź ﬁne") == "lodz fine"
    assert origin == [0, 1, 2, 3, 4, 5, 5, 6, 7]


def test_a_search_finds_beginnings_of_every_word_and_holds_no_syntax() -> None:
    assert text_query("Łódź & (hulls | !x):*") == "lodz:* & hulls:* & x:*"
    assert text_query("!?") is None
