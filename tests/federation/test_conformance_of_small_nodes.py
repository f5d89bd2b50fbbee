"""The suite against nodes of another make, over a real Kafka: a sound one passes, each wrong one fails by its rule."""

import uuid
from pathlib import Path

import pytest
import yaml
from conformance.network import Network, NotReady, PeerKeys
from conformance.report import Verdict
from conformance.rules import RULES
from conformance.suite import Suite
from conformance.trials import Patience
from smallnode import MIB, Keys, SmallNode

from tibs_contracts.topics import TopicDeclaration, declared, pulled
from tibs_devstack.topics import declare_topics

pytestmark = pytest.mark.integration

WRONG = {
    "unsigned": ("signature", "it is not signed"),
    "signed by another region": ("signature", "it is signed with key"),
    "in another region's name": ("source", "has ce_source"),
    "disordered": ("order", "and stands after"),
    "a mail address": ("public", "holds an e-mail address or a telephone number in /description"),
    "too large": ("size", "not 1048576 at most"),
    "a topic of its own making": ("topics", "is not the name of a TIBS topic"),
    "says nothing": ("answer", "no 'received' came within 8 s for a request for"),
    "names no cause": ("cause", "'received' has the causation id None, and the request was"),
    "answers each time": ("twice", "it was answered 2 times"),
    "forgets an early withdrawal": ("early", "the node told 'received', 'acknowledged', not 'received' once"),
    "comes back": ("again", "the node told 'received', 'received', not 'received' once"),
    "stops at what is broken": ("flow", "for a good request behind a value that ends in the middle"),
    "believes what is unsigned": ("unsigned", "it was answered"),
    "believes what another key signed": ("foreign-key", "it was answered"),
    "believes what was changed": ("changed", "it was answered"),
    "believes an impostor": ("impostor", "it was answered"),
    "believes what was moved": ("moved", "it was answered"),
    "speaks of what nobody asked for": ("stranger", "which neither asked the other for"),
    "speaks for the other half": ("half", "tells 'consented', which is for"),
    "loses the thread": ("thread", "and the request had"),
    "discloses at once": ("consents", "discloses a contact before"),
    "seals for another key": ("sealed", "the receiving region's key does not open the contact"),
    "does not seal": ("sealed", "it is no compact JWE"),
    "never discloses": ("disclosure", "no contact came within 8 s after both consents"),
    "never completes": ("completion", "no 'completed' came within 8 s after both contacts"),
}
"""What a node does wrongly; the rule that it breaks, and what is said of it."""


class Two:
    """Two regions of one test: the node, and the peer that the suite plays."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.kafka = kafka
        self.node, self.peer = (f"{country}{uuid.uuid4().hex[:8]}" for country in ("fi", "lv"))
        self.keys = {region: Keys.make(region) for region in (self.node, self.peer)}
        content = {"regions": [{"code": code, "keys": keys.public()} for code, keys in self.keys.items()]}
        (folder / "regions.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        self.network = Network.load(folder / "regions.yaml")

    async def declare(self) -> None:
        """What the node writes, a topic that it should not have, and what its mirror fills from the peer."""
        topics = [*declared(self.node, [self.peer]), *pulled(self.node, self.peer)]
        large = {"max.message.bytes": str(4 * MIB)}
        await declare_topics(
            self.kafka,
            [
                TopicDeclaration(one.name, partitions=3, config={**one.config, **large})
                for one in topics
                if self.node in one.name and one.name.startswith("tibs.")
            ],
        )

    def implementation(self, defect: str = "") -> SmallNode:
        return SmallNode(
            self.kafka,
            region=self.node,
            peer=self.peer,
            keys=self.keys[self.node],
            other=self.keys[self.peer],
            network=self.network,
            defect=defect,
        )

    def suite(self, implementation: SmallNode | None, *, only_written: bool = False, waits: bool = False) -> Suite:
        """Patient on a busy machine, unless it waits for what does not come."""
        return Suite(
            kafka=self.kafka,
            region=self.node,
            peer=self.peer,
            network=self.network,
            keys=PeerKeys(self.keys[self.peer].signer, self.keys[self.peer].contacts),
            patience=Patience(answer=8.0 if waits else 60.0, silence=0.3),
            person=None if implementation is None else implementation.accept,
            only_written=only_written,
        )


@pytest.fixture
async def two(kafka: str, tmp_path: Path) -> Two:
    regions = Two(kafka, tmp_path)
    await regions.declare()
    return regions


async def test_a_sound_node_of_another_make_passes_every_rule(two: Two) -> None:
    async with two.implementation() as node:
        report = await two.suite(node).run()

    assert report.failed == {}
    assert {one.rule.id for one in report.findings if one.verdict is Verdict.PASSED} == {rule.id for rule in RULES}
    assert report.conforms


@pytest.mark.parametrize("defect", WRONG)
async def test_a_node_that_is_wrong_in_one_way_fails_by_one_rule(two: Two, defect: str) -> None:
    rule, sentence = WRONG[defect]
    if defect == "a topic of its own making":
        await declare_topics(two.kafka, [TopicDeclaration(f"tibs.{two.node}.gossip.v1")])

    async with two.implementation(defect) as node:
        report = await two.suite(node, waits="within 8 s" in sentence or rule == "flow").run()

    assert list(report.failed) == [rule], report.table()
    assert sentence in report.failed[rule]


async def test_what_needs_a_person_is_not_observed_without_one(two: Two) -> None:
    async with two.implementation():
        report = await two.suite(None).run()

    assert report.conforms
    unseen = {one.rule.id: one.sentence for one in report.findings if one.verdict is Verdict.NOT_OBSERVED}
    assert set(unseen) == {"consents", "sealed", "disclosure", "completion"}
    assert unseen["disclosure"] == "nobody at the node was asked to accept an introduction"


async def test_a_look_at_what_was_written_sends_nothing(two: Two) -> None:
    async with two.implementation() as node:
        report = await two.suite(node, only_written=True).run()

    assert report.conforms
    assert report.by_id["answer"].verdict is Verdict.NOT_OBSERVED
    assert report.by_id["stranger"].verdict is Verdict.NOT_OBSERVED


async def test_a_topic_that_is_missing_is_named(kafka: str, tmp_path: Path) -> None:
    regions = Two(kafka, tmp_path)
    with pytest.raises(NotReady, match=rf"has no topic tibs\.{regions.node}\.…"):
        await regions.suite(None).run()
    await declare_topics(kafka, declared(regions.node, []))
    with pytest.raises(
        NotReady, match=rf"has no topic tibs\.{regions.peer}\.to\.{regions.node}\.cases\.v1: declare it"
    ):
        await regions.suite(None).run()
