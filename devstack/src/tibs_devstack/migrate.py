"""Migrates several services' databases in one process: `python -m tibs_devstack.migrate package=environment.json …`.

The same as `tibs-<service> migrate` for each, without paying each time for starting Python and loading its libraries.
"""

import json
import sys
import traceback
from pathlib import Path

from tibs_chassis import migrations


def main() -> None:
    for argument in sys.argv[1:]:
        package, _, file = argument.partition("=")
        try:
            migrations.upgrade(json.loads(Path(file).read_text(encoding="utf-8"))["TIBS_DATABASE_URL"], package)
        except Exception as error:
            traceback.print_exc()
            # Again and last, for a failed statement can be hundreds of lines long.
            sys.exit(f"{Path(file).stem} was not migrated: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        print(f"{Path(file).stem}: the database is at the newest schema", flush=True)


if __name__ == "__main__":
    main()
