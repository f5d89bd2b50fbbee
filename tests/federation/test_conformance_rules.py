"""The rules of the conformance suite, on records that no Kafka has seen."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from conformance.__main__ import main
from conformance.network import Network, NotReady, PeerKeys
from conformance.protocol import wrongly_sealed
from conformance.records import Record
from conformance.report import Report, Verdict, finding
from conformance.rules import ANSWER, RULES, TRIED, WRITTEN, table
from conformance.suite import judge
from joserfc import jwe
from smallnode import Keys, Pen, Sheet, good, numbered, wrong

from tibs_contracts.codes import ActorKind, ConsentMethod, DeclineReason
from tibs_contracts.events import (
    AnonymousClient,
    Consent,
    ContactsDisclosed,
    Event,
    IntroductionAccepted,
    IntroductionConsented,
    IntroductionDeclined,
    IntroductionRequested,
    Need,
)
from tibs_contracts.ids import new_id

DOCS = Path(__file__).parents[2] / "docs" / "integrate"
NODE, PEER = "fi1c", "lv008"

WRITTEN_WRONG = {
    "unsigned": ("signature", "it is not signed, and region 'fi1c' signs all that others read"),
    "signed by another region": ("signature", "it is signed with key 'lv008-1', none of region 'fi1c'"),
    "signed for another topic": ("signature", "it was signed for topic 'tibs.fi1c.catalogue.v1' and moved to"),
    "changed after it was signed": ("signature", "its signature does not fit what it holds"),
    "in another region's name": ("source", "has ce_source '/regions/lv008/small' on a topic of 'fi1c'"),
    "disordered": ("order", "has ce_sequence 1 and stands after"),
    "a number used twice": ("order", "has ce_sequence 1, as has"),
    "a mail address": ("public", "holds an e-mail address or a telephone number in /description"),
    "a telephone number": ("public", "holds an e-mail address or a telephone number in /description"),
    "a topic of its own making": ("topics", "'tibs.fi1c.gossip.v1' is not the name of a TIBS topic"),
    "the wrong channel": ("channel", "is a eu.tibs.profile.published.v1, which belongs on the registry channel"),
    "too large": ("size", "not 1048576 at most"),
    "an id that is no UUIDv7": ("envelope", "which is not a UUIDv7"),
    "a local time": ("envelope", "which is not in UTC"),
    "no sequence": ("envelope", "header ce_sequence held '0', not a whole number from 1"),
    "another key": ("subject", "has the key b'hulls'"),
    "data of something else": ("subject", "and its data speak of"),
    "data that do not fit": ("schema", "do not fit at /: required"),
    "data that are none": ("schema", "is no JSON"),
    "an id used twice": ("identity", "and is another event"),
    "a key in two partitions": ("partition", "have one key"),
    "forgotten without being withdrawn": ("tombstone", "its subject was published before, not withdrawn"),
}
"""What a node can write wrongly; the rule that it breaks, and what is said of it."""


def b64(*pairs: str) -> str:
    """The header of a JWE with these names and values."""
    header = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def keys() -> dict[str, Keys]:
    return {region: Keys.make(region) for region in (NODE, PEER)}


@pytest.fixture
def regions_file(keys: dict[str, Keys], tmp_path: Path) -> Path:
    content = {"regions": [{"code": region, "keys": held.public()} for region, held in keys.items()]}
    file = tmp_path / "regions.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


@pytest.fixture
def network(regions_file: Path) -> Network:
    return Network.load(regions_file)


def judged(sheets: Sequence[Sheet], network: Network) -> Report:
    records = [
        Record(sheet.topic, partition, offset, sheet.key, sheet.value, sheet.headers)
        for sheet, partition, offset in numbered(sheets)
    ]
    return judge(records, region=NODE, peer=PEER, network=network, tried=False)


def test_what_a_sound_node_has_written_breaks_no_rule(keys: dict[str, Keys], network: Network) -> None:
    report = judged(good(Pen(NODE, keys[NODE].signer)), network)

    assert report.failed == {}
    assert report.conforms
    seen = {one.rule.id for one in report.findings if one.verdict is Verdict.PASSED}
    assert seen == {rule for rule, _ in WRITTEN_WRONG.values()}


@pytest.mark.parametrize("defect", WRITTEN_WRONG)
def test_what_is_written_wrongly_breaks_one_rule_which_says_so(
    defect: str, keys: dict[str, Keys], network: Network
) -> None:
    pen, other = (Pen(region, keys[region].signer) for region in (NODE, PEER))
    rule, sentence = WRITTEN_WRONG[defect]

    report = judged([*good(pen), *wrong(defect, pen, other=other)], network)

    assert list(report.failed) == [rule]
    assert sentence in report.failed[rule]
    assert report.conforms is False


def between(keys: dict[str, Keys], facts: Sequence[tuple[str, str]]) -> list[Sheet]:
    """The peer asks the node for an introduction; then, one after another, who tells what."""
    pens = {region: Pen(region, held.signer) for region, held in keys.items()}
    introduction, correlation, now = new_id(), new_id(), datetime.now(UTC)
    yes = Consent(given_at=now, method=ConsentMethod.PHONE, text_version="1")
    events: dict[str, Event] = {
        "requested": IntroductionRequested(
            introduction_id=introduction,
            case_id=new_id(),
            profile_id=new_id(),
            profile_reference="BOFI1",
            need=Need(title="T", summary="S", language="en", client=AnonymousClient(country="LV", kind=ActorKind.SME)),
            message="M",
            desk="D",
            requested_at=now,
        ),
        "accepted": IntroductionAccepted(introduction_id=introduction, consent=yes, accepted_at=now),
        "consented": IntroductionConsented(introduction_id=introduction, consent=yes),
        "declined": IntroductionDeclined(introduction_id=introduction, reason=DeclineReason.CAPACITY, declined_at=now),
        "disclosed": ContactsDisclosed(
            introduction_id=introduction, sealed=sealed(keys[PEER]), purpose="introduction", disclosed_at=now
        ),
    }
    return [
        pens[region].sheet(
            events[fact],
            subject=introduction,
            sequence=number,
            to=NODE if region == PEER else PEER,
            correlation=correlation,
        )
        for number, (region, fact) in enumerate([(PEER, "requested"), *facts], start=1)
    ]


def sealed(keys: Keys) -> str:
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": keys.contacts.kid}
    return jwe.encrypt_compact(header, b"{}", keys.contacts, algorithms=["ECDH-ES+A256KW", "A256GCM"])


HERE_YES, THERE_YES, DISCLOSED = (NODE, "accepted"), (PEER, "consented"), (NODE, "disclosed")


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ([THERE_YES, DISCLOSED], "and fi1c had not told 'accepted' before"),
        ([THERE_YES, DISCLOSED, HERE_YES], "and fi1c had not told 'accepted' before"),
        ([HERE_YES, DISCLOSED], "and lv008 never told 'consented'"),
        ([HERE_YES, THERE_YES, (NODE, "declined"), DISCLOSED], "after fi1c told 'declined'"),
    ],
)
def test_a_contact_that_leaves_without_both_consents_is_seen(
    keys: dict[str, Keys], network: Network, facts: list[tuple[str, str]], sentence: str
) -> None:
    report = judged(between(keys, facts), network)
    assert list(report.failed) == ["consents"]
    assert sentence in report.failed["consents"]


def test_a_contact_that_leaves_after_both_consents_is_right(keys: dict[str, Keys], network: Network) -> None:
    report = judged(between(keys, [HERE_YES, THERE_YES, DISCLOSED]), network)
    assert report.failed == {}
    assert report.by_id["consents"].verdict is report.by_id["sealed"].verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        ("Jan Kowalski", "it is no compact JWE"),
        ("e30.a.b.c.d", "without alg, enc and kid"),
        (f"{b64('alg', 'dir', 'enc', 'A256GCM', 'kid', 'x')}.a.b.c.d", "sealed by 'dir' and 'A256GCM'"),
        (
            f"{b64('alg', 'ECDH-ES+A256KW', 'enc', 'A256GCM', 'kid', 'x')}.a.b.c.d",
            "sealed for key 'x', none of the receiving region's (contacts-lv008)",
        ),
    ],
)
def test_a_contact_that_is_not_sealed_for_its_receiver_is_seen(network: Network, held: str, sentence: str) -> None:
    wrong_how = wrongly_sealed(held, keys=network.contacts[PEER], opener=None)
    assert wrong_how is not None
    assert sentence in wrong_how
    assert "Kowalski" not in wrong_how


def test_the_opened_contact_must_be_one(keys: dict[str, Keys], network: Network) -> None:
    opened = wrongly_sealed(sealed(keys[PEER]), keys=network.contacts[PEER], opener=keys[PEER].contacts)
    assert opened == "the opened contact does not fit at /organisation"


def test_a_sentence_never_shows_whose_address_it_found(keys: dict[str, Keys], network: Network) -> None:
    pen = Pen(NODE, keys[NODE].signer)
    report = judged(wrong("a mail address", pen, other=pen), network)
    assert "kowalski" not in report.table() + report.json()


def test_too_little_was_seen_of_a_node_that_wrote_nothing_or_answered_nothing(
    keys: dict[str, Keys], network: Network
) -> None:
    silent = judged([], network)
    assert {one.verdict for one in silent.findings} == {Verdict.NOT_OBSERVED}
    assert silent.conforms is None
    assert silent.table().endswith("too little was seen: 0 passed, 0 failed, 31 not observed")
    written = judged(good(Pen(NODE, keys[NODE].signer)), network)
    assert replace(written, tried=True).conforms is None


def test_a_rule_fails_by_the_first_thing_that_is_wrong_and_counts_the_others() -> None:
    assert finding(ANSWER, [None, "one is wrong", None, "two is wrong"]).sentence == "one is wrong (and 1 more)"
    assert finding(ANSWER, [], unseen="nobody asked").sentence == "nobody asked"


def test_the_suite_needs_a_region_of_the_network_and_its_keys(
    keys: dict[str, Keys], network: Network, tmp_path: Path
) -> None:
    with pytest.raises(NotReady, match="'xx' is not a region of the network: fi1c, lv008"):
        network.require("xx")
    with pytest.raises(NotReady, match="should hold"):
        PeerKeys.load(tmp_path, region=PEER, network=network)
    with pytest.raises(NotReady, match="cannot be read"):
        Network.load(tmp_path / "none.yaml")


def test_the_command_says_what_is_missing_and_lists_the_rules(
    regions_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--kafka", "127.0.0.1:1", "--region", NODE, "--peer", PEER, "--regions-file", str(regions_file)]
    assert main([*given, "--peer-keys", str(tmp_path)]) == 2
    assert "should hold signing.jwk and contacts.jwk" in capsys.readouterr().err
    assert main(["--rules"]) == 0
    assert table(TRIED) in capsys.readouterr().out


def test_every_rule_has_an_id_of_its_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_the_documentation_lists_the_rules_as_they_are() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    assert table(WRITTEN) in page
    assert table(TRIED) in page
    assert "](conformance.md)" in (DOCS / "README.md").read_text(encoding="utf-8")


def test_every_section_that_a_rule_names_is_there() -> None:
    for rule in RULES:
        file, _, heading = rule.section.partition("#")
        page = (DOCS / (file or "conformance.md")).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", line.lstrip("#").strip()).lower().replace(" ", "-")
            for line in page.splitlines()
            if line.startswith("#")
        }
        assert not heading or heading in headings, rule
