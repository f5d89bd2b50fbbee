"""Where things lie on disk."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
DEVSTACK = PACKAGE.parents[1]
PROJECT = DEVSTACK.parent


def jars_folder() -> Path:
    """Where the jars of the embedded Kafka are kept: TIBS_DEVSTACK_JARS, else devstack/jars."""
    return Path(os.environ.get("TIBS_DEVSTACK_JARS") or DEVSTACK / "jars").resolve()


def default_state_dir() -> Path:
    """TIBS_STATE_DIR, else .tibs/stack in the project."""
    return Path(os.environ.get("TIBS_STATE_DIR") or PROJECT / ".tibs" / "stack").resolve()
