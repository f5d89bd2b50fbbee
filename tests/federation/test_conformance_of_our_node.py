"""The suite against our own node, as an operator runs it, while a broker accepts the introduction that it asks for."""

import asyncio
import json
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faults.desk import signed_in
from faults.ledger import Ledger

from tibs_contracts.topics import pulled
from tibs_devstack.nodes import NodeKeys, write_regions
from tibs_devstack.places import PROJECT
from tibs_devstack.pytest_plugin import MakeFolder
from tibs_devstack.stack import Stack
from tibs_devstack.story import SHOWN, fill
from tibs_devstack.topics import declare_topics

pytestmark = pytest.mark.system

NODE, PEER = "fi1c", "lv008"


@pytest.fixture
def peer_keys(make_folder: MakeFolder) -> Path:
    """The keys of Vidzeme, which nobody runs."""
    return make_folder("peer")


@pytest.fixture
async def alone(make_folder: MakeFolder, peer_keys: Path) -> AsyncIterator[Stack]:
    """Kymenlaakso of this test's own: what the suite forges should not lie in the way of others."""
    regions = peer_keys / "regions.yaml"
    write_regions(PROJECT / "deploy" / "regions.yaml", regions, {PEER: NodeKeys(peer_keys)})
    async with Stack(
        regions=[NODE],
        state_dir=make_folder("conforming"),
        regions_file=regions,
        environment=SHOWN | {"TIBS_EMBEDDER": "hashing"},
        durable=False,
    ) as running:
        await fill(running.folder, running.state, say=lambda _: None)
        await declare_topics(running.kafka(NODE).address, pulled(NODE, PEER))
        yield running


def _accept(stack: Stack, introduction: str) -> None:
    """As a lead, who may act for whoever answers for the profile."""
    with signed_in(stack, NODE, "lead") as lead:
        lead.submit(lead.open(f"/introductions/{introduction}"), "#acceptance-form", method="phone")


def _contact_is_shown(stack: Stack, introduction: str) -> bool:
    with signed_in(stack, NODE, "lead") as lead:
        page = lead.open(f"/introductions/{introduction}")
        return any("trial@trial.example" in one.text() for one in page.all("[data-contact='other']"))


async def test_our_node_conforms(alone: Stack, peer_keys: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "conformance", "--kafka", alone.kafka(NODE).address),
        *("--region", NODE, "--peer", PEER, "--person", "90", "--within", "60", "--json"),
        *("--regions-file", str(alone.folder.path / "regions.yaml"), "--peer-keys", str(peer_keys)),
        env={**os.environ, "PYTHONPATH": str(PROJECT / "tests" / "federation")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        asked = (await asyncio.wait_for(process.stderr.readline(), timeout=180)).decode()
        found = re.search(r"accept introduction ([0-9a-f-]{36})", asked)
        assert found, asked + (await process.stdout.read()).decode()
        await asyncio.to_thread(_accept, alone, found[1])
        said, wrong = await asyncio.wait_for(process.communicate(), timeout=180)
    finally:
        if process.returncode is None:
            process.kill()
    report = json.loads(said)

    assert {one["rule"]: one["sentence"] for one in report["rules"] if one["verdict"] == "failed"} == {}
    # Our node erases by the event alone: it writes no empty records.
    assert [one["rule"] for one in report["rules"] if one["verdict"] == "not observed"] == ["tombstone"]
    assert (process.returncode, report["conforms"], wrong.decode()) == (0, True, "")
    assert await asyncio.to_thread(_contact_is_shown, alone, found[1])
    # What was forged and what was broken, and nothing else.
    aside = "SELECT kind FROM dead_letter WHERE topic = 'tibs.lv008.to.fi1c.cases.v1'"
    ledger = Ledger(alone)
    assert Counter(kind for (kind,) in ledger.rows(NODE, "cases", aside)) == {"untrusted": 5, "broken": 6}
    assert len(ledger.dead()) == 11
