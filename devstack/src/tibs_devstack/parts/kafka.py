"""Apache Kafka: one broker that is its own controller (KRaft), as a child process, in Docker, or somebody else's."""

import contextlib
import re
import signal
import subprocess
import uuid
from abc import abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tibs_devstack.parts.base import MissingPart, Origin, Part, Say, configured, docker_answers, quiet
from tibs_devstack.parts.kafka_features import finalized_features
from tibs_devstack.parts.kafka_jars import classpath, java, pinned_version
from tibs_devstack.process import LOOPBACK, Child, DidNotStart, answers, free_port, give_back, wait_for

# A small heap and the simplest compiler and collector: a demo's load, quick to start, 300 MB in all.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+ExitOnOutOfMemoryError")
# Lines of the broker itself, with time and level, on standard error.
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
)
_VERSION = re.compile(r"Kafka version: (\S+)")
_STARTED = re.compile(r"Kafka Server started")


class Kafka(Part):
    name = "kafka"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    @abstractmethod
    def address(self) -> str:
        """Bootstrap servers, e.g. 127.0.0.1:39092."""


class ConfiguredKafka(Kafka):
    """Somebody else's cluster, only used. It is neither started nor stopped."""

    origin = Origin.CONFIGURED

    def __init__(self, address: str) -> None:
        self._address = address

    def start(self) -> None:
        try:
            finalized_features(self._address)
        except OSError as error:
            raise DidNotStart(
                f"TIBS_DEVSTACK_KAFKA is '{self._address}', but no broker answers there: {error}"
            ) from error

    @property
    def address(self) -> str:
        return self._address

    @property
    def versions(self) -> Mapping[str, str]:
        # A remote broker does not tell its release, only the level of its metadata.
        level = finalized_features(self._address).get("metadata.version")
        return {"kafka": f"metadata.version {level}" if level else "unknown"}

    def stop(self) -> None:
        pass


@dataclass(frozen=True)
class Listener:
    """One more door of a broker, as an external listener has it: where it listens, and what it tells callers to dial.

    Both are host:port. Somebody may stand between them: a proxy, a network namespace.
    """

    binds: str
    advertised: str


class EmbeddedKafka(Kafka):
    """A broker as a child process. Its port, cluster id and data stay in `folder` over restarts.

    `listeners` are those besides the loopback's, by name in capitals.
    """

    origin = Origin.EMBEDDED

    def __init__(
        self,
        folder: Path,
        *,
        say: Say = quiet,
        log: Path | None = None,
        port: int | None = None,
        heap: str = "256m",
        listeners: Mapping[str, Listener] | None = None,
    ) -> None:
        self._folder = folder
        self._listeners = dict(listeners or {})
        self._say = say
        self._log = log or folder / "kafka.log"
        self._preferred = port
        self._heap = heap
        self._ports: tuple[int, int] | None = None

    def start(self) -> None:
        if self.child is not None and self.child.running:
            return
        jars, command = classpath(self._say), java()
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._ports is None:
            port, controller = self._remembered_ports()
            self._ports = (free_port(port), free_port(controller))
        self._write_properties(*self._ports)
        prefix = [command, f"-Xmx{self._heap}", *JVM, *LOGGING, "-cp", jars]
        if not (self._data / "meta.properties").exists():
            self._format(prefix)
        child = Child(
            name="Kafka", argv=[*prefix, "kafka.Kafka", str(self._properties)], log=self._log, cwd=self._folder
        )
        self.child = child
        try:
            wait_for(lambda: _STARTED.search(child.output()) is not None, child=child, timeout=90)
            wait_for(lambda: answers(self.port), child=child, timeout=10)
        except BaseException:
            child.kill()
            raise

    def _format(self, prefix: list[str]) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # With "=", for an id may begin with a dash.
        run = subprocess.run(
            [*prefix, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._properties)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise DidNotStart(f"Kafka could not format {self._data}: {(run.stdout + run.stderr).strip()[-600:]}")

    def _remembered_ports(self) -> tuple[int | None, int | None]:
        """The ports of the run before, so that clients that kept the address find it again."""
        with contextlib.suppress(FileNotFoundError):
            held = self._properties.read_text(encoding="utf-8")
            found = re.search(r"^listeners=PLAINTEXT://[^:]+:(\d+),CONTROLLER://[^:,]+:(\d+)", held, re.MULTILINE)
            if found:
                return self._preferred or int(found[1]), int(found[2])
        return self._preferred, None

    def _write_properties(self, port: int, controller: int) -> None:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            "listeners": ",".join(
                [
                    f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
                    *(f"{name}://{one.binds}" for name, one in self._listeners.items()),
                ]
            ),
            "advertised.listeners": ",".join(
                [
                    f"PLAINTEXT://{LOOPBACK}:{port}",
                    *(f"{name}://{one.advertised}" for name, one in self._listeners.items()),
                ]
            ),
            "listener.security.protocol.map": ",".join(
                f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *self._listeners)
            ),
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._data),
            # After kill -9 a broker is let in again only when its old session is over: 9 s by default.
            "broker.session.timeout.ms": "5000",
            "broker.heartbeat.interval.ms": "1000",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": "16777216",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A name that nobody declared is a mistake to be seen, not a topic to be made.
            "auto.create.topics.enable": "false",
        }
        lines = "".join(f"{key}={value}\n" for key, value in settings.items())
        self._properties.write_text(lines, encoding="utf-8")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    @property
    def address(self) -> str:
        if self._ports is None:
            raise RuntimeError("Kafka was never started")
        return f"{LOOPBACK}:{self._ports[0]}"

    @property
    def versions(self) -> Mapping[str, str]:
        found = _VERSION.search(self.child.output()) if self.child is not None else None
        return {"kafka": found[1] if found else "unknown"}

    @property
    def cluster_id(self) -> str:
        held = (self._data / "meta.properties").read_text(encoding="utf-8")
        found = re.search(r"^cluster\.id=(.+)$", held, re.MULTILINE)
        return found[1] if found else ""

    def stop(self) -> None:
        if self.child is not None:
            # Everything acknowledged is in the log already; a broker that takes long to say goodbye is ended.
            self.child.stop(signal.SIGTERM, grace=10)

    def release(self) -> None:
        """Lets others have the ports; the next start chooses again."""
        for port in self._ports or ():
            give_back(port)
        self._ports = None


