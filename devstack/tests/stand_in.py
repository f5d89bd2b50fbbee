"""A service's stand-in, and a supervisor for it: a process that answers /readyz, and one that keeps such processes.

`python stand_in.py serve` is the service; `up folder` runs a stack of them until it is stopped; `cli folder` does so as
`tibs up` does.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVICES = ("registry", "matching", "cases", "notify")


class StandIn:
    """In the place of the four services."""

    def __init__(self, *services: str) -> None:
        self.services: Sequence[str] = services or SERVICES

    def roles(self, service: str) -> Sequence[str]:
        return ["all"]

    def run(self, service: str, role: str) -> Sequence[str]:
        return [sys.executable, __file__, "serve"]

    def migrate(self, environments: Mapping[tuple[str, str], Path]) -> Sequence[Sequence[str]]:
        return [[sys.executable, "-c", ""]]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        broken = Path("broken").exists()
        body = b"{}" if self.path == "/readyz" else os.environ["TIBS_REGION"].encode()
        self.send_response(503 if broken else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve() -> None:
    if Path("refuses").exists():
        sys.exit("TIBS_REGION held 'x': that is no region.")
    port = int(os.environ["TIBS_HTTP_PORT"])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


async def up(folder: Path) -> None:
    from tibs_devstack.stack import Stack

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with Stack(regions=["pl84", "fi1c"], state_dir=folder, launch=StandIn(), durable=False):
        print("ready", flush=True)
        await stopping.wait()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    elif sys.argv[1] == "cli":
        from tibs_devstack import cli
        from tibs_devstack.screen import Screen
        from tibs_devstack.stack import Stack

        screen, state_dir = Screen(), Path(sys.argv[2])
        stack = Stack(regions=["pl84"], state_dir=state_dir, launch=StandIn(), say=screen.say, progress=screen.progress)
        asyncio.run(cli._serve(stack, screen))
    else:
        asyncio.run(up(Path(sys.argv[2])))
