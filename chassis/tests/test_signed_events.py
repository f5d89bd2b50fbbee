"""Only what a region signed, about what is its own, has an effect; all else lies in quarantine until it is replayed."""

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from joserfc.jwk import OKPKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import deadletters, keys, metrics, tables
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, PermanentError, Received, Untrusted, handles
from tibs_chassis.kafka import ConsumerHost
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions, RegionsError
from tibs_chassis.relay import Relay
from tibs_chassis.replay import replay
from tibs_chassis.standings import Standings, StandingsError
from tibs_chassis.testing import (
    NodeFiles,
    TestRecord,
    assert_migrated,
    eventually,
    make_node_files,
    record_of,
    take_all,
)
from tibs_chassis.trust import Trust, load_signer
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import NoticeRaised, ProfileMoved, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.signatures import HEADER, SignatureError, Signer
from tibs_contracts.topics import Channel, Topic, TopicSelection, every_region, topic_name

REGIONS_FILE = Path(__file__).parents[2] / "deploy" / "regions.yaml"


def make_signer(kid: str) -> Signer:
    return Signer(OKPKey.generate_key("Ed25519", parameters={"kid": kid}).as_dict(private=True))


@pytest.fixture
def files(tmp_path: Path) -> NodeFiles:
    return make_node_files(tmp_path, regions_file=REGIONS_FILE)


@pytest.fixture
def network(files: NodeFiles) -> Regions:
    return Regions.load(files.regions)


@pytest.fixture
def signers(files: NodeFiles, network: Regions) -> dict[str, Signer]:
    """Of every region."""
    folder = files.regions.parent
    return {region.code: load_signer(folder / f"signing-{region.code}.json", region=region) for region in network}


@pytest.fixture
def standings_file(tmp_path: Path) -> Path:
    return tmp_path / "standings.yaml"


@pytest.fixture
def trust(network: Regions, standings_file: Path) -> Trust:
    """The judgement of Podlaskie."""
    return Trust(
        region="pl84",
        regions=network,
        standings=Standings(region="pl84", regions=network, file=standings_file),
    )


def block(file: Path, region: str, reason: str = "its key was stolen") -> None:
    entry = {"region": region, "state": "blocked", "since": date(2026, 11, 1), "reason": reason}
    file.write_text(yaml.safe_dump([entry]))


def let_in_again(file: Path) -> None:
    file.unlink()


def change_regions(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    change({entry["code"]: entry for entry in content["regions"]})
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def profile(
    sequence: int = 1, *, id: UUID | None = None, region: str = "fi1c", signer: Signer | None = None
) -> TestRecord:
    event = published(id, title=f"Version {sequence} of {region}")
    return record_of(
        event, region=region, service="registry", subject=event.profile_id, sequence=sequence, signer=signer
    )


def check(trust: Trust, record: TestRecord) -> None:
    trust.check(record, topic=Topic.parse(record.topic), envelope=Envelope.from_headers(record.headers))


# -- judging ---------------------------------------------------------------------------------------------------------


def test_what_its_region_signed_is_believed(trust: Trust, signers: dict[str, Signer]) -> None:
    for region in ("pl84", "fi1c", "dk03"):
        check(trust, profile(region=region, signer=signers[region]))


def test_what_services_of_a_node_tell_each_other_needs_no_signature(trust: Trust) -> None:
    notice = NoticeRaised(notice_id=new_id(), person="broker", kind="promise", raised_at=datetime.now(UTC))
    check(trust, record_of(notice, region="pl84", service="notify", subject=notice.notice_id, sequence=1))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r, s: profile(), "it is not signed"),
        (lambda r, s: profile(signer=s["dk03"]), "with key 'dk03-1', none of region 'fi1c'"),
        (lambda r, s: profile(signer=make_signer("fi1c-1")), "region 'fi1c' did not sign it"),
        (lambda r, s: dataclasses.replace(r, value=(r.value or b"") + b" "), "does not fit what it holds"),
        (lambda r, s: dataclasses.replace(r, topic="tibs.fi1c.catalogue.v1"), "moved to tibs.fi1c.catalogue.v1"),
        (lambda r, s: dataclasses.replace(r, key=b"other"), "key is not its ce_subject"),
        (lambda r, s: profile(region="se11", signer=s["fi1c"]), "'se11' is not in this node's list of regions"),
    ],
)
def test_what_its_region_did_not_sign_is_not(
    trust: Trust,
    signers: dict[str, Signer],
    change: Callable[[TestRecord, dict[str, Signer]], TestRecord],
    sentence: str,
) -> None:
    with pytest.raises(Untrusted, match=sentence):
        check(trust, change(profile(signer=signers["fi1c"]), signers))


