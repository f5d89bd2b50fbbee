"""What the regions hold, counted in their databases and topics, past every interface."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tibs_chassis import audit
from tibs_chassis.database import Database
from tibs_contracts.topics import PARTITIONS, SERVICES
from tibs_devstack.stack import Stack


class Told(NamedTuple):
    """A record on a topic, by what makes it one event."""

    source: str
    id: str
    type: str
    subject: str


class Ledger:
    """Counts in a stack that runs."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def rows(self, region: str, service: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a statement finds in a service's database."""
        with psycopg.connect(self.stack.environment(region, service)["TIBS_DATABASE_URL"]) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def execute(self, region: str, service: str, statement: str) -> None:
        with psycopg.connect(self.stack.environment(region, service)["TIBS_DATABASE_URL"]) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def count(self, region: str, service: str, statement: str, values: Sequence[Any] = ()) -> int:
        [(found,)] = self.rows(region, service, f"SELECT count(*) FROM {statement}", values)
        return int(found)

    # -- in every service ----------------------------------------------------------------------------------------------

    async def waiting(self) -> dict[str, int]:
        """Events that no Kafka has confirmed, by service; empty when all have left."""
        return self._in_each("outbox_waiting")

    def dead(self) -> list[tuple[Any, ...]]:
        """Open dead letters: region, service, topic, reason, trace."""
        found = "SELECT topic, reason, trace FROM dead_letter WHERE state = 'open'"
        return [
            (region, service, *row)
            for region in self.stack.regions
            for service in SERVICES
            for row in self.rows(region, service, found)
        ]

    def _in_each(self, statement: str) -> dict[str, int]:
        counts = {
            f"{region} {service}": self.count(region, service, statement)
            for region in self.stack.regions
            for service in SERVICES
        }
        return {name: count for name, count in counts.items() if count}

    async def broken_audit_logs(self) -> list[str]:
        """Services whose chain of audit entries has a gap or a change."""
        broken = []
        for region in self.stack.regions:
            for service in SERVICES:
                database = Database(self.stack.environment(region, service)["TIBS_DATABASE_URL"], application="ledger")
                try:
                    async with database.transaction() as session:
                        if await audit.first_break(session) is not None:
                            broken.append(f"{region} {service}")
                finally:
                    await database.close()
        return broken

    def told(self, region: str, service: str, *, since: int = 0) -> list[Told]:
        """The events that a service wrote into its outbox after the row `since`, in order."""
        found = self.rows(
            region, service, "SELECT event_id::text, type, subject FROM outbox WHERE seq > %s ORDER BY seq", [since]
        )
        return [Told(f"/regions/{region}/{service}", *row) for row in found]

    def mark(self, region: str, service: str) -> int:
        """The number of a service's last outbox row."""
        [(last,)] = self.rows(region, service, "SELECT coalesce(max(seq), 0) FROM outbox")
        return int(last)

    # -- on topics -----------------------------------------------------------------------------------------------------

    async def on_topics(self, *, at: str | None = None) -> Counter[Told]:
        """How often each event is on the topic that its region wrote, or on all topics in the cluster of `at`."""
        found: Counter[Told] = Counter()
        for region in self.stack.regions if at is None else [at]:
            found += await self._in_cluster(region, own=at is None)
        return found

    async def _in_cluster(self, region: str, *, own: bool) -> Counter[Told]:
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.stack.kafka(region).address, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await reader.start()
        found: Counter[Told] = Counter()
        try:
            prefixes = (f"tibs.{region}.", f"tibs-local.{region}.") if own else ("tibs.", "tibs-local.")
            names = [name for name in await reader.topics() if name.startswith(prefixes)]
            partitions = [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
            reader.assign(partitions)
            ends = await reader.end_offsets(partitions)
            starts = await reader.beginning_offsets(partitions)
            left = {one for one in partitions if starts[one] < ends[one]}
            while left:
                for batch in (await reader.getmany(*left, timeout_ms=500)).values():
                    for record in batch:
                        held = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
                        found[Told(*(held.get(f"ce_{name}", "") for name in Told._fields))] += 1
                left = {one for one in left if await reader.position(one) < ends[one]}
        finally:
            await reader.stop()
        return found

    # -- mail ----------------------------------------------------------------------------------------------------------

    async def mails(self) -> list[dict[str, Any]]:
        """All that the catcher holds, the newest first."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.get(f"{self.stack.state.parts['mail'].page}/api/mails")).json()
        return list(answer["items"] if isinstance(answer, dict) else answer)

    async def message_ids(self, address: str | None = None) -> Counter[str]:
        """How often each mail came. A mail may come twice after a crash: its id tells readers that it is the same."""
        return Counter(
            mail["headers"]["Message-ID"] for mail in await self.mails() if address is None or address in mail["to"]
        )

    def deliveries(self, region: str) -> Counter[str]:
        """Mails of a region's notify by state."""
        return Counter(
            dict(self.rows(region, "notify", "SELECT state, count(*) FROM delivery WHERE channel = 'mail' GROUP BY 1"))
        )

    def notices(self, region: str, link: str) -> Counter[tuple[str, str]]:
        """How often each person was told each kind of thing about what stands at `link`."""
        found = self.rows(
            region, "notify", "SELECT person, kind, count(*) FROM notice WHERE link = %s GROUP BY 1, 2", [link]
        )
        return Counter({(person, kind): count for person, kind, count in found})

    def dump(self, region: str, service: str, *tables: str) -> str:
        """Tables as one text, to compare."""
        return json.dumps(
            {
                table: [
                    row for (row,) in self.rows(region, service, f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
                ]
                for table in tables
            },
            indent=1,
        )
