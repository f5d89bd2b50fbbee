"""A third region joins two that run: it holds what they published, they hear of it, and none is restarted."""

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from faults.desk import register_organisation, signed_in
from faults.ledger import Ledger

from tibs_chassis.testing import eventually
from tibs_contracts.ids import new_id
from tibs_devstack.pytest_plugin import MakeFolder
from tibs_devstack.stack import Stack
from tibs_devstack.story import SHOWN, fill

pytestmark = pytest.mark.system

OLD, NEW = ("pl84", "fi1c"), "lv008"


@pytest.fixture
async def pair(make_folder: MakeFolder) -> AsyncIterator[Stack]:
    """Two regions of this test's own, filled."""
    # Hashed words instead of the model: four more services on the same two cores.
    environment = SHOWN | {"TIBS_EMBEDDER": "hashing"}
    async with Stack(regions=OLD, state_dir=make_folder("joining"), environment=environment, durable=False) as running:
        await fill(running.folder, running.state, say=lambda _: None)
        yield running


async def _add(stack: Stack) -> str:
    """`tibs region add`, as an operator types it; what it says."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("tibs")), "region", "add", NEW, "--state-dir", str(stack.folder.path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), timeout=240)
    assert process.returncode == 0, said.decode()
    return said.decode()


async def _directory(ledger: Ledger, region: str) -> tuple[set[str], set[str]]:
    """The profiles and organisations that a region's directory holds."""
    profiles = ledger.rows(region, "registry", "SELECT profile_id::text FROM directory_profile")
    actors = ledger.rows(region, "registry", "SELECT public->>'name' FROM directory_actor")
    return {id for (id,) in profiles}, {name for (name,) in actors}


async def test_a_region_joins_two_that_run(pair: Stack) -> None:
    ledger = Ledger(pair)
    held = await _directory(ledger, OLD[0])
    assert all(held)
    before = {
        (region, service): one.child and one.child.pid
        for region in OLD
        for service in ("registry", "matching", "cases", "notify")
        for one in [pair.service(region, service)]
    }

    said = await _add(pair)

    assert f"({NEW})  {pair.url(NEW)}" in said
    await eventually(
        partial(_directory, ledger, NEW), until=lambda found: found == held, within=90, what="the whole history"
    )
    assert {key: pair.service(*key).child and pair.service(*key).child.pid for key in before} == before  # type: ignore[union-attr]

    name = f"Newcomer {new_id()}"
    await asyncio.to_thread(_register, pair, name)
    for region in OLD:
        await eventually(
            partial(_directory, ledger, region),
            until=lambda found: name in found[1],
            within=60,
            what=f"the newcomer's organisation in {region}",
        )
    assert not ledger.dead()


def _register(stack: Stack, name: str) -> None:
    with signed_in(stack, NEW) as broker:
        register_organisation(broker, name=name, country="LV")
