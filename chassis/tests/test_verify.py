"""Two regions with a Kafka each, real databases, real topics: what is planted is found and named, nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from joserfc.jwk import OKPKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis import migrations
from tibs_chassis.database import Database
from tibs_chassis.inbox import Consumer, Received, handles
from tibs_chassis.node import Node
from tibs_chassis.regions import RegionKeys, Regions
from tibs_chassis.relay import Relay, producer_for
from tibs_chassis.replay import replay
from tibs_chassis.testing import eventually, record_of
from tibs_chassis.verify.command import COULD_NOT, verify
from tibs_chassis.verify.mirrors import between
from tibs_chassis.verify.reading import look_at, reading
from tibs_chassis.verify.report import Report
from tibs_chassis.verify.service import own
from tibs_contracts.events import ProfilePublished
from tibs_contracts.mothers import published
from tibs_contracts.signatures import Signer, SigningKey
from tibs_contracts.topics import Channel, declared, every_region, topic_name
from tibs_devstack.parts.kafka import find_kafka
from tibs_devstack.pytest_plugin import MakeDatabase

pytestmark = pytest.mark.integration

Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@pytest.fixture(scope="module")
def other_kafka(parts_folder: Path) -> Iterator[str]:
    """The Kafka of the other region."""
    server = find_kafka(parts_folder / "other-kafka")
    server.start()
    yield server.address
    server.stop()
    server.release()


async def declare(kafka: str, region: str, other: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics(
        [
            NewTopic(one.name, one.partitions, 1, topic_configs=dict(one.config))
            for writer, to in ((region, other), (other, region))
            for one in declared(writer, [to])
        ]
    )
    await admin.close()


@asynccontextmanager
async def fresh(url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrations.upgrade, url, "tibs_chassis")
    database = Database(url, application="test")
    yield database
    await database.close()


async def pass_by(session: AsyncSession, received: Received[ProfilePublished]) -> None:
    """Takes an event in without keeping anything of it."""


@dataclass
class Pair:
    """The writing region, `here`, and the reading one, `there`, with a Kafka each."""

    here: Node
    there: Node
    kafka: str
    other_kafka: str
    database: Database
    readers: Database
    consumer: Consumer

    @property
    def topic(self) -> str:
        return topic_name(Channel.REGISTRY, self.here.region)

    async def tell(self, count: int) -> list[UUID]:
        """Publishes profiles in the writing region, each twice, and returns their ids."""
        events = [published() for _ in range(count)]
        for sequence in (1, 2):
            async with self.database.transaction() as session:
                for event in events:
                    await self.here.emit(session, event, subject=event.profile_id, sequence=sequence)
        return [event.profile_id for event in events]

    async def relay(self) -> None:
        relay = asyncio.create_task(
            Relay(database=self.database, kafka=self.kafka, service="registry", region=self.here.region).run()
        )
        await eventually(self.waiting, until=lambda count: count == 0)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)

    async def waiting(self) -> int:
        async with self.database.transaction() as session:
            return int((await session.execute(text("SELECT count(*) FROM outbox_waiting"))).scalar_one())

    async def mirror(self, *, without: Collection[UUID] = (), broken: Collection[UUID] = ()) -> None:
        """Copies the topic as it is now, but for what is to go wrong."""
        records: list[Any] = []
        async with reading(await look_at(self.kafka), [self.topic]) as origin:
            origin.copies[self.topic].add = lambda record, late=False: records.append(record)  # type: ignore
            await origin.read_on()
        for record in records:
            id = UUID(record.key.decode())
            if id not in without:
                await self.put(self.other_kafka, record, value=b"{}" if id in broken else record.value)

    async def put(self, kafka: str, record: Any, *, value: bytes | None = None) -> None:
        producer = producer_for(kafka, client_id="test")
        await producer.start()
        await producer.send_and_wait(
            record.topic,
            value=value or record.value,
            key=record.key,
            headers=list(record.headers),
            partition=record.partition,
            timestamp_ms=getattr(record, "timestamp", None),
        )
        await producer.stop()

    async def read(self) -> None:
        """The reading region's consumer takes in what its Kafka holds."""
        await replay(self.consumer, database=self.readers, kafka=self.other_kafka)

    async def written(self) -> Report:
        return await own(node=self.here, database=self.database, kafka=self.kafka, consumers=[], wait=0)

    async def mirrored(self, *, wait: float = 0) -> Report:
        return await between((self.here.region, self.kafka), (self.there.region, self.other_kafka), wait=wait)

    async def taken_in(self) -> Report:
        return await own(
            node=self.there, database=self.readers, kafka=self.other_kafka, consumers=[self.consumer], wait=0
        )


@pytest.fixture
async def pair(
    kafka: str,
    other_kafka: str,
    make_region: Callable[[], str],
    make_database: MakeDatabase,
    regions: Regions,
) -> AsyncIterator[Pair]:
    codes = make_region(), make_region()
    template = regions["pl84"]
    signers = {code: Signer(OKPKey.generate_key("Ed25519", {"kid": code}).as_dict(private=True)) for code in codes}
    known = Regions(
        [
            template.model_copy(update={"code": code, "keys": RegionKeys(signing=[SigningKey.of(signer.public)])})
            for code, signer in signers.items()
        ]
    )
    here, there = [Node(region=code, service="registry", regions=known, signer=signers[code]) for code in codes]
    for address in (kafka, other_kafka):
        await declare(address, *codes)
    topics = every_region(Channel.REGISTRY)
    consumer = Consumer("directory", topics=topics, handlers=[handles(ProfilePublished, pass_by, latest_only=True)])
    async with fresh(make_database()) as database, fresh(make_database()) as readers:
        yield Pair(here, there, kafka, other_kafka, database, readers, consumer)


