"""Parts that are small Python servers of this package, each in a process of its own."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tibs_devstack.process import Child, answers, wait_for


def python_environment() -> dict[str, str]:
    """The surroundings of a Python child: what the person has, without what configures a node."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TIBS_", "OTEL_", "PG"))}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", "")}


def start_python(*, name: str, module: str, arguments: Sequence[str], log: Path, ports: Sequence[int]) -> Child:
    """Runs `python -m module arguments` and returns when all its ports answer."""
    child = Child(
        name=name,
        argv=[sys.executable, "-m", module, *arguments],
        log=log,
        env=python_environment(),
    )
    try:
        wait_for(lambda: all(answers(port) for port in ports), child=child, timeout=60)
    except BaseException:
        child.kill()
        raise
    return child
