"""Configuration of this service."""

from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, SecretStr
from pydantic.types import PositiveInt

from tibs_chassis.settings import NodeSettings, WebAddress


def _mail_server(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("should be like smtp://host:25, or smtps://name:password@host:465")
    return value


def _sender(value: str) -> str:
    if "@" not in parseaddr(value)[1] or "\n" in value:
        raise ValueError("should be like 'TIBS Podlaskie <no-reply@podlaskie.example>'")
    return value


class NotifySettings(NodeSettings):
    """Each field is read from TIBS_<NAME>."""

    node_key: FilePath = Field(description="path of the private key (JWK) of this node's own tokens")
    smtp_url: Annotated[SecretStr, AfterValidator(_mail_server)] = Field(
        description="address of the mail server, such as smtp://mail.example:25"
    )
    mail_from: Annotated[str, AfterValidator(_sender)] = Field(description="sender of the mails, a name and an address")
    cases_url: WebAddress
    public_url: WebAddress = Field(description="address under which people reach the pages")
    mail_retry_seconds: tuple[PositiveInt, ...] = Field(
        default=(5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200),
        min_length=1,
        description="pauses before a mail is tried again; after the last one it is given up",
    )
    mail_parallel: int = Field(default=4, ge=1, le=50, description="how many mails leave at the same time")
