"""Lines between regions that can be cut and made bad.

Each region's mirror lives in a network namespace of its own with two veth links: `home` to its own cluster, `line` to
everybody else's. What it reaches over `line` is a Toxiproxy in front of each cluster, which its Kafka advertises as an
external listener would be. The line of a region is what it pulls over, so to cut it alone leaves the other direction
whole. Where namespaces are not to be had (no root), the mirrors run beside everything else and a cut is the proxy's.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from drills.toxiproxy import Toxiproxy
from tibs_devstack.lines import Lines
from tibs_devstack.parts.kafka import Kafka, Listener
from tibs_devstack.process import LOOPBACK, free_port, give_back

_TABLE = "tibs_drills"


def namespaces_can_be_made() -> bool:
    """Root, with `ip` and `nft`, in a kernel that has namespaces and veth."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("nft") is None:
        return False
    name = f"tibs-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


class BadLines(Lines):
    """Of regions that run on one machine. Numbers in addresses follow the order in which regions are prepared."""

    def __init__(self, folder: Path, *, namespaces: bool | None = None) -> None:
        self.namespaces = namespaces_can_be_made() if namespaces is None else namespaces
        folder.mkdir(parents=True, exist_ok=True)
        self.proxy = Toxiproxy(folder / "toxiproxy.log")
        self._numbers: dict[str, int] = {}
        self._ports: dict[str, tuple[int, int, int]] = {}
        self._cut: set[str] = set()
        if self.namespaces:
            self._sweep()

    # -- what a stack asks -----------------------------------------------------------------------------------------

    def prepare(self, region: str) -> None:
        if region in self._numbers:
            return
        self._numbers[region] = len(self._numbers) + 1
        self._ports[region] = (free_port(), free_port(), free_port())
        if self.namespaces:
            self._make_links(region)
        self.proxy.proxy(region, listen=self._peers_address(region), upstream=f"{LOOPBACK}:{self._ports[region][1]}")

    def listeners(self, region: str) -> Mapping[str, Listener]:
        _, peers, home = self._ports[region]
        doors = {"PEERS": Listener(f"{LOOPBACK}:{peers}", self._peers_address(region))}
        if self.namespaces:
            doors["HOME"] = Listener(f"{self._net(77, region)}.1:{home}", f"{self._net(77, region)}.1:{home}")
        return doors

    def at_home(self, region: str, kafka: Kafka) -> str:
        return f"{self._net(77, region)}.1:{self._ports[region][2]}" if self.namespaces else kafka.address

    def from_abroad(self, region: str, kafka: Kafka) -> str:
        return self._peers_address(region)

    def host(self, region: str) -> str:
        return f"{self._net(77, region)}.2" if self.namespaces else LOOPBACK

    def within(self, region: str) -> Sequence[str]:
        return ("ip", "netns", "exec", self._space(region)) if self.namespaces else ()

    def close(self) -> None:
        self.proxy.close()
        if self.namespaces:
            self._sweep()
        for ports in self._ports.values():
            for port in ports:
                give_back(port)
        self._ports.clear()

    # -- what a drill does -----------------------------------------------------------------------------------------

    def cut(self, *regions: str) -> None:
        """Silences the lines over which these regions pull: packets vanish in both directions, nobody is told."""
        self._cut.update(regions)
        self._apply_cuts()

    def mend(self, *regions: str) -> None:
        self._cut.difference_update(regions)
        self._apply_cuts()

    def _apply_cuts(self) -> None:
        if not self.namespaces:
            for region in self._numbers:
                # Without namespaces a line is known by whom it leads to: of two regions that is the other one.
                for peer in self._numbers:
                    if peer != region:
                        (self.proxy.cut if region in self._cut else self.proxy.connect)(peer)
            return
        rules = "".join(
            f'add rule inet {_TABLE} inward iifname "tl{self._numbers[region]}" drop\n'
            f'add rule inet {_TABLE} outward oifname "tl{self._numbers[region]}" drop\n'
            for region in sorted(self._cut)
        )
        subprocess.run(
            ["nft", "-f", "-"],
            input=(
                f"add table inet {_TABLE}\n"
                f"delete table inet {_TABLE}\n"
                f"add table inet {_TABLE}\n"
                f"add chain inet {_TABLE} inward {{ type filter hook input priority 0; }}\n"
                f"add chain inet {_TABLE} outward {{ type filter hook output priority 0; }}\n" + rules
            ),
            text=True,
            check=True,
            capture_output=True,
        )

    # -- links -----------------------------------------------------------------------------------------------------

    def _space(self, region: str) -> str:
        return f"tibs-drill-{region}"

    def _net(self, kind: int, region: str) -> str:
        return f"10.{kind}.{self._numbers[region]}"

    def _peers_address(self, region: str) -> str:
        host = f"{self._net(79, region)}.1" if self.namespaces else LOOPBACK
        return f"{host}:{self._ports[region][0]}"

    def _make_links(self, region: str) -> None:
        space, number = self._space(region), self._numbers[region]
        _ip("netns", "add", space)
        _ip("-n", space, "link", "set", "lo", "up")
        for kind, name in ((77, "th"), (78, "tl")):
            _ip("link", "add", f"{name}{number}", "type", "veth", "peer", "name", name, "netns", space)
            _ip("addr", "add", f"{self._net(kind, region)}.1/24", "dev", f"{name}{number}")
            _ip("link", "set", f"{name}{number}", "up")
            _ip("-n", space, "addr", "add", f"{self._net(kind, region)}.2/24", "dev", name)
            _ip("-n", space, "link", "set", name, "up")
        _ip("-n", space, "route", "add", "default", "via", f"{self._net(78, region)}.1")
        _ip("addr", "add", f"{self._net(79, region)}.1/32", "dev", "lo")

    def _sweep(self) -> None:
        """Also what a drill left behind that was killed."""
        subprocess.run(["nft", "delete", "table", "inet", _TABLE], capture_output=True, check=False)
        told = subprocess.run(["ip", "-j", "netns", "list"], capture_output=True, text=True, check=False).stdout
        for one in json.loads(told or "[]"):
            if one["name"].startswith("tibs-drill-"):
                subprocess.run(["ip", "netns", "del", one["name"]], capture_output=True, check=False)
        for number in range(1, 10):
            for name in ("th", "tl"):
                subprocess.run(["ip", "link", "del", f"{name}{number}"], capture_output=True, check=False)
            subprocess.run(["ip", "addr", "del", f"10.79.{number}.1/32", "dev", "lo"], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    run = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {run.stderr.strip()}")
