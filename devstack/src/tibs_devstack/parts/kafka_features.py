"""Asks a Kafka broker what it is, in its own protocol: ApiVersions, the one request that every broker answers first."""

import socket
import struct
from dataclasses import dataclass

_API_VERSIONS = 18
_FINALIZED_FEATURES = 2


def finalized_features(address: str) -> dict[str, int]:
    """Feature name to level, e.g. {"metadata.version": 29}, from the first broker of `address` that answers.

    OSError when none does.
    """
    last: OSError = OSError(f"'{address}' names no broker")
    for one in address.split(","):
        host, _, port = one.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as connection:
                return _ask(connection)
        except OSError as error:
            last = error
        except ValueError as error:
            last = OSError(f"'{one}' is not an address like host:9092: {error}")
    raise last


def _ask(connection: socket.socket) -> dict[str, int]:
    client = b"tibs"
    header = struct.pack(">hhih", _API_VERSIONS, 3, 1, len(client)) + client + b"\0"
    body = bytes([len(client) + 1]) + client + bytes([2]) + b"1" + b"\0"
    connection.sendall(struct.pack(">i", len(header + body)) + header + body)
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    return _Reader(_exactly(connection, size)).features()


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise OSError("the broker hung up")
        received += chunk
    return received


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def int16(self) -> int:
        return int(struct.unpack(">h", self.take(2))[0])

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def skip_tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.take(self.varint())

    def features(self) -> dict[str, int]:
        self.take(4)  # correlation id
        if error := self.int16():
            raise OSError(f"the broker answers with error {error}")
        for _ in range(self.varint() - 1):
            self.take(6)
            self.skip_tags()
        self.take(4)  # throttle time
        for _ in range(self.varint()):
            tag, size = self.varint(), self.varint()
            if tag == _FINALIZED_FEATURES:
                return self._levels()
            self.take(size)
        return {}

    def _levels(self) -> dict[str, int]:
        levels = {}
        for _ in range(self.varint() - 1):
            name = self.take(self.varint() - 1).decode()
            levels[name] = self.int16()
            self.int16()
            self.skip_tags()
        return levels
