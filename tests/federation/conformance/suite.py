"""The whole run: the trials first, then a look at all that was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from pydantic import ValidationError

from conformance import protocol, rules, written
from conformance.network import Network, PeerKeys
from conformance.peer import Peer, Profile
from conformance.protocol import Pair
from conformance.records import Record, readable
from conformance.report import Finding, Judgement, Report, finding
from conformance.rules import Rule
from conformance.trials import Patience, Person, Trials
from conformance.wire import Wire
from tibs_contracts.events import ProfilePublished
from tibs_contracts.topics import Channel, Topic, topic_name


@dataclass(frozen=True)
class Suite:
    """Holds the node of `region` to the rules; plays `peer`. NotReady if something is missing for that."""

    kafka: str
    region: str
    peer: str
    network: Network
    keys: PeerKeys
    patience: Patience = field(default_factory=Patience)
    person: Person | None = None
    only_written: bool = False
    """Looks at what lies there and sends nothing."""
    options: Mapping[str, Any] = field(default_factory=dict)

    async def run(self) -> Report:
        self.network.require(self.region)
        self.network.require(self.peer)
        async with Wire(self.kafka, region=self.region, options=self.options) as wire:
            await wire.read_all()
            judged: dict[Rule, list[Judgement]] = {}
            unseen: dict[Rule, str] = dict.fromkeys(rules.TRIED, "only what was written was looked at")
            if not self.only_written:
                judged, unseen = await self._try(wire)
                await wire.read_all()
            return judge(
                wire.records,
                region=self.region,
                peer=self.peer,
                network=self.network,
                keys=self.keys,
                topics=wire.written,
                judged=judged,
                unseen=unseen,
                tried=not self.only_written,
            )

    async def _try(self, wire: Wire) -> tuple[dict[Rule, list[Judgement]], dict[Rule, str]]:
        partitions = wire.partitions(topic_name(Channel.CASES, self.peer, to=self.region))
        for channel in (Channel.CASES, Channel.CONTACTS):
            wire.partitions(topic_name(channel, self.region, to=self.peer))
        wire.partitions(topic_name(Channel.CONTACTS, self.peer, to=self.region))
        profile = open_profile(wire.records, region=self.region, today=datetime.now(UTC).date())
        if profile is None:
            return {}, dict.fromkeys(rules.TRIED, "the node has published no profile that is open for interest")
        peer = Peer(
            code=self.peer,
            region=self.region,
            signer=self.keys.signer,
            node_key=next(iter(self.network.contacts[self.region]), None),
            profile=profile,
            partitions=partitions,
        )
        trials = Trials(wire, peer, self.patience, self.person)
        await trials.run()
        return trials.judged, trials.unseen


def judge(
    records: Sequence[Record],
    *,
    region: str,
    peer: str,
    network: Network,
    keys: PeerKeys | None = None,
    topics: frozenset[str] | None = None,
    judged: Mapping[Rule, Sequence[Judgement]] | None = None,
    unseen: Mapping[Rule, str] | None = None,
    tried: bool = True,
) -> Report:
    """Of what lies on the topics of a node, and what was judged of it before. Pure."""
    of_ours = [one for one in records if _is_topic(one.topic)]
    mine = [one for one in of_ours if one.about.region == region]
    found: dict[Rule, list[Judgement]] = {rule: list((judged or {}).get(rule, ())) for rule in rules.RULES}
    names = {one.topic for one in records if one.topic.startswith(f"tibs.{region}.")} if topics is None else topics
    found[rules.TOPICS] += written.topics(names, region=region, network=network)
    for rule, looks in written.BY_RULE.items():
        found[rule] += looks(mine, network)
    for other in sorted(network.regions - {region}):
        opener = keys.contacts if keys is not None and other == peer else None
        pair = Pair.of(of_ours, region=region, peer=other, opener=opener)
        for one, look in protocol.BY_RULE.items():
            found[one] += look(pair, network)
    findings: list[Finding] = [finding(rule, found[rule], unseen=(unseen or {}).get(rule, "")) for rule in rules.RULES]
    return Report(region=region, peer=peer, records=len(mine), findings=findings, tried=tried)


def _is_topic(name: str) -> bool:
    try:
        Topic.parse(name)
    except ValueError:
        return False
    return True


def open_profile(records: Sequence[Record], *, region: str, today: date) -> Profile | None:
    """One of those that the node has published and anybody may ask for: the one with the lowest id."""
    registry = topic_name(Channel.REGISTRY, region)
    latest: dict[str, Record] = {}
    for record, envelope in readable(records):
        if record.topic == registry and envelope.aggregate == "profile":
            latest[envelope.subject] = record
    for _, record in sorted(latest.items()):
        if record.envelope is None or record.envelope.type != ProfilePublished.type:
            continue
        try:
            held = ProfilePublished.read(record.value or b"")
        except ValidationError:
            continue
        if held.open_for_interest and held.valid_until > today:
            return Profile(held.profile_id, held.reference)
    return None
