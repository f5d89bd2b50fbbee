"""Runs the test stages, fast ones first, and says how long each took.

Usage: python scripts/test.py [STAGE …]; without a name, all but the drills. The first stage that fails ends the run.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PACKAGES = ["contracts", "chassis", "registry", "matching", "cases", "notify", "devstack"]
TESTS = ["contracts", "chassis", "services", "devstack", "tests"]


def _pytest(marks: str, *more: str) -> list[str]:
    return [str(BIN / "pytest"), *TESTS, "-q", "-m", marks, "--durations=5", *more]


STAGES: dict[str, list[list[str]]] = {
    "lint": [
        [str(BIN / "ruff"), "check", "--quiet", "."],
        [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
        [str(BIN / "mypy"), *(part for name in PACKAGES for part in ("-p", f"tibs_{name}")), "-p", "conformance"],
        [str(BIN / "lint-imports")],
    ],
    "unit": [_pytest("not integration and not system")],
    "integration": [_pytest("integration and not system")],
    "system": [_pytest("system")],
    "drills": [[sys.executable, "-m", "drills", "--short"]],
}


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in STAGES]:
        print(f"there is no stage {', '.join(unknown)}; there are {', '.join(STAGES)}", file=sys.stderr)
        return 2
    took: dict[str, float] = {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}  # where `drills` lies
    for name in names or [name for name in STAGES if name != "drills"]:
        print(f"── {name} ──", flush=True)
        started = time.monotonic()
        failed = any(
            subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode for command in STAGES[name]
        )
        took[name] = time.monotonic() - started
        if failed:
            break
    print()
    for name, seconds in took.items():
        print(f"{name:12} {seconds:6.0f} s")
    print(f"{'in total':12} {sum(took.values()):6.0f} s")
    if failed:
        print(f"failed in stage {name}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
