"""Poison: records that no region should have written lie among good ones, and all the good ones take effect."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from drills.ground import AWAY, HOME, Ground
from tibs_chassis import clock
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import IntroductionMessageSent, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.signatures import HEADER, Signer

FULL, SHORT = 1_000, 150
HUGE_BYTES = 2 * 1024 * 1024
_EVERY_HUGE = 50
_READERS = {
    f"tibs.{AWAY}.registry.v1": [
        (region, service) for region in (HOME, AWAY) for service in ("registry", "matching", "cases")
    ],
    f"tibs.{AWAY}.to.{HOME}.cases.v1": [(HOME, "cases")],
}
Headers = list[tuple[str, bytes | None]]
Poison = tuple[bytes, Headers, str]
"""Value, headers, key."""


async def poison(ground: Ground, more: dict[str, Any]) -> None:
    """Written at Kymenlaakso, whose broker lets writers send more than ours does; some of it with a good signature."""
    count = SHORT if ground.short else FULL
    kafka = ground.stack.kafka(AWAY).address
    key = json.loads((ground.stack.folder.path / "keys" / AWAY / "signing.jwk").read_text(encoding="utf-8"))
    await _let_large_ones_in(kafka, list(_READERS))
    sent: dict[str, list[str]] = {topic: [] for topic in _READERS}
    kinds = _kinds(Signer(key))
    async with (
        ground.working() as load,
        AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=2 * HUGE_BYTES) as out,
    ):
        topics = list(_READERS)
        for number in range(count):
            topic = topics[number % len(topics)]
            make = _huge if number % _EVERY_HUGE == 0 else kinds[number // len(topics) % len(kinds)]
            value, headers, subject = make(topic)
            await out.send(topic, value, key=subject.encode(), headers=headers)
            sent[topic].append(subject)
            if number % 20 == 0:
                await ground.work_for(0.2, load)
        await out.flush()
        await ground.work_for(2, load)
    more["poison"] = count
    more["put_aside"], more["failures"] = await _put_aside(ground, sent)


def _envelope(topic: str, subject: str) -> Headers:
    """Of an event that the topic's readers take in.

    Not from the registry: that would hold itself back, since it finds events of its own that it never wrote.
    """
    envelope = Envelope(
        id=new_id(),
        source=f"/regions/{AWAY}/laboratory",
        type=(ProfilePublished if ".registry." in topic else IntroductionMessageSent).type,
        subject=subject,
        time=clock.now(),
        sequence=1,
        correlation_id=new_id(),
    )
    return list(envelope.headers())


def _kinds(signer: Signer) -> Sequence[Callable[[str], Poison]]:
    def signed(headers: Headers, value: bytes, topic: str) -> Headers:
        return [*headers, (HEADER, signer.sign(topic=topic, headers=headers, value=value).encode())]

    def malformed(topic: str) -> Poison:
        subject, value = str(new_id()), b'{"profile_id": "17'
        return value, signed(_envelope(topic, subject), value, topic), subject

    def unsigned(topic: str) -> Poison:
        event = published()
        subject = str(event.profile_id)
        return event.write(), _envelope(topic, subject), subject

    def wrongly_signed(topic: str) -> Poison:
        event = published()
        subject = str(event.profile_id)
        headers = _envelope(topic, subject)
        return event.write(), signed(headers, b"something else", topic), subject

    def breaks_the_schema(topic: str) -> Poison:
        subject, value = str(new_id()), b'{"title": 5, "profile_id": []}'
        return value, signed(_envelope(topic, subject), value, topic), subject

    def null_header(topic: str) -> Poison:
        event = published()
        subject = str(event.profile_id)
        headers = [(name, None if name == "ce_id" else value) for name, value in _envelope(topic, subject)]
        return event.write(), headers, subject

    def no_text(topic: str) -> Poison:
        event = published()
        subject = str(event.profile_id)
        headers = [(name, b"\xff\xfe\x00" if name == "ce_type" else value) for name, value in _envelope(topic, subject)]
        return event.write(), headers, subject

    def of_another_region(topic: str) -> Poison:
        event = published()
        subject = str(event.profile_id)
        other = f"/regions/{HOME}/registry".encode()
        headers: Headers = [
            (name, other if name == "ce_source" else value) for name, value in _envelope(topic, subject)
        ]
        return event.write(), signed(headers, event.write(), topic), subject

    return (malformed, unsigned, wrongly_signed, breaks_the_schema, null_header, no_text, of_another_region)


def _huge(topic: str) -> Poison:
    subject = str(new_id())
    return b'{"profile_id": "' + b"1" * HUGE_BYTES + b'"}', _envelope(topic, subject), subject


async def _let_large_ones_in(kafka: str, topics: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(2 * HUGE_BYTES)})
                for topic in topics
            ]
        )
    finally:
        await admin.close()


async def _put_aside(ground: Ground, sent: dict[str, list[str]]) -> tuple[int, list[str]]:
    """How many letters there are, and what is missing; then they are let go."""
    letters = "SELECT count(DISTINCT key) FROM dead_letter WHERE state = 'open' AND topic = %s AND key = ANY(%s)"
    discard = "UPDATE dead_letter SET state = 'discarded' WHERE state = 'open' RETURNING 1"
    total, failures = 0, []
    await ground.agree()
    for topic, keys in sent.items():
        for reader in _READERS[topic]:
            found = 0
            for _ in range(240):
                values = [topic, [key.encode() for key in keys]]
                [(found,)] = await asyncio.to_thread(ground.ledger.rows, reader, letters, values)
                if found == len(keys):
                    break
                await asyncio.sleep(0.25)
            total += found
            if found != len(keys):
                failures.append(f"{' '.join(reader)} put {found} of {len(keys)} poisoned records of {topic} aside")
    for region in ground.stack.regions:
        for service in ("registry", "matching", "cases", "notify"):
            ground.ledger.rows((region, service), discard)
    return total, failures