def test_a_blocked_region_is_not_believed_until_it_is_let_in_again(
    trust: Trust, signers: dict[str, Signer], standings_file: Path
) -> None:
    record = profile(region="dk03", signer=signers["dk03"])
    check(trust, record)
    block(standings_file, "dk03")
    with pytest.raises(Untrusted, match="pl84 blocks dk03 since 2026-11-01: its key was stolen"):
        check(trust, record)
    check(trust, profile(signer=signers["fi1c"]))
    standings_file.unlink()
    check(trust, record)


def test_a_wrong_list_of_blocked_regions_unblocks_nobody(
    trust: Trust, signers: dict[str, Signer], standings_file: Path
) -> None:
    block(standings_file, "dk03")
    record = profile(region="dk03", signer=signers["dk03"])
    with pytest.raises(Untrusted):
        check(trust, record)
    standings_file.write_text("- region: [")
    with pytest.raises(Untrusted, match="pl84 blocks dk03"):
        check(trust, record)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("dk03", "should hold a list of regions"),
        ("- region: [", "cannot be read"),
        ("- dk03", "entry 1"),
        ("- {region: dk03, state: blocked, since: 2026-11-01}", "reason"),
        ("- {region: dk03, state: paused, since: 2026-11-01, reason: x}", "state held 'paused'"),
        ("- {region: dk3, state: blocked, since: 2026-11-01, reason: x}", "'dk3' is not a region of the network: pl84"),
        ("- {region: pl84, state: blocked, since: 2026-11-01, reason: x}", "'pl84' cannot block itself"),
        ("[&a {region: lt, state: blocked, since: 2026-11-01, reason: x}, *a]", "region 'lt' stands twice"),
    ],
)
def test_a_wrong_list_of_blocked_regions_is_refused_at_the_start(
    network: Regions, standings_file: Path, content: str, sentence: str
) -> None:
    standings_file.write_text(content)
    with pytest.raises(StandingsError, match=sentence):
        Standings(region="pl84", regions=network, file=standings_file)


# -- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_is_changed_without_a_restart_and_without_a_gap(
    trust: Trust, files: NodeFiles, signers: dict[str, Signer]
) -> None:
    old, new = signers["fi1c"], make_signer("fi1c-2")
    before = profile(signer=old)
    with pytest.raises(Untrusted, match="with key 'fi1c-2', none of region 'fi1c'"):
        check(trust, profile(signer=new))

    change_regions(files.regions, lambda entries: entries["fi1c"]["keys"]["signing"].append(new.public))
    for record in (profile(signer=old), profile(signer=new), before):
        check(trust, record)

    ended = datetime.now(UTC)
    change_regions(files.regions, lambda entries: entries["fi1c"]["keys"]["signing"][0].update(until=ended))
    check(trust, before)
    check(trust, profile(signer=new))
    with pytest.raises(Untrusted, match="key 'fi1c-1' of region 'fi1c' was valid until"):
        check(trust, profile(signer=old))


def test_a_region_that_joins_is_known_without_a_restart(network: Regions, files: NodeFiles) -> None:
    content = yaml.safe_load(files.regions.read_text(encoding="utf-8"))
    content["regions"].append({**content["regions"][0], "code": "se11", "keys": {}})
    assert "se11" not in network
    files.regions.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert "se11" in network
    assert network["se11"].keys.signing == []


