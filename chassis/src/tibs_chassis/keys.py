"""Makes a signing key: `python -m tibs_chassis.keys pl84-2 signing-2.jwk`.

The private key goes into the file, for its owner alone; what stands in regions.yaml is printed.
"""

import json
import os
import sys
from pathlib import Path

import yaml
from joserfc.jwk import OKPKey

from tibs_contracts.signatures import Signer

USAGE = "usage: python -m tibs_chassis.keys KID FILE, for instance: python -m tibs_chassis.keys pl84-2 signing-2.jwk"


def make(kid: str, file: Path) -> str:
    """Writes a new private key and returns the entry for `keys.signing`. FileExistsError rather than lose a key."""
    key = dict(OKPKey.generate_key("Ed25519", parameters={"kid": kid, "use": "sig"}).as_dict(private=True))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(json.dumps(key, indent=1))
    return yaml.safe_dump([Signer(key).public], sort_keys=False)


def main(arguments: list[str]) -> int:
    match arguments:
        case [kid, file] if kid and not kid.startswith("-"):
            try:
                print(make(kid, Path(file)), end="")
            except FileExistsError:
                print(f"{file} exists already; a key is never overwritten", file=sys.stderr)
                return 1
            return 0
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
