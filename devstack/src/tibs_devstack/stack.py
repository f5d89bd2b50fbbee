"""Regions on this machine: the parts they stand on, and their services, started, watched and stopped as one.

async with Stack(regions=["pl84", "fi1c"], state_dir=folder) as stack:
    stack.url("pl84")                      # the UI
    await stack.kill("fi1c", "cases")      # as a crash would, held down until
    await stack.start("fi1c", "cases")
    await stack.stop_kafka("pl84"); await stack.start_kafka("pl84")
    await stack.add("lv008")               # a third region joins; the others run on
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tibs_chassis.regions import Regions
from tibs_contracts.topics import SERVICES, TopicDeclaration, declared, pulled
from tibs_devstack.control import Control
from tibs_devstack.launch import InstalledServices, Launch, child_environment
from tibs_devstack.lines import Lines
from tibs_devstack.nodes import (
    DATABASE_EXTENSIONS,
    NodeKeys,
    Ports,
    Secrets,
    liked_port,
    public_url,
    service_environment,
    write_regions,
)
from tibs_devstack.parts.base import Part, Say, configured, quiet
from tibs_devstack.parts.identity import Identity
from tibs_devstack.parts.kafka import Kafka, find_kafka
from tibs_devstack.parts.mail import Mail
from tibs_devstack.parts.mirror import Mirror, find_mirror
from tibs_devstack.parts.postgres import PostgresServer, find_postgres
from tibs_devstack.people import Person, people_of
from tibs_devstack.places import PROJECT, default_state_dir
from tibs_devstack.process import LOOPBACK, Child, DidNotStart
from tibs_devstack.state import (
    PartState,
    PersonState,
    RegionState,
    ServiceState,
    StackState,
    StateFolder,
    write_private,
)
from tibs_devstack.supervisor import Condition, Supervised, SupervisedPart, SupervisedService, ended, in_thread
from tibs_devstack.topics import declare_topics

Progress = Callable[[str, str, str], None]
"""Takes a step's name, its condition (starting, ready, crashed, down) and a word more."""


class AlreadyRunning(Exception):
    """Another process runs a stack in the same folder."""


