"""The main job by the story of `make demo`, over HTTP: every step as a person would take it."""

import asyncio

import pytest

from tibs_devstack.stack import Stack
from tibs_devstack.story import Story

pytestmark = pytest.mark.system


async def test_the_story_ends_well_and_finds_the_true_partner(stack: Stack) -> None:
    lines: list[str] = []
    story = Story(folder=stack.folder, state=stack.state, say=lines.append)

    told = await asyncio.to_thread(story.tell)

    assert told.story == "ok"
    assert told.match_rank == 1
    assert told.trace_id is not None
    assert any("contact" in line for line in lines)