@pytest.mark.parametrize("content", ["regions: [5]", "regions: []", "a: ["])
def test_a_file_that_became_wrong_changes_nothing(
    trust: Trust, files: NodeFiles, network: Regions, signers: dict[str, Signer], content: str
) -> None:
    files.regions.write_text(content)
    assert "fi1c" in network
    check(trust, profile(signer=signers["fi1c"]))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"signing": ["x"]}, r"region 1: keys\.signing\.0: a signing key should be a public JWK"),
        ({"signing": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k"}]}, "'k' is no Ed25519 key"),
        ({"signing": [{"kty": "OKP", "crv": "Ed25519", "x": "A", "d": "SECRET", "kid": "k"}]}, "a private key"),
        ({"contacts": [{"kty": "OKP", "crv": "X25519", "x": "A", "d": "SECRET"}]}, "is a private one"),
        ({"signing": [make_signer(f"k{number}").public for number in range(3)]}, "3 signing keys have no 'until'"),
    ],
)
def test_a_wrong_key_in_the_list_of_regions_is_refused_with_a_sentence(
    files: NodeFiles, keys: dict[str, Any], sentence: str
) -> None:
    change_regions(files.regions, lambda entries: entries["pl84"].update(keys=keys))
    with pytest.raises(RegionsError, match=sentence) as refused:
        Regions.load(files.regions)
    assert "SECRET" not in str(refused.value)


