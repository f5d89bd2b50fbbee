"""How a service's process is started. The stack's own tests put a small stand-in in the place of the services."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tibs_contracts.topics import SERVICES
from tibs_devstack.parts.python_server import python_environment


class Launch(Protocol):
    """The command lines of a node's services."""

    services: Sequence[str]

    def roles(self, service: str) -> Sequence[str]:
        """The processes of a service: `all` in one, or several of web, consumer, relay."""

    def run(self, service: str, role: str) -> Sequence[str]:
        """Serves until told to stop."""

    def migrate(self, environments: Mapping[tuple[str, str], Path]) -> Sequence[Sequence[str]]:
        """Commands, one after the other, that bring the databases of (region, service) to the newest schema."""


class InstalledServices:
    """The services that are installed beside this package."""

    def __init__(self, services: Sequence[str] = SERVICES, *, apart: bool = False) -> None:
        """`apart`: each role in a process of its own, as in production."""
        self.services = services
        self._roles = ("web", "consumer", "relay") if apart else ("all",)

    def roles(self, service: str) -> Sequence[str]:
        return self._roles

    def run(self, service: str, role: str) -> Sequence[str]:
        return [*self.command(service), "run", "--role", role]

    def command(self, service: str) -> Sequence[str]:
        """Its own command line."""
        return [str(Path(sys.executable).with_name(f"tibs-{service}"))]

    def migrate(self, environments: Mapping[tuple[str, str], Path]) -> Sequence[Sequence[str]]:
        pairs = [f"tibs_{service}={file}" for (_, service), file in environments.items()]
        return [[sys.executable, "-m", "tibs_devstack.migrate", *pairs]]


def child_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Everything that a service's process gets to see."""
    # One thread for arithmetic each: eight services on two cores would otherwise fight over them.
    return python_environment() | {"OMP_NUM_THREADS": "1"} | dict(settings)
