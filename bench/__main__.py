"""Measures everything that is claimed; the last line is one JSON object.

python -m bench [delivery] [match] [regions] [signatures]
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import delivery, match, regions, signatures
from bench.figures import Figure, table
from tibs_devstack.parts.postgres import find_postgres


async def _match() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="tibs-bench-") as folder:
        server = find_postgres(Path(folder) / "postgres", durable=False)
        server.start()
        try:
            held = await match.measure(server.create_database("match", extensions=["vector"]))
        finally:
            server.stop()
    floor = held["match_floor_ms"]
    return [
        Figure("match_query_p50", held["match_ms"]["p50"], "ms", floor["p50"], f"{held['queries']} queries"),
        Figure(
            "match_query_p95", held["match_ms"]["p95"], "ms", floor["p95"], f"≤ 60 over {held['profiles']:,} profiles"
        ),
        Figure("match_known_need_p95", held["known_need_ms"]["p95"], "ms", floor["p95"]),
        Figure("match_new_need_p95", held["new_need_ms"]["p95"], "ms", held["new_need_floor_ms"]["p95"]),
    ]


PARTS: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "delivery": delivery.measure,
    "match": _match,
    "regions": regions.measure,
    "signatures": signatures.measure,
}


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in PARTS]:
        print(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or PARTS:
        started = time.monotonic()
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures += asyncio.run(_part(PARTS[name]))
        print(f"  {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(table(figures))
    print(json.dumps({figure.name: figure.as_dict() for figure in figures}))
    return 0


async def _part(measure: Callable[[], Awaitable[list[Figure]]]) -> list[Figure]:
    return await measure()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
