"""How other commands ask a running stack for something: lines of JSON, over a socket in its folder.

The client sends {"do": …, …}. It gets {"step": [name, condition, more]} for what happens meanwhile, and at the end
{"done": true} or {"error": sentence}.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

Step = Callable[[str, str, str], None]
"""Takes a step's name, its condition and a word more."""
Do = Callable[[dict[str, Any], Step], Awaitable[None]]
"""Does what a request asks for; a ValueError's or RuntimeError's sentence is the answer to one that cannot be done."""

_LONGEST_PATH = 100  # of a socket: the kernel takes 107 bytes


class Refused(Exception):
    """The stack does not do what was asked; the text says why."""


def socket_of(folder: Path) -> Path:
    """Where the stack in `folder` listens."""
    path = folder / "control.sock"
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    return Path(tempfile.gettempdir()) / f".tibs-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.sock"


class Control:
    """Listens for the owner of the folder alone. One request at a time: each changes what runs."""

    def __init__(self, folder: Path, do: Do) -> None:
        self._path = socket_of(folder)
        self._do = do
        self._server: asyncio.Server | None = None
        self._one_at_a_time = asyncio.Lock()

    async def open(self) -> None:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._answer, self._path)
        finally:
            os.umask(before)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(**line: Any) -> None:
            writer.write(json.dumps(line).encode() + b"\n")

        try:
            async with self._one_at_a_time:
                asked = json.loads(await reader.readline())
                await self._do(asked, lambda *step: tell(step=step))
            tell(done=True)
        except (ValueError, RuntimeError) as error:
            tell(error=str(error))
        except Exception as error:
            tell(error=f"{type(error).__name__}: {error}")
            raise
        finally:
            # Who asked may be gone; what was asked for is done all the same.
            with contextlib.suppress(ConnectionError):
                await writer.drain()
                writer.close()


def ask(folder: Path, **request: Any) -> Iterator[tuple[str, str, str]]:
    """Asks the stack in `folder` and yields its steps. Raises Refused with its sentence."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(str(socket_of(folder)))
        except OSError as error:
            raise Refused(f"The stack in {folder} takes no requests ({error.strerror or error}).") from error
        line.sendall(json.dumps(request).encode() + b"\n")
        with line.makefile("r", encoding="utf-8") as answers:
            for answer in map(json.loads, answers):
                if "step" in answer:
                    yield tuple(answer["step"])
                elif "error" in answer:
                    raise Refused(answer["error"])
                else:
                    return
    raise Refused(f"The stack in {folder} ended before it was done.")
