"""How the mirrors of a stack reach the clusters: straight, or over lines that somebody can make bad."""

from collections.abc import Mapping, Sequence

from tibs_devstack.parts.kafka import Kafka, Listener
from tibs_devstack.process import LOOPBACK


class Lines:
    """Straight, on the loopback."""

    def prepare(self, region: str) -> None:
        """Before the parts of a region start; blocking."""

    def listeners(self, region: str) -> Mapping[str, Listener]:
        """The doors of the region's cluster besides the loopback's."""
        return {}

    def at_home(self, region: str, kafka: Kafka) -> str:
        """The region's own cluster, as its mirror reaches it."""
        return kafka.address

    def from_abroad(self, region: str, kafka: Kafka) -> str:
        """The region's cluster, as the mirrors of the others reach it."""
        return kafka.address

    def host(self, region: str) -> str:
        """Where the region's mirror takes requests."""
        return LOOPBACK

    def within(self, region: str) -> Sequence[str]:
        """What is put before the command line of the region's mirror."""
        return ()

    def close(self) -> None:
        """After all parts have stopped; blocking."""
