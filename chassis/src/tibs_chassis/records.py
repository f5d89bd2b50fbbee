"""A Kafka record as this node sees it, and what it means that one can never be applied."""

from collections.abc import Sequence
from typing import Protocol


class PermanentError(Exception):
    """This event can never be applied, however often it is tried; the message says why."""


class Untrusted(PermanentError):
    """This record is not believed: nobody knows that its region wrote it, or it had no right to. It is quarantined."""


class Record(Protocol):
    """A Kafka record, as the client library or the dead-letter table holds it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...
