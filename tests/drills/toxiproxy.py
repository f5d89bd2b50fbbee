"""Toxiproxy, a TCP proxy whose lines can be made slow, thin, and dead: its server as a child, its API as calls."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tibs_devstack.places import PROJECT
from tibs_devstack.process import LOOPBACK, Child, answers, free_port, give_back, wait_for


class Toxiproxy:
    """`scripts/setup-drills.sh` puts the program into .tools/bin."""

    def __init__(self, log: Path) -> None:
        program = shutil.which("toxiproxy-server", path=str(PROJECT / ".tools" / "bin"))
        if program is None:
            raise RuntimeError("there is no toxiproxy-server in .tools/bin: scripts/setup-drills.sh puts it there")
        self._port = free_port()
        self._child = Child(
            name="Toxiproxy", argv=[program, "-host", LOOPBACK, "-port", str(self._port)], log=log, env={}
        )
        wait_for(lambda: answers(self._port), child=self._child, timeout=20)
        self._http = httpx.Client(base_url=f"http://{LOOPBACK}:{self._port}", trust_env=False, timeout=10)

    def proxy(self, name: str, *, listen: str, upstream: str) -> None:
        """A line from `listen` to `upstream`, both host:port."""
        self._ask("POST", "/proxies", {"name": name, "listen": listen, "upstream": upstream, "enabled": True})

    def poison(self, name: str, toxic: str, *, stream: str = "downstream", **attributes: int) -> None:
        """Makes a line bad: latency (latency, jitter), bandwidth (rate, KB/s), timeout, reset_peer (both: timeout)."""
        self._ask(
            "POST",
            f"/proxies/{name}/toxics",
            {"name": f"{toxic}-{stream}", "type": toxic, "stream": stream, "attributes": attributes},
        )

    def cure(self, name: str, toxic: str, *, stream: str = "downstream") -> None:
        """Takes one of them away."""
        self._ask("DELETE", f"/proxies/{name}/toxics/{toxic}-{stream}")

    def heal(self, name: str) -> None:
        """Takes all that is bad from a line."""
        for toxic in self._ask("GET", f"/proxies/{name}/toxics"):
            self._ask("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
        self.connect(name)

    def cut(self, name: str) -> None:
        """Closes the line's connections and refuses new ones."""
        self._ask("POST", f"/proxies/{name}", {"enabled": False})

    def connect(self, name: str) -> None:
        self._ask("POST", f"/proxies/{name}", {"enabled": True})

    def close(self) -> None:
        self._http.close()
        self._child.kill()
        give_back(self._port)

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        answer = self._http.request(method, path, json=content)
        answer.raise_for_status()
        return answer.json() if answer.content else None
