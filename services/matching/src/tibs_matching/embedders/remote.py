"""Any service that speaks the OpenAI embeddings API."""

from collections.abc import Sequence

import httpx
import numpy as np
from pydantic import BaseModel, ValidationError

from tibs_matching.embedders.port import DIMENSIONS, EmbedderAway, Vector


class _One(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_One]


class RemoteEmbedder:
    """Asks `<address>/embeddings`. Prefixes and model names say what a text is for, as the model wants it."""

    def __init__(
        self,
        address: str,
        *,
        key: str | None,
        query_model: str,
        passage_model: str,
        query_prefix: str = "",
        passage_prefix: str = "",
        timeout: float = 10.0,
    ) -> None:
        self.name = f"{address}/{passage_model}"
        self._client = httpx.AsyncClient(
            base_url=address, timeout=timeout, headers={"Authorization": f"Bearer {key}"} if key else {}
        )
        self._query = (query_model, query_prefix)
        self._passage = (passage_model, passage_prefix)

    async def queries(self, texts: Sequence[str]) -> list[Vector]:
        return await self._ask(texts, *self._query)

    async def passages(self, texts: Sequence[str]) -> list[Vector]:
        return await self._ask(texts, *self._passage)

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, texts: Sequence[str], model: str, prefix: str) -> list[Vector]:
        if not texts:
            return []
        try:
            response = await self._client.post(
                "/embeddings", json={"model": model, "input": [prefix + text for text in texts]}
            )
            answer = _Answer.model_validate_json(response.raise_for_status().content)
        except (httpx.HTTPError, ValidationError) as error:
            # The address may hold a secret and the texts belong to clients: neither is told.
            raise EmbedderAway(f"the embeddings service did not answer as expected ({type(error).__name__})") from error
        rows = sorted(answer.data, key=lambda one: one.index)
        if [row.index for row in rows] != list(range(len(texts))):
            raise EmbedderAway(f"the embeddings service answered {len(rows)} vectors for {len(texts)} texts")
        vectors = [np.asarray(row.embedding, dtype=np.float32) for row in rows]
        if any(vector.shape != (DIMENSIONS,) for vector in vectors):
            raise EmbedderAway(f"the embeddings service's vectors do not have {DIMENSIONS} dimensions")
        return [vector / max(float(np.linalg.norm(vector)), 1e-12) for vector in vectors]
