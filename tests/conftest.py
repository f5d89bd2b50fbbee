"""Two whole regions, started once for all system tests and filled with the sample."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tibs_devstack.stack import Stack
from tibs_devstack.story import SHOWN, fill


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """Podlaskie and Kymenlaakso with all their services, on real parts. Tests that break something mend it again."""
    with tempfile.TemporaryDirectory(prefix="tibs-system-") as folder:
        async with Stack(regions=["pl84", "fi1c"], state_dir=Path(folder), environment=SHOWN, durable=False) as running:
            await fill(running.folder, running.state, say=lambda _: None)
            yield running
