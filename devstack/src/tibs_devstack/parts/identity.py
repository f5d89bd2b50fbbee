"""One OpenID provider a region, all in one process of their own, with the people of the desk already known to them."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tibs_devstack.parts.base import Origin, Part
from tibs_devstack.parts.python_server import start_python
from tibs_devstack.people import Person
from tibs_devstack.process import LOOPBACK


class Identity(Part):
    """`people` and `ports` by region code. Keys are kept in `folder`, so that sign-ins survive a restart."""

    name = "identity"
    origin = Origin.EMBEDDED

    def __init__(
        self, folder: Path, *, people: Mapping[str, Sequence[Person]], ports: Mapping[str, int], log: Path
    ) -> None:
        self._folder = folder
        self._people = people
        self._ports = ports
        self._log = log

    def start(self) -> None:
        if self.child is not None and self.child.running:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        providers = [
            {
                "port": self._ports[region],
                "title": people[0].name.partition(", ")[2],
                "key": str(self._folder / f"{region}.jwk"),
                "people": [person.claims() for person in people],
            }
            for region, people in self._people.items()
        ]
        configuration = self._folder / "providers.json"
        configuration.write_text(json.dumps(providers, indent=1), encoding="utf-8")
        self.child = start_python(
            name="the identity provider",
            module="tibs_devstack.parts.identity_server",
            arguments=[str(configuration)],
            log=self._log,
            ports=list(self._ports.values()),
        )

    def issuer(self, region: str) -> str:
        return f"http://{LOOPBACK}:{self._ports[region]}"

    @property
    def address(self) -> str:
        return " ".join(self.issuer(region) for region in self._ports)

    @property
    def versions(self) -> Mapping[str, str]:
        return {"oidc-provider-mock": version("oidc-provider-mock")}

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(grace=3)
