"""The fixtures that every other package's tests stand on."""

import aiokafka
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tibs_devstack.parts.postgres import PostgresServer
from tibs_devstack.pytest_plugin import MakeDatabase

pytestmark = pytest.mark.integration


async def test_kafka_takes_and_gives_a_record(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("fixture.takes-and-gives", 6, 1)])
    finally:
        await admin.close()
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait("fixture.takes-and-gives", b"hello")
    async with aiokafka.AIOKafkaConsumer(
        "fixture.takes-and-gives", bootstrap_servers=kafka, auto_offset_reset="earliest", group_id="fixture"
    ) as consumer:
        assert (await consumer.getone()).value == b"hello"


def test_each_database_is_fresh_and_has_vectors(make_database: MakeDatabase) -> None:
    for _ in range(2):
        with psycopg.connect(make_database("one")) as connection:
            connection.execute("CREATE TABLE words (id int, at vector(3))")


def test_a_role_reaches_its_own_database_only(make_database: MakeDatabase, postgres: PostgresServer) -> None:
    own, other = make_database("own"), make_database("other")
    name = other.rpartition("/")[2]
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(own.rpartition("/")[0] + "/" + name)


def test_a_migrated_database_can_be_copied(make_database: MakeDatabase) -> None:
    first = make_database("first")
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    with psycopg.connect(make_database("second", template=first)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