class DockerKafka(Kafka):
    """The official image by testcontainers, data in a volume named after `folder`."""

    origin = Origin.DOCKER

    def __init__(self, folder: Path, *, say: Say = quiet, port: int | None = None) -> None:
        self._volume = f"tibs-kafka-{uuid.uuid5(uuid.NAMESPACE_URL, str(folder)).hex[:12]}"
        self._say = say
        self._preferred = port
        self._port: int | None = None
        self._container: Any = None

    def start(self) -> None:
        if self._container is not None:
            return
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.waiting_utils import wait_for_logs

        self._port = self._port or free_port(self._preferred)
        image = f"apache/kafka:{pinned_version()}"
        self._say(f"Kafka: starting {image} in Docker")
        settings = {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{self._port}",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
            "KAFKA_HEAP_OPTS": "-Xmx256m",
        }
        container = DockerContainer(image).with_bind_ports(9092, self._port)
        container = container.with_volume_mapping(self._volume, "/var/lib/kafka/data", "rw")
        for key, value in settings.items():
            container = container.with_env(key, value)
        try:
            container.start()
            wait_for_logs(container, _STARTED.pattern, timeout=120)
        except Exception as error:  # docker and testcontainers raise a dozen unrelated types
            with contextlib.suppress(Exception):
                container.stop()
            raise DidNotStart(f"Kafka did not start in Docker: {error}") from error
        self._container = container

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def versions(self) -> Mapping[str, str]:
        if self._container is None:
            return {"kafka": "unknown"}
        out, err = self._container.get_logs()
        found = _VERSION.search((out + err).decode(errors="replace"))
        return {"kafka": found[1] if found else "unknown"}

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop(force=False, delete_volume=False)
            self._container = None


def find_kafka(
    folder: Path,
    *,
    say: Say = quiet,
    log: Path | None = None,
    port: int | None = None,
    listeners: Mapping[str, Listener] | None = None,
) -> Kafka:
    """The Kafka of this machine, not started yet: configured address, embedded, Docker, or MissingPart.

    Only an embedded one has `listeners` of its own.
    """
    if address := configured("kafka"):
        say(f"Kafka: using {address} (TIBS_DEVSTACK_KAFKA)")
        return ConfiguredKafka(address)
    try:
        java()
        classpath(say)
    except MissingPart as why:
        say(f"Kafka: not embedded, for {why}; asking Docker")
        no_docker = docker_answers()
        if no_docker is None:
            return DockerKafka(folder, say=say, port=port)
        raise MissingPart(
            f"Kafka is missing: {why}, and {no_docker}. Install Java 17 and Maven (Debian: `apt-get install "
            "openjdk-17-jre-headless maven`) or start Docker, or set TIBS_DEVSTACK_KAFKA to host:port of a broker."
        ) from why
    say(f"Kafka: embedded, Apache Kafka {pinned_version()} as a child process")
    return EmbeddedKafka(folder, say=say, log=log, port=port, listeners=listeners)
