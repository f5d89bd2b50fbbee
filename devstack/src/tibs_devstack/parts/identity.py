"""A region's OpenID provider, in a process of its own, with the people of the desk already known to it."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tibs_devstack.parts.base import Origin, Part
from tibs_devstack.parts.python_server import start_python
from tibs_devstack.people import Person
from tibs_devstack.process import LOOPBACK


class Identity(Part):
    """The key is kept in `folder`, so that sign-ins survive a restart."""

    name = "identity"
    origin = Origin.EMBEDDED

    def __init__(self, folder: Path, *, people: Sequence[Person], port: int, log: Path) -> None:
        self._folder = folder
        self._people = people
        self._port = port
        self._log = log

    def start(self) -> None:
        if self.child is not None and self.child.running:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        provider = {
            "port": self._port,
            "title": self._people[0].name.partition(", ")[2],
            "key": str(self._folder / "provider.jwk"),
            "people": [person.claims() for person in self._people],
        }
        configuration = self._folder / "provider.json"
        configuration.write_text(json.dumps(provider, indent=1), encoding="utf-8")
        self.child = start_python(
            name="the identity provider",
            module="tibs_devstack.parts.identity_server",
            arguments=[str(configuration)],
            log=self._log,
            ports=[self._port],
        )

    @property
    def address(self) -> str:
        """The issuer."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"oidc-provider-mock": version("oidc-provider-mock")}

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(grace=3)
