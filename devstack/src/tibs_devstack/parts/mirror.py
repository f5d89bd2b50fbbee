"""A region's mirror: pulls from other regions' clusters what this one may read. A Kafka Connect worker in distributed
mode that runs one of MirrorMaker 2's source connectors for each peer, as a child process or in Docker.

Not MirrorMaker's dedicated mode: there, a peer that joins, pauses or leaves is a restart for all (docs/adr/0007).
"""

import contextlib
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tibs_contracts.topics import LARGEST_PULLED
from tibs_devstack.parts.base import MissingPart, Origin, Part, Say, docker_answers, quiet
from tibs_devstack.parts.kafka import JVM, LOGGING
from tibs_devstack.parts.kafka_jars import classpath, java, pinned_version
from tibs_devstack.process import LOOPBACK, Child, DidNotStart, free_port, give_back, wait_for

_VERSION = re.compile(r"Kafka version: (\S+)")
_BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
_PREFIX = "from-"
_SETTLING = (404, 409, 500, 503)
"""What a worker answers, while its group settles after a start, to what will be right in a moment."""


class Mirror(Part):
    """Which peers it pulls from lies in its own cluster, so it goes on after a restart without being told again."""

    name = "mirror"

    def __init__(self, folder: Path, *, region: str, kafka: str, say: Say = quiet, host: str = LOOPBACK) -> None:
        self.region = region
        self._folder = folder
        self._kafka = kafka
        self._say = say
        self._host = host
        self._port: int | None = None

    @property
    def address(self) -> str:
        """Of its REST interface, e.g. http://127.0.0.1:8083."""
        return f"http://{self._host}:{self._port}"

    def release(self) -> None:
        if self._port is not None:
            give_back(self._port)
        self._port = None

    def pull(self, peer: str, address: str, topics: Sequence[str]) -> None:
        """Pulls `topics` of `peer` from its bootstrap servers from now on; again with others changes what is pulled.

        The whole history comes, once; a peer that does not answer yet is asked again until it does.
        """
        self._ask("PUT", f"/{_PREFIX}{peer}/config", _connector(self.region, peer, address, self._kafka, topics))

    def pause(self, peer: str) -> None:
        """Lets what the peer writes lie there until `resume`."""
        self._ask("PUT", f"/{_PREFIX}{peer}/pause")

    def resume(self, peer: str) -> None:
        """Goes on where `pause` stopped."""
        self._ask("PUT", f"/{_PREFIX}{peer}/resume")

    def drop(self, peer: str) -> None:
        """Pulls no more from a peer that left."""
        self._ask("DELETE", f"/{_PREFIX}{peer}")

    def states(self) -> dict[str, str]:
        """By peer: running, paused, failed, starting."""
        found = {}
        for name, one in self._ask("GET", "?expand=status").items():
            status = one["status"]
            states = {status["connector"]["state"], *(task["state"] for task in status["tasks"])}
            # With no task yet it has not seen one of the peer's topics.
            worst = next((state for state in ("FAILED", "PAUSED") if state in states), None)
            found[name.removeprefix(_PREFIX)] = (worst or ("RUNNING" if status["tasks"] else "STARTING")).lower()
        return found

    def _ask(self, method: str, path: str, content: Mapping[str, str] | None = None) -> dict[str, Any]:
        deadline, said = time.monotonic() + 60, "nothing"
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.request(
                    method, f"{self.address}/connectors{path}", json=content, timeout=60, trust_env=False
                )
                if answer.status_code < 400:
                    held: dict[str, Any] = answer.json() if answer.content else {}
                    return held
                said = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code not in _SETTLING:
                    break
            time.sleep(0.1)
        raise DidNotStart(f"the mirror of {self.region} answers {method} {path} with {said}")

    def _write_properties(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._port = self._port or free_port()
        settings = _worker(self.region, self._kafka) | {
            "listeners": f"http://{self._host}:{self._port}",
            "rest.advertised.host.name": self._host,
        }
        properties = self._folder / "worker.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
        return properties

    def _answers(self) -> bool:
        # Only once it has read its own topics it knows its connectors.
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.address}/connectors", timeout=5, trust_env=False).status_code == 200
        return False


def _connector(region: str, peer: str, source: str, target: str, topics: Sequence[str]) -> dict[str, str]:
    return {
        "connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "tasks.max": "1",
        "source.cluster.alias": peer,
        "target.cluster.alias": region,
        "source.cluster.bootstrap.servers": source,
        "target.cluster.bootstrap.servers": target,
        # By name, never by a pattern: with names that are kept, a pattern that met an own topic would be a loop.
        "topics": ",".join(topics),
        "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        "replication.factor": "1",
        "refresh.topics.interval.seconds": "5",
        # Both sides declare their topics; a peer changes nothing here but by its records.
        "sync.topic.configs.enabled": "false",
        "sync.topic.acls.enabled": "false",
        # They would be written into the peer's cluster, and nobody here writes there.
        "emit.offset-syncs.enabled": "false",
        "key.converter": _BYTES,
        "value.converter": _BYTES,
        "header.converter": _BYTES,
        "source.consumer.fetch.max.wait.ms": "100",
        "source.consumer.max.partition.fetch.bytes": str(LARGEST_PULLED),
        # A half-open line is noticed and dialled anew.
        "source.consumer.request.timeout.ms": "20000",
        "source.consumer.default.api.timeout.ms": "20000",
        "source.consumer.reconnect.backoff.max.ms": "5000",
        "source.admin.request.timeout.ms": "20000",
        "source.admin.default.api.timeout.ms": "30000",
        "source.admin.reconnect.backoff.max.ms": "5000",
        "producer.override.max.request.size": str(LARGEST_PULLED + 64 * 1024),
        "producer.override.buffer.memory": str(LARGEST_PULLED * 3),
        # Waits for its own cluster as long as it takes: to give up would end the task, and skip nothing saved.
        "producer.override.delivery.timeout.ms": "2147483647",
    }