def named(report: Report) -> list[tuple[str, str, list[int]]]:
    return sorted((one.kind, one.subject, one.sequences) for one in report.differences)


def figures(report: Report, part: str, topic: str) -> dict[str, int]:
    [line] = [line for line in report.lines if line.part == part and line.topic == topic]
    return line.figures


async def test_two_equal_regions_show_no_difference(pair: Pair) -> None:
    await pair.tell(5)
    await pair.relay()
    await pair.mirror()
    await pair.mirror()
    await pair.read()

    written, mirrored, taken_in = await pair.written(), await pair.mirrored(), await pair.taken_in()

    assert named(written + mirrored + taken_in) == []
    assert figures(written, "outbox", pair.topic) == {"events": 10, "lost": 0, "differing": 0, "unknown": 0}
    assert figures(mirrored, "mirror", pair.topic) == {
        "aggregates": 5,
        "events": 10,
        "same": 5,
        "behind": 0,
        "missing": 0,
        "differing": 0,
        "strangers": 0,
        "repeated": 10,
    }
    assert figures(taken_in, "reader", pair.topic) == {"due": 5, "applied": 5, "not applied": 0}
    assert json.loads((written + mirrored).model_dump_json())["equal"] is True


async def test_what_went_wrong_between_two_regions_is_named(pair: Pair) -> None:
    kept, gone, altered = await pair.tell(3)
    await pair.relay()
    await pair.mirror(without=[gone], broken=[altered])
    await pair.read()
    stranger = published()
    await pair.put(
        pair.other_kafka,
        record_of(stranger, region=pair.here.region, service="registry", subject=stranger.profile_id, sequence=1),
    )

    mirrored, taken_in = await pair.mirrored(), await pair.taken_in()

    assert named(mirrored) == sorted(
        [
            ("missing", str(gone), [2]),
            ("differing", str(altered), [1, 2]),
            ("stranger", str(stranger.profile_id), [1]),
        ]
    )
    assert figures(mirrored, "mirror", pair.topic)["same"] == 1
    assert named(taken_in) == sorted(
        [("not_applied", str(altered), [2]), ("not_applied", str(stranger.profile_id), [1])]
    )
    told = {one.subject: one.sentence for one in taken_in.differences}
    assert "among the dead letters, the data of eu.tibs.profile.published.v1 do not fit" in told[str(altered)]
    assert told[str(stranger.profile_id)].endswith("in its consumer directory.")
    assert str(kept) not in told


async def test_a_mirror_that_is_behind_is_waited_for(pair: Pair, background: Start) -> None:
    await pair.tell(1)
    await pair.relay()
    assert [one.kind for one in (await pair.mirrored()).differences] == ["missing"]

    background(pair.mirror())

    assert named(await pair.mirrored(wait=20)) == []


async def test_what_the_outbox_and_its_topic_do_not_agree_on_is_named(pair: Pair) -> None:
    await pair.tell(2)
    await pair.relay()
    [lost] = await pair.tell(1)
    async with pair.database.transaction() as session:
        # As if Kafka had confirmed it and then forgotten.
        await session.execute(text("DELETE FROM outbox_waiting"))
    strange = published()
    await pair.put(
        pair.kafka,
        record_of(strange, region=pair.here.region, service="registry", subject=strange.profile_id, sequence=1),
    )

    report = await pair.written()

    assert named(report) == sorted([("lost", str(lost), [2]), ("unknown_to_outbox", str(strange.profile_id), [1])])
    assert "got lost: confirmed, but not there." in " ".join(one.sentence for one in report.differences)


async def test_what_still_waits_in_the_outbox_is_no_loss(pair: Pair) -> None:
    await pair.tell(2)
    assert named(await pair.written()) == []


async def test_regions_on_one_kafka_have_no_copies_to_compare(pair: Pair) -> None:
    report = await between((pair.here.region, pair.kafka), (pair.there.region, pair.kafka))
    assert report.equal
    assert report.lines == []
    assert "share one Kafka" in report.notes[0]


@dataclass
class Settings:
    kafka: str


@dataclass
class Writing:
    """A service as its command sees it."""

    node: Node
    database: Database
    settings: Settings
    consumers: Sequence[Consumer] = ()


async def command(pair: Pair, *peers: str, kafka: str | None = None, as_json: bool = False) -> int:
    database = Database(pair.database.url, application="command")
    service: Any = Writing(pair.here, database, Settings(kafka or pair.kafka))
    return await asyncio.to_thread(verify, service, peers=peers, wait=0, as_json=as_json, limit=1)


async def test_the_command_says_by_its_exit_code_whether_there_are_differences(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = f"{pair.there.region}={pair.other_kafka}"
    await pair.tell(2)
    await pair.relay()
    assert await command(pair) == 0
    assert "No difference." in capsys.readouterr().out
    assert await command(pair, peer) == 1
    told = capsys.readouterr().out
    assert f"{pair.here.region} → {pair.there.region}" in told
    assert "… and 1 more; --limit 2 shows all" in told
    assert await command(pair, peer, as_json=True) == 1
    assert len(json.loads(capsys.readouterr().out)["differences"]) == 2
    await pair.mirror()
    assert await command(pair, peer) == 0


async def test_the_command_says_when_it_could_not_compare(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command(pair, "nowhere=127.0.0.1:1") == COULD_NOT
    assert "--peer held 'nowhere=127.0.0.1:1', not a region and its Kafka" in capsys.readouterr().err
    assert await command(pair, kafka="127.0.0.1:1") == COULD_NOT
    assert "Nothing was compared: KafkaConnectionError" in capsys.readouterr().err
