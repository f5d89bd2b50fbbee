"""Migrates several services' databases in one process: `python -m tibs_devstack.migrate package=environment.json …`.

The same as `tibs-<service> migrate` for each, without paying each time for starting Python and loading its libraries.
"""

import json
import sys
from pathlib import Path

from tibs_chassis import migrations


def main() -> None:
    for argument in sys.argv[1:]:
        package, _, file = argument.partition("=")
        migrations.upgrade(json.loads(Path(file).read_text(encoding="utf-8"))["TIBS_DATABASE_URL"], package)
        print(f"{Path(file).stem}: the database is at the newest schema", flush=True)


if __name__ == "__main__":
    main()
