"""`tibs verify`: two whole regions hold the same, and what an operator breaks is named."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.ledger import Ledger
from faults.telling import Telling

from tibs_devstack.stack import Stack

pytestmark = pytest.mark.system


async def verify(stack: Stack, *arguments: str) -> tuple[int | None, dict[str, Any]]:
    """As an operator types it."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("tibs")), "verify", "pl84", "fi1c", "--json"),
        *("--state-dir", str(stack.folder.path), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await asyncio.wait_for(process.communicate(), timeout=240)
    assert said, wrong.decode()
    return process.returncode, json.loads(said)


async def test_after_the_main_job_two_regions_are_equal_until_one_forgets(
    stack: Stack, ledger: Ledger, telling: Telling
) -> None:
    code, report = await verify(stack)
    assert (code, report["differences"]) == (0, [])
    due = {(line["where"], line["topic"]): line["figures"] for line in report["lines"] if line["part"] == "reader"}
    assert due["fi1c registry, directory", "tibs.pl84.registry.v1"]["applied"] > 0
    assert due["fi1c cases, introductions", "tibs.pl84.to.fi1c.cases.v1"]["applied"] > 0
    mirrored = {(line["where"], line["topic"]): line["figures"] for line in report["lines"] if line["part"] == "mirror"}
    there = mirrored["pl84 → fi1c", "tibs.pl84.registry.v1"]
    assert there["same"] == there["aggregates"] > 0
    assert mirrored["fi1c → pl84", "tibs.fi1c.to.pl84.cases.v1"]["events"] > 0
    written = {line["topic"] for line in report["lines"] if line["part"] == "outbox"}
    assert {"tibs.pl84.registry.v1", "tibs-local.pl84.cases.v1", "tibs.fi1c.to.pl84.cases.v1"} <= written

    held = "subject_version WHERE consumer = 'directory' AND topic = 'tibs.pl84.registry.v1' AND aggregate = 'profile'"
    [(subject, sequence)] = ledger.rows("fi1c", "registry", f"SELECT subject, sequence FROM {held} LIMIT 1")
    forgotten = f"DELETE FROM {held} AND subject = '{subject}'"
    ledger.execute("fi1c", "registry", forgotten)
    try:
        code, report = await verify(stack, "--wait", "0")
    finally:
        restored = f"'directory', 'tibs.pl84.registry.v1', 'profile', '{subject}', {sequence}"
        ledger.execute("fi1c", "registry", f"INSERT INTO subject_version VALUES ({restored})")

    assert code == 1
    [difference] = report["differences"]
    assert (difference["kind"], difference["where"], difference["subject"]) == ("not_applied", "fi1c registry", subject)
