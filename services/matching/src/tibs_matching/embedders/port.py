"""The port: what matching needs of an embedding model."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384
"""Of every vector in the index; another width is another table."""

Vector = NDArray[np.float32]


class EmbedderAway(Exception):
    """The model does not answer now; the message says what was tried."""


class Embedder(Protocol):
    """Turns texts into vectors of length 1 whose inner product grows with nearness of meaning.

    Queries and passages may be embedded differently. `name` changes whenever vectors are no longer comparable with
    those made before.
    """

    @property
    def name(self) -> str: ...

    async def queries(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of what is searched for. Raises EmbedderAway."""

    async def passages(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of what is searched in. Never delays `queries`. Raises EmbedderAway."""

    async def close(self) -> None: ...


_FIELDS = (
    "aeronautics and space",
    "agriculture and food",
    "automotive, transport and logistics",
    "chemistry, biotechnology and pharmaceuticals",
    "creative industries",
    "environment",
    "healthcare",
    "information technology",
    "energy",
    "maritime industries",
    "materials",
    "microtechnology",
    "services and retail",
    "construction",
    "textile and fashion",
    "tourism and culture",
    "education",
)


class QueryCache:
    """The sentences asked lately: a need is asked again each time that its case is opened."""

    def __init__(self, embedder: Embedder, *, size: int = 4096) -> None:
        self._embedder = embedder
        self._size = size
        self._held: OrderedDict[str, Vector] = OrderedDict()
        self._background: Vector | None = None

    @property
    def embedder_name(self) -> str:
        return self._embedder.name

    async def background(self) -> Vector:
        """What all profiles have in common for this model, before any is known: the mean of texts that say nothing."""
        if self._background is None:
            texts = [f"A company active in {field}, open to partners abroad." for field in _FIELDS]
            self._background = np.mean(await self._embedder.passages(texts), axis=0).astype(np.float32)
        return self._background

    async def vectors(self, sentences: Sequence[str]) -> list[Vector]:
        """One a sentence, in order."""
        unknown = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._held]
        found = dict(zip(unknown, await self._embedder.queries(unknown), strict=True)) if unknown else {}
        vectors = [self._held[sentence] if sentence in self._held else found[sentence] for sentence in sentences]
        for sentence, vector in zip(sentences, vectors, strict=True):
            self._held[sentence] = vector
            self._held.move_to_end(sentence)
        while len(self._held) > self._size:
            self._held.popitem(last=False)
        return vectors


def mean_of(vectors: Sequence[Vector]) -> Vector:
    """Their direction on average, of length 1."""
    total = np.sum(vectors, axis=0)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length > 0 else total, dtype=np.float32)
