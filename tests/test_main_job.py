"""The main job by the story of `make demo`, over HTTP: every step as a person would take it."""

import pytest
from faults.telling import Telling

pytestmark = pytest.mark.system


async def test_the_story_ends_well_and_finds_the_true_partner(telling: Telling) -> None:
    assert telling.told.story == "ok"
    assert telling.told.match_rank == 1
    assert telling.told.trace_id is not None
    assert any("contact" in line for line in telling.lines)
