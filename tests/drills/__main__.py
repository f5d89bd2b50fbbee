"""Runs the drills and ends with one JSON line.

python -m drills [--short] [NAME …]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from drills.bad_line import bad_line
from drills.crashes import crash_at_named_points
from drills.cut import cut_both_ways, cut_one_way
from drills.exhausted import clock_two_hours_fast, disk_full, no_connections_left
from drills.ground import Ground, ground
from drills.kills import kill_everything
from drills.poison import poison
from drills.relays import two_relays
from drills.repeats import repeat_the_last

DRILLS: dict[str, Callable[[Ground, dict[str, Any]], Awaitable[None]]] = {
    "kill_everything": kill_everything,
    "cut_both_ways": cut_both_ways,
    "cut_one_way": cut_one_way,
    "bad_line": bad_line,
    "crash_at_named_points": crash_at_named_points,
    "repeat_the_last": repeat_the_last,
    "two_relays": two_relays,
    "poison": poison,
    "no_connections_left": no_connections_left,
    "disk_full": disk_full,
    "clock_two_hours_fast": clock_two_hours_fast,
}


async def run(names: list[str], *, short: bool, folder: Path) -> int:
    began = time.monotonic()

    def say(sentence: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {sentence}", file=sys.stderr, flush=True)

    outcomes = []
    async with ground(folder, short=short, say=say) as held:
        for name in names:
            outcomes.append(await held.drill(name, DRILLS[name]))
        lines = "namespaces" if held.lines.namespaces else "proxies"
    passed = all(outcome.passed for outcome in outcomes)
    print(
        json.dumps(
            {
                "drills": {outcome.name: outcome.figures() for outcome in outcomes},
                "passed": passed,
                "short": short,
                "lines": lines,
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )
    return 0 if passed else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="drills", description="Faults under load.")
    parser.add_argument("--short", action="store_true", help="a few minutes instead of an hour")
    parser.add_argument("--folder", type=Path, default=None, help="where the regions live, kept afterwards")
    parser.add_argument("names", nargs="*", help=", ".join(DRILLS))
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in DRILLS]:
        parser.error(f"there is no drill {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    names = given.names or list(DRILLS)
    if given.folder is not None:
        return asyncio.run(run(names, short=given.short, folder=given.folder))
    with tempfile.TemporaryDirectory(prefix="tibs-drills-") as folder:
        return asyncio.run(run(names, short=given.short, folder=Path(folder)))


if __name__ == "__main__":
    raise SystemExit(main())
