import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tibs_contracts.envelope import Envelope, Headers, source_of
from tibs_contracts.events import Event, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.signatures import Signer
from tibs_contracts.topics import Topic, declared

EXAMPLE = Path(__file__).parents[1] / "examples" / "0.1.0" / f"{ProfilePublished.type}.json"


@pytest.fixture
def profile() -> Callable[[str], ProfilePublished]:
    """The example profile under a title of the test's own."""
    data = json.loads(EXAMPLE.read_text(encoding="utf-8"))["data"]
    return lambda title: ProfilePublished.model_validate(data | {"title": title, "profile_id": str(new_id())})


@pytest.fixture
def regions() -> tuple[str, str]:
    """Two regions of this test's own: the broker is shared by all tests."""
    return f"aa{uuid4().hex[:8]}", f"bb{uuid4().hex[:8]}"


class Teller:
    """Writes to the topics of regions, what belongs there and what does not."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    def headers(self, event: Event, *, region: str, subject: UUID | None = None) -> Headers:
        envelope = Envelope(
            id=new_id(),
            source=source_of(region, "registry"),
            type=event.type,
            subject=str(subject or new_id()),
            time=datetime.now(UTC),
            sequence=1,
            correlation_id=new_id(),
        )
        return envelope.headers()

    async def event(self, region: str, event: Event) -> None:
        headers = self.headers(event, region=region)
        await self.record(Topic(event.channel, region), event.write(), headers)

    async def record(self, topic: Topic, value: bytes | None, headers: Headers) -> None:
        await self._producer.send_and_wait(topic.name, value, key=b"subject", headers=headers)

    async def signed(self, region: str, event: Event, *, by: Signer) -> None:
        headers = self.headers(event, region=region)
        envelope, topic = Envelope.from_headers(headers), Topic(event.channel, region)
        headers = by.headers(envelope, topic=topic.name, value=event.write())
        await self._producer.send_and_wait(topic.name, event.write(), key=envelope.subject.encode(), headers=headers)


@pytest.fixture
async def tell(kafka: str, regions: tuple[str, str]) -> AsyncIterator[Teller]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    topics = [one for region in regions for one in declared(region, [])]
    await admin.create_topics([NewTopic(one.name, one.partitions, 1, topic_configs=dict(one.config)) for one in topics])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True)
    await producer.start()
    yield Teller(producer)
    await producer.stop()
