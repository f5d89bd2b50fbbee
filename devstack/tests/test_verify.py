"""Which regions `tibs verify` compares, and what it says when it cannot."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tibs_devstack.cli import app
from tibs_devstack.state import RegionState, StackState
from tibs_devstack.verify import _surroundings, pair_of


def state_of(*regions: str) -> StackState:
    held = {code: RegionState(name=code, url="", issuer="", people=[], services={}) for code in regions}
    return StackState(pid=1, started_at="", regions=held)


def test_the_two_regions_of_a_stack_need_no_names() -> None:
    assert pair_of(state_of("pl84", "fi1c"), []) == ("pl84", "fi1c")


def test_of_more_than_two_regions_the_two_are_named() -> None:
    three = state_of("pl84", "fi1c", "lt")
    assert pair_of(three, ["lt", "pl84"]) == ("lt", "pl84")
    with pytest.raises(ValueError, match="such as `tibs verify pl84 fi1c`; this stack runs pl84, fi1c, lt"):
        pair_of(three, [])


@pytest.mark.parametrize("regions", [["pl84"], ["pl84", "pl84"]])
def test_a_region_is_not_compared_with_itself(regions: list[str]) -> None:
    with pytest.raises(ValueError, match="Two regions are compared"):
        pair_of(state_of("pl84", "fi1c"), regions)


def test_a_region_that_does_not_run_is_named() -> None:
    with pytest.raises(ValueError, match="This stack has no region lt; it runs pl84, fi1c"):
        pair_of(state_of("pl84", "fi1c"), ["pl84", "lt"])


def test_without_a_stack_nothing_is_compared(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["verify", "--state-dir", str(tmp_path)])
    assert ended.exit_code == 2
    assert "No stack is running" in ended.output


def test_a_service_is_put_together_from_its_own_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIBS_REGION", "lt")
    monkeypatch.setenv("TIBS_LOG_LEVEL", "DEBUG")
    with _surroundings({"TIBS_REGION": "pl84", "TIBS_KAFKA": "k:1"}):
        assert {name: value for name, value in os.environ.items() if name.startswith("TIBS_")} == {
            "TIBS_REGION": "pl84",
            "TIBS_KAFKA": "k:1",
        }
    assert (os.environ["TIBS_REGION"], os.environ["TIBS_LOG_LEVEL"]) == ("lt", "DEBUG")
    assert "TIBS_KAFKA" not in os.environ
