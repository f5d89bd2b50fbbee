"""Contact data on their way to another region: encrypted so that only that region can read them (JWE, RFC 7516)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

_ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]


class SealError(ValueError):
    """What arrived cannot be opened with this region's key."""


def seal(payload: bytes, *, key: Mapping[str, Any]) -> str:
    """A compact JWE for the holder of an X25519 key (public JWK)."""
    recipient = OKPKey.import_key(dict(key))
    header = {"alg": _ALGORITHMS[0], "enc": _ALGORITHMS[1], "kid": recipient.kid}
    return jwe.encrypt_compact(header, payload, recipient, algorithms=_ALGORITHMS)


def open_sealed(sealed: str, *, key: OKPKey) -> bytes:
    """The content. Raises SealError."""
    try:
        return jwe.decrypt_compact(sealed, key, algorithms=_ALGORITHMS).plaintext or b""
    except (JoseError, ValueError) as error:
        raise SealError(
            f"the sealed contact cannot be opened with this region's key ({type(error).__name__})"
        ) from error


def load_key(path: Path) -> OKPKey:
    """This region's private key, a JWK in a file."""
    return OKPKey.import_key(json.loads(path.read_text()))
