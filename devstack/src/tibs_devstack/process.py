"""Child processes that never outlive the process that started them."""

import contextlib
import ctypes
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
# Looked up before any fork: importing or allocating much between fork and exec is not safe.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


class _Spawner:
    """Forks every child from one thread that lives as long as the process.

    The kernel sends a parent-death signal when the *thread* that forked is gone, so a child started from a
    worker thread would die with that worker.
    """

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._wanted = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spawner", daemon=True)
                self._thread.start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._wanted.put((start, answer))
        return answer.result()

    def _run(self) -> None:
        while True:
            start, answer = self._wanted.get()
            try:
                answer.set_result(start())
            except BaseException as error:
                answer.set_exception(error)


_spawn = _Spawner()


class Child:
    """One running child, in a session of its own so that Ctrl-C in a terminal reaches only its parent.

    `death_signal` is what the kernel sends it when the parent dies, however that happens.
    """

    def __init__(
        self,
        *,
        name: str,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log_start = log.stat().st_size if log.exists() else 0
        """Where this run's lines begin in the log, which is appended to."""
        parent = os.getpid()

        def before_exec() -> None:
            if _prctl is not None:
                _prctl(_PR_SET_PDEATHSIG, int(death_signal))
                if os.getppid() != parent:  # died in between: no signal will come any more
                    os._exit(1)

        with log.open("ab") as output:
            self._process = _spawn(
                lambda: subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=None if env is None else dict(env),
                    cwd=cwd,
                    user=user,
                    group=None if user is None else group_of(user),
                    extra_groups=None if user is None else [],
                    start_new_session=True,
                    preexec_fn=before_exec,
                )
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        return self.returncode is None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; subprocess.TimeoutExpired when it takes longer."""
        return self._process.wait(timeout)

    def stop(self, first: signal.Signals = signal.SIGTERM, *, grace: float = 10.0) -> None:
        """Ask with `first`, then end the whole process group by force after `grace` seconds."""
        self._signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        self.kill()

    def kill(self) -> None:
        """End it and everything in its process group now."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def output(self) -> str:
        """What this run has written so far."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def tail(self, lines: int = 15) -> str:
        """The last lines of this run, each cut to what a person reads: a traceback can be one very long line."""
        return "\n".join(
            line if len(line) <= 400 else f"{line[:400]} …" for line in self.output().splitlines()[-lines:]
        )


def group_of(user: int) -> int:
    """The primary group of a user: one who is still in root's group would be held to that group's rights."""
    import pwd

    return pwd.getpwuid(user).pw_gid


class DidNotStart(Exception):
    """A part or service ended, or did not answer in time, while it was starting."""


def wait_for(condition: Callable[[], bool], *, child: Child, timeout: float, every: float = 0.05) -> None:
    """Until `condition` holds; DidNotStart with the end of its log when the child ends or `timeout` passes."""
    deadline = time.monotonic() + timeout
    while not condition():
        if not child.running:
            raise DidNotStart(f"{child.name} ended with code {child.returncode}; {child.log} ends with\n{child.tail()}")
        if time.monotonic() > deadline:
            raise DidNotStart(
                f"{child.name} did not answer within {timeout:.0f} s; {child.log} ends with\n{child.tail()}"
            )
        time.sleep(every)


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


_given: dict[int, "FolderLock | None"] = {}
_given_lock = threading.Lock()
# Below the range from which systems take the near end of outgoing connections: a port there can be gone in the moment
# between choosing it and listening on it, or while its server is down.
_RANGE = range(20000, 30000)


def free_port(*preferred: int | None) -> int:
    """The first of `preferred` on which nobody listens, else any; never the same twice in one process.

    Another stack may like the same ports and be about to start: a lock among processes holds those of `preferred`.
    """
    with _given_lock:
        for port in dict.fromkeys(preferred):
            if port and port not in _given and (lock := _held_for_us(port)) is not None:
                _given[port] = lock
                return port
        for port in random.sample(_RANGE, k=len(_RANGE)):
            if port not in _given and port_is_free(port):
                _given[port] = None
                return port
    raise OSError(f"no port between {_RANGE.start} and {_RANGE.stop} is free")


def _held_for_us(port: int) -> "FolderLock | None":
    lock = FolderLock(Path(tempfile.gettempdir()) / f".tibs-port-{port}-{os.getuid()}.lock")
    if not lock.acquire(wait=False):
        return None
    if not port_is_free(port):
        lock.release()
        return None
    return lock


def give_back(port: int) -> None:
    """The port may be given again."""
    with _given_lock:
        if (lock := _given.pop(port, None)) is not None:
            lock.release()


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Somebody accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


class FolderLock:
    """An exclusive lock on a folder that the kernel gives back when its holder dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, *, wait: bool) -> bool:
        import fcntl

        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