def test_a_key_that_nobody_knows_cannot_be_signed_with(files: NodeFiles, network: Regions, tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match=r"key 'pl84-1', whose public half is not among .* 'fi1c' .*\(fi1c-1\)"):
        load_signer(files.signing_key, region=network["fi1c"])
    other = tmp_path / "other.json"
    other.write_text(json.dumps(OKPKey.generate_key("Ed25519", parameters={"kid": "pl84-1"}).as_dict(private=True)))
    with pytest.raises(SignatureError, match="nobody would believe"):
        load_signer(other, region=network["pl84"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kid": "x", "kty": "OKP"}', "\x00"])
def test_a_file_that_is_no_key_cannot_be_signed_with(network: Regions, tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(content)
    with pytest.raises(SignatureError, match="key"):
        load_signer(file, region=network["pl84"])


def test_a_retired_key_cannot_be_signed_with(files: NodeFiles) -> None:
    ended = datetime.now(UTC) - timedelta(minutes=1)
    change_regions(files.regions, lambda entries: entries["pl84"]["keys"]["signing"][0].update(until=ended))
    with pytest.raises(SignatureError, match="lets sign until"):
        load_signer(files.signing_key, region=Regions.load(files.regions)["pl84"])


def test_a_key_is_made_for_its_owner_alone_and_never_in_the_place_of_another(
    files: NodeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "signing-2.jwk"
    assert keys.main(["pl84-2", str(file)]) == 0
    [entry] = yaml.safe_load(capsys.readouterr().out)
    assert file.stat().st_mode & 0o077 == 0
    change_regions(files.regions, lambda entries: entries["pl84"]["keys"]["signing"].append(entry))
    assert load_signer(file, region=Regions.load(files.regions)["pl84"]).kid == "pl84-2"
    held = file.read_text()
    assert keys.main(["pl84-3", str(file)]) == 1
    assert (file.read_text(), "never overwritten" in capsys.readouterr().err) == (held, True)
    assert keys.main(["--help"]) == 2


# -- consuming -------------------------------------------------------------------------------------------------------


class Shelf:
    """A small projection, keyed by id alone: the title of each profile."""

    def __init__(self, trust: Trust | None, *, topics: TopicSelection | None = None) -> None:
        self.consumer = Consumer(
            "shelf",
            topics=topics or every_region(Channel.REGISTRY),
            handlers=[handles(ProfilePublished, self.on_published, latest_only=True)],
            reset=self.reset,
        )
        self.consumer.trust = trust

    async def on_published(self, session: AsyncSession, received: Received[ProfilePublished]) -> None:
        await session.execute(
            text("INSERT INTO shelf VALUES (:id, :title) ON CONFLICT (id) DO UPDATE SET title = excluded.title"),
            {"id": received.data.profile_id, "title": received.data.title},
        )

    async def reset(self, session: AsyncSession) -> None:
        await session.execute(text("DELETE FROM shelf"))


@pytest.fixture
async def shelf(database: Database, trust: Trust) -> Shelf:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE shelf (id uuid PRIMARY KEY, title text)"))
    return Shelf(trust)


async def titles(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list((await session.execute(text("SELECT title FROM shelf ORDER BY title"))).scalars())


async def letters(database: Database) -> list[deadletters.DeadLetter]:
    async with database.transaction() as session:
        return await deadletters.find(session)


def counted(region: str) -> float:
    return float(metrics.QUARANTINED.labels("shelf", region)._value.get())


@pytest.mark.integration
async def test_what_is_not_believed_is_put_aside_counted_and_the_rest_flows(
    shelf: Shelf, database: Database, signers: dict[str, Signer]
) -> None:
    before = counted("fi1c")
    good, unsigned = profile(1, signer=signers["fi1c"]), profile(2)
    assert await take_all(shelf.consumer, [unsigned, good, unsigned], database=database) == [
        "quarantined",
        "applied",
        "quarantined",
    ]
    assert await titles(database) == ["Version 1 of fi1c"]
    [letter] = await letters(database)
    assert (letter.kind, letter.attempts) == ("untrusted", 2)
    assert letter.reason.startswith("it is not signed")
    assert counted("fi1c") == before + 2


@pytest.mark.integration
async def test_a_forged_event_does_not_use_up_the_name_of_the_true_one(
    shelf: Shelf, database: Database, signers: dict[str, Signer]
) -> None:
    true = profile(1, signer=signers["fi1c"])
    forged = dataclasses.replace(true, offset=true.offset + 1_000_000, value=(true.value or b"").replace(b"1", b"7"))
    outcomes = await take_all(shelf.consumer, [forged, true], database=database)
    assert outcomes == ["quarantined", "applied"]
    assert await titles(database) == ["Version 1 of fi1c"]


@pytest.mark.integration
async def test_what_a_blocked_region_tells_waits_and_is_replayed_once_it_is_let_in_again(
    shelf: Shelf, database: Database, signers: dict[str, Signer], standings_file: Path
) -> None:
    block(standings_file, "dk03")
    record = profile(region="dk03", signer=signers["dk03"])
    assert await shelf.consumer.take(record, database=database) == "quarantined"
    [letter] = await letters(database)
    assert letter.reason == "pl84 blocks dk03 since 2026-11-01: its key was stolen"
    with pytest.raises(PermanentError, match="pl84 blocks dk03"):
        await deadletters.replay(database, letter, consumers=[shelf.consumer])

    let_in_again(standings_file)

    assert await deadletters.replay(database, letter, consumers=[shelf.consumer]) == "applied"
    assert await titles(database) == ["Version 1 of dk03"]
    assert await letters(database) == []


@pytest.mark.integration
async def test_quarantine_is_told_by_region_and_reason(
    shelf: Shelf, database: Database, signers: dict[str, Signer], standings_file: Path
) -> None:
    block(standings_file, "dk03")
    dk = [profile(number, region="dk03", signer=signers["dk03"]) for number in (1, 2)]
    await take_all(shelf.consumer, [*dk, profile(), dataclasses.replace(profile(), headers=[])], database=database)
    other = Consumer("other", topics=shelf.consumer.topics, handlers=[])
    other.trust = shelf.consumer.trust
    await take_all(other, dk, database=database)
    async with database.transaction() as session:
        found = await deadletters.quarantined(session)
    assert [(each.region, each.records, each.reason.partition(",")[0]) for each in found] == [
        ("dk03", 2, "pl84 blocks dk03 since 2026-11-01: its key was stolen"),
        ("fi1c", 1, "it is not signed"),
    ]


@pytest.mark.integration
async def test_the_tables_are_those_that_the_migrations_make(database: Database) -> None:
    await asyncio.to_thread(assert_migrated, database.url, tables.metadata)


# -- whose a subject is ----------------------------------------------------------------------------------------------


@pytest.mark.integration
async def test_a_region_cannot_speak_of_what_belongs_to_another(
    shelf: Shelf, database: Database, signers: dict[str, Signer]
) -> None:
    id = new_id()
    own = profile(1, id=id, signer=signers["fi1c"])
    strange = profile(99, id=id, region="dk03", signer=signers["dk03"])
    outcomes = await take_all(
        shelf.consumer, [own, strange, profile(2, id=id, signer=signers["fi1c"])], database=database
    )
    assert outcomes == ["applied", "quarantined", "applied"]
    assert await titles(database) == ["Version 2 of fi1c"]
    [letter] = await letters(database)
    assert letter.reason == (
        f"profile {id} belongs to region 'fi1c', which told of it first; region 'dk03' cannot change it"
    )


@pytest.mark.integration
async def test_of_two_regions_that_claim_a_subject_at_once_one_is_refused(
    shelf: Shelf, database: Database, signers: dict[str, Signer]
) -> None:
    for _ in range(5):
        id = new_id()
        claims = [profile(1, id=id, region=region, signer=signers[region]) for region in ("fi1c", "dk03", "lt")]
        outcomes = await asyncio.gather(*(shelf.consumer.take(claim, database=database) for claim in claims))
        assert sorted(outcomes) == ["applied", "quarantined", "quarantined"]


@pytest.mark.integration
async def test_who_owns_a_subject_is_not_forgotten_when_a_copy_is_built_anew(
    shelf: Shelf, database: Database, signers: dict[str, Signer], kafka: str
) -> None:
    id = new_id()
    own = profile(1, id=id, signer=signers["fi1c"])
    strange = profile(99, id=id, region="dk03", signer=signers["dk03"])
    await take_all(shelf.consumer, [own, strange], database=database)
    await replay(shelf.consumer, database=database, kafka=kafka, topic_pattern="none", rebuild=True)
    assert await titles(database) == []
    assert await take_all(shelf.consumer, [strange, own], database=database) == ["quarantined", "applied"]
    assert await titles(database) == ["Version 1 of fi1c"]


@pytest.mark.integration
async def test_what_a_blocked_region_claimed_goes_back_to_whom_it_belongs(
    shelf: Shelf, database: Database, signers: dict[str, Signer], standings_file: Path
) -> None:
    id = new_id()
    thief = profile(99, id=id, region="dk03", signer=signers["dk03"])
    own = profile(1, id=id, signer=signers["fi1c"])
    assert await take_all(shelf.consumer, [thief, own], database=database) == ["applied", "quarantined"]
    block(standings_file, "dk03")
    assert await shelf.consumer.take(own, database=database) == "applied"
    assert await titles(database) == ["Version 1 of fi1c"]
    assert await shelf.consumer.take(thief, database=database) == "quarantined"


def test_a_consumer_keeps_the_latest_of_an_aggregate_from_one_channel() -> None:
    async def nothing(session: AsyncSession, received: Received[Any]) -> None: ...

    with pytest.raises(ValueError, match="keeps the latest of 'profile' from two channels"):
        Consumer(
            "both",
            topics=every_region(Channel.REGISTRY),
            handlers=[handles(one, nothing, latest_only=True) for one in (ProfilePublished, ProfileMoved)],
        )


# -- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.integration
async def test_nothing_leaves_unsigned(database: Database, network: Regions) -> None:
    node = Node(region="pl84", service="registry", regions=network)

    async def emit() -> None:
        async with database.transaction() as session:
            await node.emit(session, published(), subject=new_id(), sequence=1)

    with pytest.raises(SignatureError, match=r"/regions/pl84/registry has no key to sign eu\.tibs\.profile"):
        await emit()
    async with database.transaction() as session:
        assert (await session.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 0


@pytest.mark.integration
async def test_over_kafka_what_a_node_emits_is_believed_and_what_was_tampered_with_is_not(
    database: Database,
    kafka: str,
    own_region: str,
    node_of: Callable[[str], Node],
    background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
) -> None:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE shelf (id uuid PRIMARY KEY, title text)"))
    node = node_of(own_region)
    event = published(title="Signed on its way")
    async with database.transaction() as session:
        await node.emit(session, event, subject=event.profile_id, sequence=1)
    topic = topic_name(Channel.REGISTRY, own_region)
    # Other tests write to the same broker: all that would be quarantined here, record by record.
    shelf = Shelf(Trust(region=own_region, regions=node.regions), topics=TopicSelection(names=(topic,)))
    background(Relay(database=database, kafka=kafka, service="registry", region=own_region).run())
    host = ConsumerHost(
        kafka=kafka, service="registry", region=own_region, consumers=[shelf.consumer], database=database
    )
    background(host.run())
    await eventually(lambda: titles(database), until=lambda held: held == ["Signed on its way"], within=30)

    async with database.transaction() as session:
        [row] = (await session.execute(text("SELECT headers, payload FROM outbox"))).all()
    assert HEADER in dict(row.headers)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    changed = row.payload.replace(b"Signed", b"Forged")
    headers = [(name, held.encode()) for name, held in row.headers]
    await producer.send_and_wait(topic, changed, key=str(event.profile_id).encode(), headers=headers)
    await producer.stop()

    async def quarantined() -> list[str]:
        return [one.reason for one in await letters(database) if one.topic == topic]

    [reason] = await eventually(quarantined, within=30)
    assert "does not fit what it holds" in reason
    assert await titles(database) == ["Signed on its way"]


# -- starting --------------------------------------------------------------------------------------------------------

PROGRAM = """
from tibs_chassis.app import Service, service_cli
from tibs_chassis.database import Database
from tibs_chassis.node import Node
from tibs_chassis.regions import Regions
from tibs_chassis.settings import NodeSettings, load_settings
from tibs_chassis.trust import load_signer

def build():
    settings = load_settings(NodeSettings)
    regions = Regions.load(settings.regions_file)
    signer = load_signer(settings.signing_key, region=regions[settings.region])
    node = Node(region=settings.region, service="registry", regions=regions, signer=signer)
    database = Database(settings.database_url, application="toy")
    return Service(name="registry", settings=settings, node=node, database=database)

service_cli("registry", build, "tibs_chassis")()
"""


def _wrong_zone(files: NodeFiles) -> None:
    change_regions(files.regions, lambda entries: entries["lt"].update(time_zone="Europe/Atlantis"))


def _twice(files: NodeFiles) -> None:
    change_regions(files.regions, lambda entries: entries["lt"].update(code="dk03"))


def _bad_key(files: NodeFiles) -> None:
    change_regions(files.regions, lambda entries: entries["lt"]["keys"]["signing"][0].update(x="AAAA"))


def _not_a_member(files: NodeFiles) -> None:
    change_regions(files.regions, lambda entries: entries["pl84"].update(code="pl85"))


def _another_key(files: NodeFiles) -> None:
    files.signing_key.write_text((files.regions.parent / "signing-lt.json").read_text())


def _blocks_itself(files: NodeFiles) -> None:
    block(files.regions.parent / "standings.yaml", "pl84")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_wrong_zone, "is not a time zone such as Europe/Riga"),
        (_twice, "region code 'dk03' is used twice"),
        (_bad_key, "signing key 'lt-1' is no Ed25519 key"),
        (_not_a_member, "'pl84' is not a region of the network"),
        (_another_key, "holds key 'lt-1', whose public half is not among the signing keys of region 'pl84'"),
        (_blocks_itself, "'pl84' cannot block itself"),
    ],
)
async def test_what_is_wrong_stops_the_start_with_one_sentence(
    files: NodeFiles, tmp_path: Path, spoil: Callable[[NodeFiles], None], sentence: str
) -> None:
    spoil(files)
    (tmp_path / "toy.py").write_text(PROGRAM)
    environment = os.environ | {
        "TIBS_REGION": "pl84",
        "TIBS_REGIONS_FILE": str(files.regions),
        "TIBS_DATABASE_URL": "postgresql://r:s@127.0.0.1:1/none",
        "TIBS_KAFKA": "127.0.0.1:1",
        "TIBS_NODE_JWKS": str(files.jwks),
        "TIBS_SIGNING_KEY": str(files.signing_key),
        "TIBS_STANDINGS_FILE": str(tmp_path / "standings.yaml"),
        "TIBS_OIDC_ISSUER": "http://127.0.0.1:1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "toy.py"), "run", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(process.communicate(), timeout=60)
    said = told.decode()
    assert process.returncode == 2, said
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said
