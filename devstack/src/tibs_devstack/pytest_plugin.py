"""Real Kafka and PostgreSQL for tests: one of each for the whole run, a fresh database for each test that asks.

Nothing starts before the first test that needs it. The servers are children of the test run and end with it, even when
it is killed; their folder is temporary and is swept by a later run when this one had no chance to.
"""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tibs_devstack.parts.kafka import Kafka, find_kafka
from tibs_devstack.parts.postgres import PostgresServer, find_postgres
from tibs_devstack.process import FolderLock

MakeDatabase = Callable[..., str]
MakeFolder = Callable[[str], Path]
_PREFIX = "tibs-tests-"
_TEMPLATE = f"tibs_template_{os.getpid()}"


def _sweep(root: Path) -> None:
    """Folders of runs that were killed: nobody holds their lock any more."""
    for folder in root.glob(f"{_PREFIX}*"):
        lock = FolderLock(folder / ".lock")
        with contextlib.suppress(OSError):
            if lock.acquire(wait=False):
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()


@pytest.fixture(scope="session")
def parts_folder() -> Iterator[Path]:
    """The folder of this run's servers, with their logs; removed at the end."""
    root = Path(tempfile.gettempdir())
    # Two runs that start together must not sweep each other's folder before it is locked.
    sweeping = FolderLock(root / f".{_PREFIX}{os.getuid()}.lock")
    sweeping.acquire(wait=True)
    try:
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = FolderLock(folder / ".lock")
        lock.acquire(wait=False)
    finally:
        sweeping.release()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()


@pytest.fixture(scope="session")
def make_folder(parts_folder: Path) -> MakeFolder:
    """`make_folder("stack")` → a new folder that servers can live in, e.g. as the state folder of a stack.

    Not pytest's own temporary folders: every starting pytest closes those of its user to everybody else, and where
    tests run as root, PostgreSQL is somebody else.
    """

    def make(name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parts_folder))

    return make


@pytest.fixture
def state_dir(make_folder: MakeFolder) -> Path:
    """A fresh folder for a stack."""
    return make_folder("stack")


@pytest.fixture(scope="session")
def kafka_server(parts_folder: Path) -> Iterator[Kafka]:
    """The broker itself, for tests that stop and start it."""
    server = find_kafka(parts_folder / "kafka")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka(kafka_server: Kafka) -> str:
    """Bootstrap servers of a real Kafka. Topics are not made by themselves: declare them."""
    return kafka_server.address


@pytest.fixture(scope="session")
def postgres(parts_folder: Path) -> Iterator[PostgresServer]:
    """A real PostgreSQL with pgvector."""
    server = find_postgres(parts_folder / "postgres", durable=False)
    server.start()
    server.create_database(_TEMPLATE, extensions=["vector"])
    yield server
    server.drop_database(_TEMPLATE)
    server.drop_role(_TEMPLATE)
    server.stop()


@pytest.fixture
def make_database(postgres: PostgresServer) -> Iterator[MakeDatabase]:
    """`make_database(name="db", template=None)` → URL of a new, empty database with pgvector and a role of its own.

    `template` is the URL of a database to copy, role included: one that is migrated already, say, to which nobody is
    connected. Everything made is dropped after the test.
    """
    made: dict[str, str] = {}

    def make(name: str = "db", *, template: str | None = None) -> str:
        database = role = f"{name[:40]}_{uuid.uuid4().hex[:8]}"
        password = source = None
        if template is not None:
            copied = urlsplit(template)
            role, password, source = copied.username or role, copied.password, copied.path.lstrip("/")
        made[database] = role
        return postgres.create_database(database, role=role, password=password, template=source or _TEMPLATE)

    yield make
    for database in made:
        postgres.drop_database(database)
    for role in {role for database, role in made.items() if role == database}:
        postgres.drop_role(role)


@pytest.fixture
def database_url(make_database: MakeDatabase) -> str:
    """The URL of a fresh, empty database."""
    return make_database("test")
