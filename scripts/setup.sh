#!/usr/bin/env bash
# Installs what the project needs into its own folder. Quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
UV_VERSION=0.13.9
PACKAGES="contracts chassis services/registry services/matching services/cases services/notify devstack"

need() { # need COMMAND WHAT-TO-INSTALL
    command -v "$1" >/dev/null 2>&1 || { echo "setup: '$1' is missing: install $2, then run make again" >&2; exit 1; }
}
need "$PYTHON" "Python 3.11 or newer"
need java "a Java runtime, version 17 or newer"
need mvn "Maven"
need npm "Node.js 20 or newer with npm"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $PYTHON is $("$PYTHON" --version 2>&1), but 3.11 or newer is needed; name another with make PYTHON=…" >&2
    exit 1
}

if [ ! -x .tools/bin/uv ] || [ "$(.tools/bin/uv --version | cut -d' ' -f2)" != "$UV_VERSION" ]; then
    echo "setup: the package installer"
    "$PYTHON" -m venv .tools
    .tools/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
fi
[ -x .venv/bin/python ] || .tools/bin/uv venv --quiet --python "$PYTHON" .venv

state=$(cat requirements.lock $(printf '%s/pyproject.toml ' $PACKAGES) | sha256sum)
if [ "$(cat .venv/.installed 2>/dev/null)" != "$state" ]; then
    echo "setup: Python packages"
    .tools/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
    # shellcheck disable=SC2086,SC2046
    .tools/bin/uv pip install --quiet --python .venv/bin/python --no-deps $(printf -- '-e %s ' $PACKAGES)
    printf '%s' "$state" > .venv/.installed
fi
.venv/bin/python services/cases/assets/build.py
.venv/bin/python -c "from tibs_devstack.parts.kafka_jars import classpath; classpath(print)"
