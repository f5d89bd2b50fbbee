"""Configuration from the environment. A wrong or missing value stops the start with a sentence."""

import re
import sys
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, FilePath, HttpUrl, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tibs_contracts.codes import RegionCode

_HTTP: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


def _database(value: str) -> str:
    if not value.startswith("postgresql://") or "/" not in value.removeprefix("postgresql://"):
        raise ValueError("should be like postgresql://role:password@host:5432/database")
    return value


def _brokers(value: str) -> str:
    if not re.fullmatch(r"[^\s,:/]+:[0-9]{1,5}(,[^\s,:/]+:[0-9]{1,5})*", value):
        raise ValueError("should be like host:9092 or host:9092,other:9092")
    return value


def _web_address(value: str) -> str:
    _HTTP.validate_python(value)
    return value.rstrip("/")


DatabaseUrl = Annotated[str, AfterValidator(_database)]
KafkaAddress = Annotated[str, AfterValidator(_brokers)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An http or https address, kept without a slash at its end."""


SIGNING_KEY = "path of the private key (JWK) with which this region signs what other regions read"


class NodeSettings(BaseSettings):
    """What every service of a node is told. Each field is read from TIBS_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="TIBS_", extra="ignore", frozen=True, env_ignore_empty=True)

    region: RegionCode = Field(description="code of this node's region, such as pl84")
    regions_file: FilePath = Field(description="path of regions.yaml")
    database_url: DatabaseUrl
    kafka: KafkaAddress
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    node_jwks: FilePath = Field(description="path of the public keys (JWKS) of this node's own tokens")
    node_key: Path | None = Field(default=None, description="path of the private key (JWK) of this node's own tokens")
    signing_key: Path | None = Field(default=None, description=SIGNING_KEY)
    standings_file: Path | None = Field(default=None, description="path of the file in which this node blocks regions")
    oidc_issuer: WebAddress
    oidc_audience: str = "tibs"
    otlp_endpoint: WebAddress | None = None
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


S = TypeVar("S", bound=BaseSettings)


def load_settings(cls: type[S]) -> S:
    """The settings from the environment, or SystemExit(2) after a sentence for each variable that is wrong."""
    try:
        return cls()
    except ValidationError as error:
        prefix = cls.model_config.get("env_prefix", "")
        for problem in error.errors():
            name = prefix + "_".join(str(part) for part in problem["loc"]).upper()
            if problem["type"] == "missing":
                print(f"{name} is not set: {_wanted(cls, problem['loc'])}.", file=sys.stderr)
            else:
                secret = any(word in name for word in ("URL", "SECRET", "KEY", "PASSWORD"))
                held = "a value" if secret else f"'{problem['input']}'"
                print(f"{name} held {held}: {problem['msg']}.", file=sys.stderr)
        raise SystemExit(2) from error


def _wanted(cls: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    field = cls.model_fields.get(str(location[0])) if location else None
    if field is None or not field.description:
        return "it has no default"
    return f"it should hold the {field.description}"