class Stack:
    """One or more regions, each with a Kafka cluster and a mirror of its own, or with one cluster for all.

    `environment` is put over what the services get, e.g. {"TIBS_EMBEDDER": "hashing"}. `durable=False` is faster and
    safe against everything but a power cut: for tests. Whoever configured a Kafka has one cluster: it is shared.
    `lines` are those between clusters.
    """

    def __init__(
        self,
        *,
        regions: Sequence[str],
        state_dir: Path | None = None,
        regions_file: Path = PROJECT / "deploy" / "regions.yaml",
        say: Say = quiet,
        progress: Progress = lambda name, condition, more: None,
        environment: Mapping[str, str] | None = None,
        durable: bool = True,
        shared_kafka: bool = False,
        launch: Launch | None = None,
        lines: Lines | None = None,
    ) -> None:
        if not regions:
            raise ValueError("a stack needs at least one region, such as pl84")
        self.regions = list(dict.fromkeys(regions))
        self._known = Regions.load(regions_file)
        for code in self.regions:
            self._known[code]  # raises a sentence for one that does not exist
        self.folder = StateFolder((state_dir or default_state_dir()).resolve())
        self._ports = Ports(self.folder.path / "ports.json")
        self._addresses: dict[str, str] = {}
        self._regions_source = regions_file
        self._say = say
        self._progress = progress
        self._extra = dict(environment or {})
        self._durable = durable
        self.shared_kafka = shared_kafka or configured("kafka") is not None
        self._launch: Launch = launch or InstalledServices()
        self._lines = lines or Lines()
        self._services: dict[tuple[str, str], SupervisedService] = {}
        self._parts: dict[str, SupervisedPart] = {}
        self._databases: dict[tuple[str, str], str] = {}
        self._versions: dict[str, dict[str, str]] = {}
        self._state = StackState(pid=os.getpid(), started_at=datetime.now(UTC).isoformat(timespec="seconds"))
        self._control = Control(self.folder.path, self._asked)
        self._up = False

    # -- the whole ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "Stack":
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Returns when every service is ready. On failure nothing is left running."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        if not self.folder.lock.acquire(wait=False):
            raise AlreadyRunning(f"A stack is already running in {self.folder.path}.")
        began = time.monotonic()
        self._up = True
        try:
            # One client for all: each would load the certificates of the system anew.
            self._http = httpx.AsyncClient(timeout=5, trust_env=False)
            self._settle_mode()
            self._prepare()
            await self._start_parts()
            await _all(self._start_services(self.regions), self._start_mirrors())
        except BaseException:
            await self.down()
            raise
        self._state.ready, self._state.seconds = True, round(time.monotonic() - began, 1)
        self._tell()
        await self._control.open()

    async def down(self) -> None:
        """Ends everything: services first, then what they stand on. Harmless when nothing runs."""
        if not self._up:
            return
        self._up = False
        await self._control.close()
        await asyncio.gather(*(one.stop() for one in self._services.values()))
        await self._http.aclose()
        await asyncio.gather(*(one.stop() for one in self._parts.values()))
        for one in self._parts.values():
            one.part.release()
        await in_thread(self._lines.close)
        self._state.ready = False
        if self._parts:
            self._tell()
        self._ports.release()
        self.folder.lock.release()

    async def add(self, region: str) -> None:
        """A region joins the ones that run. It gets the whole history of each, and they get its; none is restarted.

        On failure the newcomer is taken down again, the others run on. ValueError if it runs already.
        """
        if region in self.regions:
            raise ValueError(f"{region} runs already")
        self._known[region]
        others = list(self.regions)
        self._keys[region] = NodeKeys(self.folder.path / "keys" / region)
        self._known = write_regions(self._regions_source, self._regions_file, self._keys)
        self.regions.append(region)
        try:
            self._prepare_region(region)
            await _all(
                self._parts[f"{region} identity"].start(),
                self._start_cluster(region) if not self.shared_kafka else self._declare_shared(region),
                in_thread(partial(self._make_databases, [region])),
            )
            self._write_environments(region)
            if not self.shared_kafka:
                for peer in others:
                    await declare_topics(self.kafka(peer).address, pulled(peer, region))
                await self._start_mirror(region)
                await _all(*(self._pull(peer, region) for peer in others))
            await self._start_services([region])
            await self._read_versions()
        except BaseException:
            await self._take_away(region)
            raise
        self._tell()

    async def _asked(self, request: dict[str, Any], step: Progress) -> None:
        """What another command may ask of this one, see `control`."""
        if request.get("do") != "add":
            raise ValueError(f"a stack does 'add', not {request.get('do')!r}")
        shown = self._progress

        def shown_there_too(name: str, condition: str, more: str) -> None:
            shown(name, condition, more)
            step(name, condition, more)

        self._progress = shown_there_too
        try:
            await self.add(str(request.get("region")))
        except DidNotStart as error:
            raise RuntimeError(str(error)) from error
        finally:
            self._progress = shown

    async def _take_away(self, region: str) -> None:
        if not self.shared_kafka:
            for peer in self.regions:
                if peer != region and region in self.mirror(peer).states():
                    await in_thread(partial(self.mirror(peer).drop, region))
        services = [one for (code, _), one in self._services.items() if code == region]
        parts = [one for name, one in self._parts.items() if name.startswith(f"{region} ")]
        await asyncio.gather(*(one.stop() for one in services))
        await asyncio.gather(*(one.stop() for one in parts))
        for one in parts:
            one.part.release()
        self._services = {key: one for key, one in self._services.items() if key[0] != region}
        self._parts = {name: one for name, one in self._parts.items() if not name.startswith(f"{region} ")}
        self.regions.remove(region)
        del self._keys[region]
        self._tell()

    # -- what there is -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> StackState:
        """As it is written to state.json."""
        return self._state

    def kafka(self, region: str) -> Kafka:
        """The cluster of a region, which may be that of all."""
        part = self._kafka_of(region).part
        assert isinstance(part, Kafka)
        return part

    def mirror(self, region: str) -> Mirror:
        """What pulls for a region. With a shared cluster there is none: KeyError."""
        part = self._parts[f"{region} mirror"].part
        assert isinstance(part, Mirror)
        return part

    @property
    def postgres(self) -> PostgresServer:
        part = self._parts["postgres"].part
        assert isinstance(part, PostgresServer)
        return part

    @property
    def mail(self) -> Mail:
        part = self._parts["mail"].part
        assert isinstance(part, Mail)
        return part

    def identity(self, region: str) -> Identity:
        part = self._parts[f"{region} identity"].part
        assert isinstance(part, Identity)
        return part

    @property
    def versions(self) -> dict[str, str]:
        """Of all parts, as the servers report them."""
        return self._state.versions

    def url(self, region: str, service: str = "cases") -> str:
        """Where a process of a service answers; for `cases` the UI as a person reaches it."""
        if service == "cases":
            return public_url(self._service_ports(region))
        return f"http://{LOOPBACK}:{self._port(region, service)}"

    def people(self, region: str) -> dict[str, Person]:
        """Who can sign in, by short key: broker, broker2, reviewer, lead, analyst."""
        return {person.key: person for person in people_of(self._known[region])}

    def environment(self, region: str, service: str) -> dict[str, str]:
        """The TIBS_ variables of a service, secrets included."""
        held: dict[str, str] = json.loads(self.folder.environment_file(region, service).read_text(encoding="utf-8"))
        return held

    def log(self, name: str) -> Path:
        """The log of postgres, identity, mail, region-kafka, region-mirror, or region-service."""
        return self.folder.logs / f"{name}.log"

    def service(self, region: str, service: str) -> SupervisedService:
        """A process with `condition`, `restarts` and `child`; where roles are apart also `registry-relay`."""
        return self._services[region, service]

    def part(self, name: str) -> SupervisedPart:
        """A part by its name in state.json: `postgres`, `pl84 kafka`, `pl84 mirror`."""
        return self._parts[name]

    def processes(self, region: str) -> list[str]:
        """The names of a region's processes, for `service`, `kill`, `start`."""
        return [name for code, name in self._services if code == region]

    # -- faults ------------------------------------------------------------------------------------------------------

    async def kill(self, region: str, service: str) -> None:
        """kill -9, and held down until `start`."""
        await self._services[region, service].kill()

    async def stop(self, region: str, service: str) -> None:
        """Ends a service as an update would, and holds it down until `start`."""
        await self._services[region, service].stop()

    async def start(self, region: str, service: str) -> None:
        """Returns when it is ready again."""
        await self._services[region, service].start()

    async def stop_kafka(self, region: str) -> None:
        await self._kafka_of(region).stop()

    async def kill_kafka(self, region: str) -> None:
        """kill -9."""
        await self._kafka_of(region).kill()

    async def start_kafka(self, region: str) -> None:
        """At the same address, with the same data."""
        await self._kafka_of(region).start()

    async def kill_mirror(self, region: str) -> None:
        """kill -9: nothing comes in from the other regions until `start_mirror`."""
        await self._parts[f"{region} mirror"].kill()

    async def start_mirror(self, region: str) -> None:
        """Goes on where it had last noted that it was, so it may repeat some records."""
        await self._parts[f"{region} mirror"].start()

    async def kill_postgres(self) -> None:
        """kill -9 of the server that holds all databases, and of its own children."""
        await self._parts["postgres"].kill()

    async def start_postgres(self) -> None:
        """At the same address, with everything that was committed."""
        await self._parts["postgres"].start()

    def _kafka_of(self, region: str) -> SupervisedPart:
        return self._parts["kafka" if self.shared_kafka else f"{region} kafka"]

    # -- how it gets there -------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        path = self.folder.path
        self._secrets = Secrets(path / "secrets.json")
        self._keys = {code: NodeKeys(path / "keys" / code) for code in self.regions}
        self._regions_file = path / "regions.yaml"
        self._known = write_regions(self._regions_source, self._regions_file, self._keys)
        self._supervise(
            "postgres", find_postgres(path / "postgres", say=self._say, log=self.log("postgres"), durable=self._durable)
        )
        self._supervise(
            "mail",
            Mail(
                path / "mail",
                smtp_port=self._ports.get("smtp"),
                http_port=self._ports.get("mail", liked=8025),
                log=self.log("mail"),
            ),
        )
        if self.shared_kafka:
            self._supervise("kafka", find_kafka(path / "kafka", say=self._say, log=self.log("kafka")))
        for code in self.regions:
            self._prepare_region(code)
        self._tell()

    def _prepare_region(self, code: str) -> None:
        path = self.folder.path
        self._lines.prepare(code)
        if not self.shared_kafka:
            log = self.log(f"{code}-kafka")
            listeners = self._lines.listeners(code)
            kafka = find_kafka(path / code / "kafka", say=self._say, log=log, listeners=listeners)
            self._supervise(f"{code} kafka", kafka)
        self._supervise(
            f"{code} identity",
            Identity(
                path / "identity" / code,
                people=people_of(self._known[code]),
                port=self._ports.get(f"{code}/identity"),
                log=self.log(f"{code}-identity"),
            ),
        )
        for service in self._launch.services:
            for role in self._launch.roles(service):
                name = service if role in ("all", "web") else f"{service}-{role}"
                self._services[code, name] = SupervisedService(
                    f"{code} {name}",
                    spawn=partial(self.spawn, code, service, role, name),
                    answers=partial(self._answers, code, name),
                    on_change=self._changed,
                )

    def _supervise(self, name: str, part: Part) -> SupervisedPart:
        self._parts[name] = SupervisedPart(part, name=name, on_change=self._changed)
        return self._parts[name]

    def _settle_mode(self) -> None:
        """What was written into one cluster is not in the others: a folder keeps the mode that it began with."""
        file = self.folder.path / "clusters"
        wanted = "shared" if self.shared_kafka else "own"
        held = file.read_text(encoding="utf-8") if file.exists() else wanted
        if held != wanted:
            how = "with" if held == "shared" else "without"
            raise ValueError(
                f"The regions in {self.folder.path} were begun {how} --shared-kafka: go on {how} it, take another "
                "--state-dir, or forget them by `tibs reset`."
            )
        file.write_text(wanted, encoding="utf-8")

    def _service_ports(self, region: str) -> dict[str, int]:
        return {service: self._port(region, service) for service in SERVICES}

    def _port(self, region: str, name: str) -> int:
        return self._ports.get(f"{region}/{name}", liked=liked_port(region) if name == "cases" else None)

    async def _start_parts(self) -> None:
        async def postgres() -> None:
            await self._parts["postgres"].start()
            await in_thread(partial(self._make_databases, self.regions))

        async def shared_kafka() -> None:
            await self._parts["kafka"].start()
            for code in self.regions:
                await self._declare_shared(code)

        clusters = [shared_kafka()] if self.shared_kafka else [self._start_cluster(code) for code in self.regions]
        identities = [self._parts[f"{code} identity"].start() for code in self.regions]
        await _all(postgres(), self._parts["mail"].start(), *clusters, *identities)
        for code in self.regions:
            self._write_environments(code)
        await self._read_versions()

    async def _start_cluster(self, code: str) -> None:
        await self._kafka_of(code).start()
        mirrored = [topic for peer in self.regions if peer != code for topic in pulled(code, peer)]
        await declare_topics(self.kafka(code).address, [*self._own(code), *mirrored])

    async def _declare_shared(self, code: str) -> None:
        await declare_topics(self.kafka(code).address, self._own(code))

    def _own(self, code: str) -> list[TopicDeclaration]:
        """Also the topics to regions that do not run here: what is meant for them waits there."""
        return declared(code, [region.code for region in self._known.others(code)])

    async def _start_mirrors(self) -> None:
        """All that there are, each for all its peers."""
        if not self.shared_kafka:
            await _all(*(self._start_mirror(code) for code in self.regions))
            await self._read_versions()

    async def _start_mirror(self, code: str) -> None:
        part = find_mirror(
            self.folder.path / code / "mirror",
            region=code,
            kafka=self._lines.at_home(code, self.kafka(code)),
            log=self.log(f"{code}-mirror"),
            host=self._lines.host(code),
            within=self._lines.within(code),
        )
        await self._supervise(f"{code} mirror", part).start()
        for peer in self.regions:
            if peer != code:
                await self._pull(code, peer)

    async def _pull(self, code: str, peer: str) -> None:
        topics = [topic.name for topic in pulled(code, peer)]
        address = self._lines.from_abroad(peer, self.kafka(peer))
        await in_thread(partial(self.mirror(code).pull, peer, address, topics))

    async def _read_versions(self) -> None:
        self._versions = await in_thread(lambda: {name: dict(one.part.versions) for name, one in self._parts.items()})

    def _make_databases(self, regions: Sequence[str]) -> None:
        for code in regions:
            for service in self._launch.services:
                self._databases[code, service] = self.postgres.create_database(
                    f"{code}_{service}",
                    password=self._secrets.get(f"{code}/{service}/database"),
                    extensions=DATABASE_EXTENSIONS.get(service, ()),
                )

    def _write_environments(self, region: str) -> None:
        for service in self._launch.services:
            self._write_environment(region, service)

    def _write_environment(self, region: str, service: str) -> None:
        settings = service_environment(
            region=region,
            service=service,
            regions_file=self._regions_file,
            database_url=self._databases[region, service],
            kafka=self.kafka(region).address,
            ports=self._service_ports(region),
            keys=self._keys[region],
            secret=self._secrets,
            issuer=self.identity(region).address,
            smtp=self.mail.address,
            extra=self._extra,
        )
        write_private(self.folder.environment_file(region, service), json.dumps(settings, indent=1))

    async def _start_services(self, regions: Sequence[str]) -> None:
        await self._migrate([(code, service) for code in regions for service in self._launch.services])
        await _all(*(one.start() for (code, _), one in self._services.items() if code in regions))

    async def _migrate(self, keys: Sequence[tuple[str, str]]) -> None:
        files = {key: self.folder.environment_file(*key) for key in keys}
        self._progress("databases", Condition.STARTING, "migrating")
        for number, argv in enumerate(self._launch.migrate(files)):
            child = Child(name="the migration", argv=argv, log=self.log("migrate"), env=child_environment({}))
            try:
                code = await ended(child)
            finally:
                child.kill()
            if code != 0:
                raise DidNotStart(f"migration {number + 1} failed; {child.log} ends with\n{child.tail()}")
        self._progress("databases", Condition.READY, "")

    def spawn(self, region: str, service: str, role: str, name: str) -> Child:
        """One more process of a service, which nobody watches but who asked for it."""
        settings = self.environment(region, service) | {"TIBS_HTTP_PORT": str(self._port(region, name))}
        return Child(
            name=f"{region} {name}",
            argv=self._launch.run(service, role),
            log=self.log(f"{region}-{name}"),
            env=child_environment(settings),
            cwd=self.folder.path,
        )

    async def _answers(self, region: str, name: str) -> str | None:
        """None when it is ready, else what it says instead."""
        url = f"http://{LOOPBACK}:{self._port(region, name)}/readyz"
        try:
            answer = await self._http.get(url)
        except httpx.HTTPError as error:
            return f"nobody answers at {url} ({type(error).__name__})"
        return None if answer.status_code == 200 else f"{url} answers {answer.status_code} {answer.text[:300]}"

    # -- what it tells -----------------------------------------------------------------------------------------------

    def _changed(self, one: Supervised) -> None:
        more = ""
        if one.condition is Condition.CRASHED:
            code = one.child.returncode if one.child is not None else None
            self._say(f"{one.name} ended with code {code} and is started again")
        if isinstance(one, SupervisedPart) and one.condition is Condition.READY:
            more = self._addresses[one.name] = one.part.address
        self._progress(one.name, one.condition, more)
        self._tell()

    def _tell(self) -> None:
        self._state.parts = {
            name: PartState(
                address=self._addresses.get(name, ""),
                origin=one.part.origin,
                condition=one.condition,
                page=one.part.page if isinstance(one.part, Mail) else None,
                pid=one.part.pid,
                versions=self._versions.get(name, {}),
            )
            for name, one in self._parts.items()
        }
        self._state.regions = {code: self._region_state(code) for code in self.regions}
        self.folder.write(self._state)

    def _region_state(self, code: str) -> RegionState:
        services = {
            service: ServiceState(
                url=self.url(code, service),
                condition=one.condition,
                pid=one.child.pid if one.child is not None and one.child.running else None,
                restarts=one.restarts,
            )
            for (region, service), one in self._services.items()
            if region == code
        }
        people = [PersonState.model_validate(person, from_attributes=True) for person in self.people(code).values()]
        return RegionState(
            name=self._known[code].name_in("en"),
            url=self.url(code),
            issuer=self.identity(code).address,
            people=people,
            services=services,
        )


async def _all(*starts: Coroutine[Any, Any, None]) -> None:
    """Runs them together; when one fails, the others are stopped before its error goes on."""
    tasks = [asyncio.create_task(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
