"""Vectors from words alone, for tests: the same text always gives the same vector, shared words bring texts near."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from tibs_matching.embedders.port import DIMENSIONS, Vector


class HashingEmbedder:
    """Knows nothing of meaning."""

    name = "hashing/1"

    def __init__(self) -> None:
        self.embedded: list[str] = []
        """What was asked for as passages, in order."""

    async def queries(self, texts: Sequence[str]) -> list[Vector]:
        return [_vector(text) for text in texts]

    async def passages(self, texts: Sequence[str]) -> list[Vector]:
        self.embedded.extend(texts)
        return [_vector(text) for text in texts]

    async def close(self) -> None:
        pass


def _vector(text: str) -> Vector:
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for word in re.findall(r"\w+", text.casefold()):
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        vector[int.from_bytes(digest[:4]) % DIMENSIONS] += 1.0 if digest[4] & 1 else -1.0
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
