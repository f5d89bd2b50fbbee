"""Declares topics on a broker, as their writers would in production."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tibs_contracts.topics import TopicDeclaration

_EXISTS = 36


async def declare_topics(kafka: str, declarations: Iterable[TopicDeclaration]) -> int:
    """Makes those that are missing and returns how many. RuntimeError names a topic that could not be made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=60_000)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        wanted = [
            NewTopic(one.name, one.partitions, 1, topic_configs=dict(one.config))
            for one in declarations
            if one.name not in there
        ]
        if wanted:
            answer = await admin.create_topics(wanted, timeout_ms=60_000)
            for name, code, *reason in answer.topic_errors:
                if code not in (0, _EXISTS):
                    raise RuntimeError(
                        f"Kafka does not make the topic {name}: error {code} {' '.join(map(str, reason))}"
                    )
        return len(wanted)
    finally:
        await admin.close()
