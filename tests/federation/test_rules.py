"""The rules of the conformance suite, on records that no Kafka has seen."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from conformance.network import Network, NotReady, PeerKeys
from conformance.records import Record
from conformance.report import Report, Verdict, finding
from conformance.rules import ANSWER, RULES, TRIED, WRITTEN, table
from conformance.suite import judge
from smallnode import Keys, Pen, Sheet, good, numbered, wrong

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
    return judge(records, region=NODE, peer=PEER, network=network)


def test_what_a_sound_node_has_written_breaks_no_rule(keys: dict[str, Keys], network: Network) -> None:
    report = judged(good(Pen(NODE, keys[NODE].signer)), network)

    assert report.failed == {}
    assert report.passed
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
    assert not report.passed


def test_a_sentence_never_shows_whose_address_it_found(keys: dict[str, Keys], network: Network) -> None:
    pen = Pen(NODE, keys[NODE].signer)
    report = judged(wrong("a mail address", pen, other=pen), network)
    assert "kowalski" not in report.table() + report.json()


def test_a_node_that_wrote_nothing_conforms_to_nothing(network: Network) -> None:
    report = judged([], network)
    assert {one.verdict for one in report.findings} == {Verdict.NOT_OBSERVED}
    assert not report.passed


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
