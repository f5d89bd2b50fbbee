"""What in a text could tell who the client is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_registry.profiles.anonymity import Client, Finding, check

CLIENT = Client(
    names=["Okoń-Tech Sp. z o.o.", "Forest 4.0 / Vytautas Magnus University (VMU)"],
    domain="okon-tech.example",
    people=["Anna Zielińska", "Partnership desk"],
    numbers=["5260250274", "PL5260250274"],
)


def found(text: str, client: Client = CLIENT) -> list[tuple[str, str]]:
    return [(finding.text, finding.reason) for finding in check({"summary": text}, client=client)]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("The yard OKON TECH builds hulls.", "OKON TECH"),
        ("The yard Okoń-Techem builds hulls.", "Okoń-Techem"),
        ("Work with okoń tech.", "okoń tech"),
        ("As Vytautas Magnus University knows", "Vytautas Magnus University"),
        ("the team of VMU", "VMU"),
        ("ask Anna Zielińska", "Anna Zielińska"),
        ("ask Zielinska Anna", "Zielinska Anna"),
        ("ask Ms Zielińską", "Ms Zielińską"),
        ("see okontech today", "okontech"),
        ("NIP 526-025-02-74", "526-025-02-74"),
        ("write to the Partnership Desk", "Partnership Desk"),
    ],
)
def test_what_is_known_of_the_client_is_found(text: str, held: str) -> None:
    assert held in [place for place, _ in found(text)]


@pytest.mark.parametrize(
    ("text", "held", "reason"),
    [
        ("mail office@firm.example now", "office@firm.example", "is a mail address"),
        ("see https://firm.example/a?b=1.", "https://firm.example/a?b=1", "is a web link"),
        ("see www.firm.pl, thanks", "www.firm.pl", "is a web link"),
        ("see firm.fi/products", "firm.fi/products", "is a web address"),
        ("call +358 5 123 4567 now", "+358 5 123 4567", "is a phone number"),
        ("call 0048851234567", "0048851234567", "is a phone number"),
        ("Tel. 85 123 45 67", "Tel. 85 123 45 67", "is a phone number"),
        ("under EP 1 234 567 B1 it is", "EP 1 234 567 B1", "is a patent number"),
        ("see WO2019/123456", "WO2019/123456", "is a patent number"),
        ("see PL 234567", "PL 234567", "is a patent number"),
        ("PCT/EP2019/061234", "PCT/EP2019/061234", "is a patent number"),
        ("patent no. 1234567", "patent no. 1234567", "is a patent number"),
        ("made by Nordic Flax Oy in spring", "Nordic Flax Oy", "names a company by its legal form"),
        ("made by UAB Litek", "UAB Litek", "names a company by its legal form"),
        ("made by Müller Boote GmbH.", "Müller Boote GmbH", "names a company by its legal form"),
        ("made by Nowak Sp. z o.o. here", "Nowak Sp. z o.o.", "names a company by its legal form"),
        ("led by Dr. Virtanen", "Dr. Virtanen", "names a person"),
    ],
)
def test_what_gives_anybody_away_is_found(text: str, held: str, reason: str) -> None:
    assert (held, reason) in found(text, Client())


@pytest.mark.parametrize(
    "text",
    [
        "Sixty hulls a year from 20,000 kg of flax, 2019-2024, at 37.5 % less weight.",
        "ISO 9001:2015, EN 13501-1, TRL 6, CO2, Horizon Europe, version 4.0, node 18.",
        "A Class AB amplifier, i.e. a small one, e.g. for boats.",
        "From EUR 1 500 000 to PLN 2 000 000 in 2027.",
        "Patents were granted in 2019; the company has 250 staff in PL and FI.",
        "The forest around the desk of a university.",
        "We seek partners in Sweden. As a rule, SIA and UAB are legal forms.",
        "Contact the office, the international department or the sales desk.",
    ],
)
def test_ordinary_sentences_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_short_name_counts_as_it_is_written() -> None:
    wood = Client(names=["Wood"])
    assert found("Made of wood.", wood) == []
    assert found("Made by Wood.", wood) == [("Wood", "names the client")]


def test_a_place_is_told_once_with_its_field_and_position() -> None:
    texts = {"title": "Nothing", "summary": "Ask OKOŃ-TECH at info@okon-tech.example."}
    assert check(texts, client=CLIENT) == [
        Finding(field="summary", start=4, end=13, text="OKOŃ-TECH", reason="names the client"),
        Finding(field="summary", start=17, end=39, text="info@okon-tech.example", reason="is a mail address"),
    ]


@given(st.text(max_size=200))
def test_findings_lie_in_the_text_in_order_and_do_not_overlap(text: str) -> None:
    end = 0
    for finding in check({"summary": text}, client=CLIENT):
        assert end <= finding.start < finding.end <= len(text)
        assert text[finding.start : finding.end] == finding.text
        end = finding.end


@pytest.mark.parametrize("piece", ["a", "A", "a-", "A ", "1 ", "+1", "a.", "Aa ", "EP1", "tel ", "@", "www."])
def test_no_text_keeps_the_check_busy(piece: str) -> None:
    text = (piece * 4000)[:4000]
    started = time.process_time()
    check({"description": text}, client=CLIENT)
    # Not a measurement: a pattern that backtracks without bound takes minutes here.
    assert time.process_time() - started < 5
