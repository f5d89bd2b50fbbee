"""What the service's own topics hold in its name: their last few records, or all of them."""

from collections.abc import AsyncIterator, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tibs_chassis.log import logger
from tibs_chassis.regions import Regions
from tibs_chassis.restored.rules import Told
from tibs_chassis.verify.reading import look_at
from tibs_contracts.envelope import Envelope, EnvelopeError, source_of
from tibs_contracts.signatures import SignatureError
from tibs_contracts.topics import Channel, Topic

TAIL = 20
"""Records of a partition's end. One would do, were there never a stranger's record or a repeated one behind it."""


class OwnTopics:
    """The topics that a service writes, read without a group: nobody's place in them is moved.

    With `regions`, what is not signed by the region is passed over, as all readers do: such a record uses up no number.
    """

    def __init__(self, *, kafka: str, region: str, service: str, regions: Regions | None) -> None:
        self._kafka = kafka
        self._region = region
        self._service = service
        self._source = source_of(region, service)
        self._regions = regions

    async def ends(self) -> list[Told]:
        """The last events of each partition, genuine or not. Raises KafkaError when nobody answers."""
        return [told async for batch in self._read(last=TAIL) for told in batch]

    async def everything(self) -> AsyncIterator[list[Told]]:
        """All genuine events, in batches; those of one key in their order."""
        async for batch in self._read(last=None):
            if genuine := [told for told in batch if self.genuine(told)]:
                yield genuine

    def genuine(self, told: Told) -> bool:
        """Whether readers believe it. A check takes longer than to read the record, so ask only where it matters."""
        topic = Topic.parse(told.topic)
        if self._regions is None or topic.channel is Channel.LOCAL:
            return True
        try:
            self._regions.keyring.verify(
                topic=topic,
                envelope=Envelope.from_headers(told.headers),
                key=told.key,
                headers=told.headers,
                value=told.value,
            )
        except SignatureError as error:
            logger.warning("restored.not_ours", topic=told.topic, event_id=str(told.id), reason=str(error))
            return False
        return True

    async def _read(self, *, last: int | None) -> AsyncIterator[list[Told]]:
        partitions = await self._partitions()
        if not partitions:
            return
        # `earliest` is also what makes it begin at the beginning: a seek could still be undone by the first look-up.
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        try:
            await consumer.start()
            # Assigned first: asked about partitions that it does not know yet, the client waits for most of a second.
            # Paused, or it would begin to fetch what is passed over.
            consumer.assign(partitions)
            consumer.pause(*partitions)
            for one in partitions:
                await consumer.position(one)
            ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
            starts: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
            left = {one for one in partitions if starts[one] < ends[one]}
            for one in left:
                if last is not None:
                    consumer.seek(one, max(starts[one], ends[one] - last))
                consumer.resume(one)
            # By position, not by record: compaction leaves gaps, and the last offset may be one of them.
            while left := {one for one in left if await consumer.position(one) < ends[one]}:
                batches = await consumer.getmany(*left, timeout_ms=500)
                if told := [one for records in batches.values() for record in records if (one := self._told(record))]:
                    yield told
        finally:
            await consumer.stop()

    async def _partitions(self) -> Sequence[TopicPartition]:
        cluster = await look_at(self._kafka)
        found = []
        for name, numbers in cluster.partitions.items():
            try:
                topic = Topic.parse(name)
            except ValueError:
                continue
            if topic.region != self._region or topic.service not in (None, self._service):
                continue
            found += [TopicPartition(name, number) for number in numbers]
        return found

    def _told(self, record: ConsumerRecord) -> Told | None:
        try:
            envelope = Envelope.from_headers(record.headers)
        except EnvelopeError:
            return None
        if envelope.source != self._source:
            return None
        return Told(
            topic=record.topic,
            id=envelope.id,
            aggregate=envelope.aggregate,
            subject=envelope.subject,
            sequence=envelope.sequence,
            type=envelope.type,
            written=envelope.time,
            key=record.key,
            headers=tuple(record.headers),
            value=record.value,
        )
