"""Kafka: what the node writes is read as it comes, and what the played peer says is laid where the mirror would."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.helpers import create_ssl_context

from conformance.network import NotReady
from conformance.peer import Letter
from conformance.records import Record
from tibs_contracts.topics import LARGEST_PULLED

Seen = Callable[[Sequence[Record]], bool]
_POLL_MS = 100


class Wire:
    """The node's cluster. `records` holds what lies on the node's topics and on those addressed to it."""

    def __init__(self, kafka: str, *, region: str, options: Mapping[str, Any] | None = None) -> None:
        settings = {"bootstrap_servers": kafka, **(options or {})}
        if "SSL" in str(settings.get("security_protocol", "")):
            settings["ssl_context"] = create_ssl_context(cafile=settings.pop("cafile", None))
        self._kafka = kafka
        self._region = region
        self._reader = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="earliest", **settings)
        self._writer = AIOKafkaProducer(
            acks="all", enable_idempotence=True, max_request_size=LARGEST_PULLED, **settings
        )
        self.records: list[Record] = []
        self._admin = AIOKafkaAdminClient(**settings)
        self._topics: dict[str, int] = {}

    async def __aenter__(self) -> "Wire":
        try:
            await self._reader.start()
            await self._writer.start()
            await self._admin.start()
            await self._assign()
        except KafkaError as error:
            await self._stop()
            raise NotReady(f"no Kafka answers at {self._kafka}: {error}") from None
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        await self._reader.stop()
        await self._writer.stop()
        await self._admin.close()

    async def _assign(self) -> None:
        names = [name for name in await self._admin.list_topics() if name.startswith("tibs.")]
        for one in await self._admin.describe_topics(names):
            self._topics[one["topic"]] = len(one["partitions"])
        if not self.written:
            raise NotReady(f"the Kafka at {self._kafka} has no topic tibs.{self._region}.…")
        read = self.written | {name for name in self._topics if self._addressed(name)}
        self._parts = [TopicPartition(name, number) for name in sorted(read) for number in range(self._topics[name])]
        self._reader.assign(self._parts)

    def _addressed(self, name: str) -> bool:
        return name.split(".")[2:4] == ["to", self._region]

    @property
    def written(self) -> frozenset[str]:
        """The topics that the node alone writes."""
        return frozenset(name for name in self._topics if name.startswith(f"tibs.{self._region}."))

    def partitions(self, topic: str) -> int:
        """NotReady if there is no such topic."""
        if topic not in self._topics:
            raise NotReady(f"the Kafka at {self._kafka} has no topic {topic}: declare it, as for any peer")
        return self._topics[topic]

    async def send(self, letters: Sequence[Letter]) -> list[Letter]:
        """One after another. Those that the cluster itself refuses for their size come back."""
        refused = []
        for one in letters:
            try:
                await self._writer.send_and_wait(
                    one.topic, one.value, key=one.key, headers=one.headers, partition=one.partition
                )
            except MessageSizeTooLargeError:
                refused.append(one)
        return refused

    async def wait(self, seen: Seen, *, within: float) -> bool:
        """Reads until what came is as wished, or the time is over. Says which."""
        end = time.monotonic() + within
        while not seen(self.records):
            if time.monotonic() > end:
                return False
            await self._poll()
        return True

    async def listen(self, seconds: float) -> None:
        """Reads for a while: what the node should not say would be heard."""
        await self.wait(lambda _: False, within=seconds)

    async def read_all(self) -> None:
        """All that lies there now."""
        ends = await self._reader.end_offsets(self._parts)
        starts = await self._reader.beginning_offsets(self._parts)
        left = {one for one in self._parts if starts[one] < ends[one]}
        while left:
            await self._poll()
            left = {one for one in left if await self._reader.position(one) < ends[one]}

    async def _poll(self) -> None:
        for batch in (await self._reader.getmany(timeout_ms=_POLL_MS)).values():
            for one in batch:
                headers = [(str(name), held) for name, held in one.headers]
                self.records.append(Record(one.topic, one.partition, one.offset, one.key, one.value, headers))
