"""What every part of a stack can do: start, say where it is and what it is, stop."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum

from tibs_devstack.process import Child

Say = Callable[[str], None]
"""Takes one sentence for the person at the screen."""


def quiet(sentence: str) -> None:
    """A Say for those who do not want to hear it."""


class Origin(StrEnum):
    CONFIGURED = "configured"
    EMBEDDED = "embedded"
    DOCKER = "docker"


class MissingPart(Exception):
    """None of the ways to get a part is open on this machine; the text says what to install."""


class Part(ABC):
    """A server that the stack needs. `start` after `stop` brings back the same address and the same data."""

    name: str
    origin: Origin
    child: Child | None = None
    """The process of ours that serves it, if there is one."""

    @abstractmethod
    def start(self) -> None:
        """Returns when the server answers. Raises DidNotStart."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients reach it; valid after the first start."""

    @property
    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Name to version, as the server itself reports them."""

    @abstractmethod
    def stop(self) -> None:
        """Ends it cleanly. Harmless when it is not running."""

    def kill(self) -> None:
        """As a power cut would, if it is a process of ours."""
        if self.child is not None:
            self.child.kill()

    def release(self) -> None:  # noqa: B027 (most parts hold no ports of their own choice)
        """Gives its ports back, after `stop`; the next start may choose others."""

    @property
    def pid(self) -> int | None:
        """The process of ours that serves it, while it runs."""
        return self.child.pid if self.child is not None and self.child.running else None


def configured(name: str) -> str | None:
    """The address somebody set for a part, e.g. TIBS_DEVSTACK_KAFKA=localhost:9092."""
    return os.environ.get(f"TIBS_DEVSTACK_{name.upper()}") or None


def docker_answers() -> str | None:
    """None when a Docker daemon answers, else why it does not."""
    try:
        import docker  # type: ignore[import-untyped]  # no stubs are published with it

        client = docker.from_env(timeout=5)
        try:
            client.ping()
        finally:
            client.close()
    except Exception as error:  # docker raises a different type for each way of being absent
        return f"no Docker daemon answers ({type(error).__name__})"
    return None
