"""What a running stack tells about itself: a file in its state folder, read by the other commands and by tests."""

import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel, ValidationError

from tibs_devstack.process import FolderLock


class PersonState(BaseModel):
    key: str
    sub: str
    name: str
    email: str
    roles: list[str]


class ServiceState(BaseModel):
    url: str
    condition: str
    pid: int | None = None
    restarts: int = 0


class RegionState(BaseModel):
    name: str
    url: str
    """The UI."""
    issuer: str
    people: list[PersonState]
    services: dict[str, ServiceState]


class PartState(BaseModel):
    address: str
    origin: str
    condition: str
    page: str | None = None
    pid: int | None = None
    versions: dict[str, str] = {}


class StackState(BaseModel):
    """Addresses, processes, versions and sign-ins. It holds no secret."""

    pid: int
    ready: bool = False
    """Everything answered once."""
    started_at: str
    seconds: float | None = None
    """From nothing to ready."""
    regions: dict[str, RegionState] = {}
    parts: dict[str, PartState] = {}

    @property
    def versions(self) -> dict[str, str]:
        """As the servers report them."""
        return {name: version for part in self.parts.values() for name, version in part.versions.items()}


class StateFolder:
    """The folder of a stack: everything it keeps and everything it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = FolderLock(path / "lock")

    @property
    def file(self) -> Path:
        return self.path / "state.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def environment_file(self, region: str, service: str) -> Path:
        return self.path / "env" / f"{region}-{service}.json"

    def write(self, state: StackState) -> None:
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(state.model_dump_json(indent=1), encoding="utf-8")
        unfinished.replace(self.file)

    def read(self) -> StackState | None:
        """What the last stack here wrote, whether it still runs or not."""
        try:
            return StackState.model_validate_json(self.file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def running(self) -> bool:
        """Somebody holds the folder. The lock ends with its holder, however that ends."""
        if not self.lock.path.exists():
            return False
        if self.lock.acquire(wait=False):
            self.lock.release()
            return False
        return True

    def stop(self, *, timeout: float = 60) -> bool:
        """Asks the stack that runs here to end, and waits for it. False if none ran."""
        if not self.running():
            return False
        state = self.read()
        if state is not None:
            try:
                os.kill(state.pid, signal.SIGTERM)
            except ProcessLookupError:
                return False
        deadline = time.monotonic() + timeout
        while self.running():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the stack in {self.path} did not end within {timeout:.0f} s")
            time.sleep(0.1)
        return True


def write_private(path: Path, content: str) -> None:
    """A file that only its owner may read, never seen half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    unfinished.replace(path)
