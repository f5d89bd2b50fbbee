"""A service's process that dies, or stands still, at a named point: `python -m drills.crashing FOLDER SERVICE ROLE`.

A file in FOLDER holds the point, how many times it is passed before, and what happens then, e.g.
{"point": "relay.after_publish", "after": 3, "stops": false}. Who comes there takes the file away first, so that it
happens once. Without it, this is the service as it is.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from tibs_devstack.launch import InstalledServices

DIED_THERE = 77
_FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
POINTS = {
    "web": ("before_commit", "after_commit"),
    "relay": ("before_publish", "after_publish"),
    "consumer": ("before_commit", "after_commit"),
}
"""By role. What follows a publish is the note of it; what follows the commit of a handler is that of the offset."""


class CrashingServices(InstalledServices):
    """Each role in a process of its own, which a file can tell where to die."""

    def __init__(self, folder: Path) -> None:
        super().__init__(apart=True)
        self._folder = folder

    def run(self, service: str, role: str) -> Sequence[str]:
        return [sys.executable, "-m", "drills.crashing", str(self._folder), service, role]

    def order(self, region: str, service: str, role: str, *, point: str, after: int = 0, stops: bool = False) -> Path:
        """The next process of this kind dies at `point`, or stops there until SIGCONT, and takes the file away."""
        file = _file(self._folder, region, service, role)
        file.write_text(json.dumps({"point": f"{role}.{point}", "after": after, "stops": stops}), encoding="utf-8")
        return file

    def turn_clock(self, region: str, *, hours: int) -> bool:
        """Processes of a region that start from now on live so many hours ahead. False where that is not possible."""
        file = self._folder / f"clock-{region}"
        if hours == 0:
            file.unlink(missing_ok=True)
        elif _FAKETIME is not None:
            file.write_text(f"+{hours}h", encoding="utf-8")
        return hours == 0 or _FAKETIME is not None


def _live_at_another_time(file: Path) -> None:
    """Begins this program anew under a clock that is wrong. Timeouts go by the monotonic clock, which stays right."""
    if file.exists() and _FAKETIME is not None and "FAKETIME" not in os.environ:
        wrong = {"LD_PRELOAD": str(_FAKETIME), "FAKETIME": file.read_text(encoding="utf-8"), "DONT_FAKE_MONOTONIC": "1"}
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **wrong, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})


def _file(folder: Path, region: str, service: str, role: str) -> Path:
    return folder / f"crash-{region}-{service}-{role}.json"


class Fuse:
    """Burns down by one at each pass."""

    def __init__(self, file: Path) -> None:
        held = json.loads(file.read_text(encoding="utf-8"))
        self.point: str = held["point"]
        self._left: int = held["after"]
        self._stops: bool = held["stops"]
        self._file = file

    def passes(self, point: str) -> None:
        if point != self.point:
            return
        if self._left:
            self._left -= 1
            return
        self._file.unlink(missing_ok=True)
        if not self._stops:
            os._exit(DIED_THERE)
        self.point = ""
        os.kill(os.getpid(), signal.SIGSTOP)


def _transactions(fuse: Fuse, role: str) -> None:
    """Those alone that write an event or note that one arrived."""

    @event.listens_for(Engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        if "INTO outbox" in statement or "INTO inbox" in statement:
            connection.info["tells"] = True

    @event.listens_for(Engine, "commit")
    def before(connection: Any) -> None:
        if connection.info.get("tells"):
            fuse.passes(f"{role}.before_commit")

    @event.listens_for(Session, "after_commit")
    def after(session: Session) -> None:
        # The connection is back in its pool by now; it keeps what was noted for it.
        if session.info.pop("told", False):
            fuse.passes(f"{role}.after_commit")

    @event.listens_for(Session, "before_commit")
    def carry(session: Session) -> None:
        session.info["told"] = bool(session.connection().info.pop("tells", False))
        if session.info["told"]:
            session.connection().info["tells"] = True


def _relay(fuse: Fuse) -> None:
    from tibs_chassis.relay import Relay

    send, mark = Relay._send, Relay._mark

    async def sending(self: Relay, rows: Any, *more: Any) -> None:
        fuse.passes("relay.before_publish")
        await send(self, rows, *more)

    async def marking(self: Relay, connection: Any, confirmed: list[int]) -> None:
        if confirmed:
            fuse.passes("relay.after_publish")
        await mark(self, connection, confirmed)

    Relay._send, Relay._mark = sending, marking  # type: ignore[method-assign]


def main() -> None:
    folder, service, role = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    _live_at_another_time(folder / f"clock-{os.environ['TIBS_REGION']}")
    file = _file(folder, os.environ["TIBS_REGION"], service, role)
    if file.exists():
        fuse = Fuse(file)
        if role == "relay":
            _relay(fuse)
        else:
            _transactions(fuse, role)
    sys.argv = [f"tibs-{service}", "run", "--role", role]
    importlib.import_module(f"tibs_{service}.app").main()


if __name__ == "__main__":
    main()
