"""What Prometheus is told of peers."""

from prometheus_client import Gauge

from tibs_cases.peers.rules import Line, PeerState, State

AGE = Gauge(
    "tibs_peer_age_seconds",
    "Age of the last sign of life of a region: inbound of what it writes, outbound of what it says it heard of us.",
    ["region", "direction"],
)
STATE = Gauge("tibs_peer_state", "1 for the state that a line to a region is in.", ["region", "direction", "state"])


def show(region: str, peer: PeerState) -> None:
    for line in (peer.inbound, peer.outbound):
        _show(region, line)


def _show(region: str, line: Line) -> None:
    if line.age is not None:
        AGE.labels(region, line.direction.value).set(line.age.total_seconds())
    for state in State:
        STATE.labels(region, line.direction.value, state.value).set(state is line.state)
