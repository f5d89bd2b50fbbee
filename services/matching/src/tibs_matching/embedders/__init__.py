"""From texts to vectors: the port, and what stands behind it."""

from tibs_matching.embedders.port import DIMENSIONS, Embedder, EmbedderAway, QueryCache
from tibs_matching.embedders.wiring import make_embedder

__all__ = ["DIMENSIONS", "Embedder", "EmbedderAway", "QueryCache", "make_embedder"]
