"""What docs/integrate promises, run as it stands there."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tibs_contracts.events import ProfilePublished, all_events
from tibs_contracts.topics import CONFIG, Channel

FOLDER = Path(__file__).parents[2] / "docs" / "integrate"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def code_lines(name: str) -> list[str]:
    return [line for line in (FOLDER / name).read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.integration
@pytest.mark.parametrize("name", ["plain_aiokafka.py", "with_sdk.py"])
async def test_the_example_prints_each_published_profile_of_every_region(
    name: str, kafka: str, tell: Any, regions: tuple[str, str], profile: Callable[[str], ProfilePublished]
) -> None:
    for region in regions:
        await tell.event(region, profile(f"Of {region}"))
    process = await asyncio.create_subprocess_exec(sys.executable, FOLDER / name, kafka, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    wanted = {f"Of {region}" for region in regions}
    try:
        async with asyncio.timeout(30):
            async for line in process.stdout:
                wanted -= {title for title in wanted if title in line.decode()}
                if not wanted:
                    break
    finally:
        process.kill()
        await process.communicate()
    assert not wanted


def test_the_plain_example_takes_ten_lines() -> None:
    assert len(code_lines("plain_aiokafka.py")) <= 10


def test_the_example_with_the_sdk_takes_three_in_use() -> None:
    lines = code_lines("with_sdk.py")
    assert len([line for line in lines if not line.startswith(("import ", "from ", "asyncio.run("))]) <= 3


@pytest.mark.parametrize("name", ["plain_aiokafka.py", "with_sdk.py"])
def test_the_lines_shown_are_those_of_the_file(name: str) -> None:
    shown = {line.strip() for block in README.split("```python\n")[1:] for line in block.split("```")[0].splitlines()}
    body = [line.strip() for line in code_lines(name) if line.startswith("    ")]
    assert set(body) <= shown


def test_every_public_event_is_in_the_table_with_its_words() -> None:
    public = {event_type: event for event_type, event in all_events().items() if event.channel.public}
    for event_type, event in public.items():
        words = (event.__doc__ or "").strip()
        assert f"| `{event_type}` | `tibs.<region>.{event.channel.value}.v1` | {words} |" in README
    others = all_events().keys() - public.keys()
    assert [event_type for event_type in others if event_type in README] == []


def test_every_file_that_is_linked_is_there() -> None:
    links = [part.split(")")[0] for part in README.split("](")[1:]]
    assert links
    assert [link for link in links if not (FOLDER / link).is_file()] == []


def test_the_retention_told_is_the_one_declared() -> None:
    assert CONFIG[Channel.REGISTRY]["cleanup.policy"] == CONFIG[Channel.CATALOGUE]["cleanup.policy"] == "compact"
    assert int(CONFIG[Channel.BROKERAGE]["retention.ms"]) == 400 * 24 * 3600 * 1000
