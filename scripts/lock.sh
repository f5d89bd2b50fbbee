#!/usr/bin/env bash
# requirements.lock: every package with its version and hashes, and no address of where it came from, so that an
# installation behind a mirror of its own takes the same file.
set -euo pipefail
cd "$(dirname "$0")/.."
.tools/bin/uv lock --quiet "$@"
.tools/bin/uv export --frozen --quiet --no-emit-workspace --all-packages --all-groups --no-annotate --no-header \
    > requirements.lock
echo "lock: $(grep -c '==' requirements.lock) packages"