def _worker(region: str, kafka: str) -> dict[str, str]:
    """The settings of a worker, but for where it listens."""
    return {
        "bootstrap.servers": kafka,
        "group.id": f"tibs-{region}-mirror",
        "client.id": f"tibs-{region}-mirror",
        **{
            f"{what}.storage.topic": f"tibs-mirror.{region}.{name}"
            for what, name in (("config", "peers"), ("offset", "offsets"), ("status", "status"))
        },
        **{f"{what}.storage.replication.factor": "1" for what in ("config", "offset", "status")},
        "offset.storage.partitions": "1",
        "status.storage.partitions": "1",
        # What is not written when it crashes is pulled once more, and passed over by the readers.
        "offset.flush.interval.ms": "2000",
        "key.converter": _BYTES,
        "value.converter": _BYTES,
        "plugin.discovery": "service_load",
        "connector.client.config.override.policy": "All",
        "scheduled.rebalance.max.delay.ms": "0",
        "session.timeout.ms": "10000",
        "heartbeat.interval.ms": "1000",
        "rebalance.timeout.ms": "10000",
    }


class EmbeddedMirror(Mirror):
    """A worker as a child process, in `folder`; its port stays over restarts of the process.

    `within` is put before its command line, to run it somewhere else: `ip netns exec NAME`.
    """

    origin = Origin.EMBEDDED

    def __init__(
        self,
        folder: Path,
        *,
        region: str,
        kafka: str,
        say: Say = quiet,
        log: Path | None = None,
        heap: str = "160m",
        host: str = LOOPBACK,
        within: Sequence[str] = (),
    ) -> None:
        super().__init__(folder, region=region, kafka=kafka, say=say, host=host)
        self._log = log or folder / "mirror.log"
        self._heap = heap
        self._within = within

    def start(self) -> None:
        if self.child is not None and self.child.running:
            return
        jars, command = classpath(self._say), java()
        properties = self._write_properties()
        child = Child(
            name=f"the mirror of {self.region}",
            argv=[
                *(*self._within, command, f"-Xmx{self._heap}", *JVM, *LOGGING, "-cp", jars),
                *("org.apache.kafka.connect.cli.ConnectDistributed", str(properties)),
            ],
            log=self._log,
            cwd=self._folder,
        )
        self.child = child
        try:
            wait_for(self._answers, child=child, timeout=120)
        except BaseException:
            child.kill()
            raise

    @property
    def versions(self) -> Mapping[str, str]:
        found = _VERSION.search(self.child.output()) if self.child is not None else None
        return {"mirror": found[1] if found else "unknown"}

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(signal.SIGTERM, grace=10)


class DockerMirror(Mirror):
    """The same worker from the official image by testcontainers, on the host's network, where the clusters listen."""

    origin = Origin.DOCKER

    def __init__(self, folder: Path, *, region: str, kafka: str, say: Say = quiet) -> None:
        super().__init__(folder, region=region, kafka=kafka, say=say)
        self._container: Any = None

    def start(self) -> None:
        if self._container is not None:
            return
        from testcontainers.core.container import DockerContainer

        image = f"apache/kafka:{pinned_version()}"
        self._say(f"Mirror of {self.region}: starting {image} in Docker")
        properties = self._write_properties()
        container = DockerContainer(image).with_kwargs(network_mode="host")
        container = container.with_volume_mapping(str(properties.parent), "/mirror", "ro")
        container = container.with_command(f"/opt/kafka/bin/connect-distributed.sh /mirror/{properties.name}")
        try:
            container.start()
            deadline = time.monotonic() + 120
            while not self._answers():
                if time.monotonic() > deadline:
                    raise TimeoutError("it did not answer within 120 s")
                time.sleep(0.2)
        except Exception as error:  # docker and testcontainers raise a dozen unrelated types
            with contextlib.suppress(Exception):
                container.stop()
            raise DidNotStart(f"the mirror of {self.region} did not start in Docker: {error}") from error
        self._container = container

    @property
    def versions(self) -> Mapping[str, str]:
        return {"mirror": pinned_version()}

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()
            self._container = None


def find_mirror(
    folder: Path,
    *,
    region: str,
    kafka: str,
    say: Say = quiet,
    log: Path | None = None,
    host: str = LOOPBACK,
    within: Sequence[str] = (),
) -> Mirror:
    """The mirror of a region on this machine, not started yet: embedded, Docker, or MissingPart.

    Only an embedded one can be put somewhere else by `host` and `within`.
    """
    try:
        java()
        classpath(say)
    except MissingPart as why:
        no_docker = docker_answers()
        if no_docker is None:
            return DockerMirror(folder, region=region, kafka=kafka, say=say)
        raise MissingPart(
            f"A mirror is missing: {why}, and {no_docker}. Install Java 17 and Maven, start Docker, or let the regions "
            "share one cluster by --shared-kafka."
        ) from why
    return EmbeddedMirror(folder, region=region, kafka=kafka, say=say, log=log, host=host, within=within)
