"""A read model can be read again, or built anew, while its service serves: nothing changes."""

import asyncio
import sys
from pathlib import Path

import pytest
from faults.ledger import Ledger

from tibs_chassis.auth import Principal, Role
from tibs_chassis.client import ServiceClient
from tibs_chassis.tokens import TokenMinter
from tibs_devstack.stack import Stack

pytestmark = pytest.mark.system

REGION = "fi1c"
DIRECTORY = ("directory_profile", "directory_actor")


async def replay(stack: Stack, *arguments: str) -> str:
    """`tibs replay` of Kymenlaakso's registry, as an operator types it."""
    where = ("--region", REGION, "--service", "registry", "--state-dir", str(stack.folder.path))
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("tibs")), "replay", *where, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await asyncio.wait_for(process.communicate(), timeout=120)
    assert process.returncode == 0, wrong.decode()
    return said.decode()


class Reader:
    """Somebody who looks into the directory all the time."""

    def __init__(self, stack: Stack) -> None:
        person = stack.people(REGION)["broker"]
        minter = TokenMinter(region=REGION, key_file=stack.folder.path / "keys" / REGION / "node.jwk")
        self._client = ServiceClient(stack.url(REGION, "registry"), audience="registry", minter=minter, timeout=10.0)
        self._principal = Principal(
            person=person.sub,
            name=person.name,
            email=person.email,
            roles=frozenset({Role.BROKER}),
            region=REGION,
            language="en",
        )
        self.answers = 0

    async def total(self) -> int:
        answer = await self._client.get("/api/v1/directory/profiles", principal=self._principal, params={"limit": 1})
        self.answers += 1
        return int(answer.json()["total"])

    async def read_on(self) -> None:
        """Until cancelled, a few times a second. Raises what a person would be shown as an error."""
        while True:
            await self.total()
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self._client.close()


async def test_reading_again_changes_nothing_while_the_service_serves(stack: Stack, ledger: Ledger) -> None:
    before = ledger.dump(REGION, "registry", *DIRECTORY)
    reader = Reader(stack)
    reading = asyncio.create_task(reader.read_on())
    try:
        for _ in range(2):
            said = await replay(stack)
            assert said.startswith("directory: ")
            assert "applied" not in said
            assert ledger.dump(REGION, "registry", *DIRECTORY) == before

        said = await replay(stack, "--rebuild", "--consumer", "directory")

        assert " applied" in said
        assert ledger.dump(REGION, "registry", *DIRECTORY) == before
        assert not reading.done()
        assert reader.answers > 10
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await reader.close()
    assert not ledger.dead()
