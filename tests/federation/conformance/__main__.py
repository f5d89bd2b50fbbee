"""Runs the suite: exit code 0 if the node conforms, 1 if it does not, 2 if that could not be found out."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from uuid import UUID

from conformance.network import Network, NotReady, PeerKeys
from conformance.rules import TRIED, WRITTEN, table
from conformance.suite import Suite
from conformance.trials import Patience


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description="Holds a node to the rules of the federation.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="the node's cluster")
    parser.add_argument("--region", required=True, metavar="CODE", help="the node's region")
    parser.add_argument("--peer", required=True, metavar="CODE", help="the region that the suite plays")
    parser.add_argument("--regions-file", required=True, type=Path, metavar="FILE", help="the network's regions.yaml")
    parser.add_argument(
        "--peer-keys", required=True, type=Path, metavar="FOLDER", help="with the peer's signing.jwk and contacts.jwk"
    )
    parser.add_argument("--within", type=float, default=30.0, metavar="SECONDS", help="for an answer (30)")
    parser.add_argument("--silence", type=float, default=2.0, metavar="SECONDS", help="for what should not come (2)")
    parser.add_argument(
        "--person", type=float, default=0.0, metavar="SECONDS", help="for somebody who accepts an introduction (0)"
    )
    parser.add_argument("--only-written", action="store_true", help="look at what lies there, and send nothing")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for the Kafka client: security_protocol, sasl_mechanism, sasl_plain_username, cafile …",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    return parser.parse_args(given)


async def _ask_somebody(introduction: UUID) -> None:
    print(f"Somebody at the node should now accept introduction {introduction}.", file=sys.stderr, flush=True)


def main(given: list[str]) -> int:
    if given == ["--rules"]:
        print(f"{table(WRITTEN)}\n\n{table(TRIED)}")
        return 0
    arguments = _arguments(given)
    # What the client tries again it also complains of; what it cannot do comes as an error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    options = dict(one.partition("=")[::2] for one in arguments.option)
    try:
        network = Network.load(arguments.regions_file)
        network.require(arguments.peer)
        suite = Suite(
            kafka=arguments.kafka,
            region=arguments.region,
            peer=arguments.peer,
            network=network,
            keys=PeerKeys.load(arguments.peer_keys, region=arguments.peer, network=network),
            patience=Patience(answer=arguments.within, silence=arguments.silence, person=arguments.person),
            person=_ask_somebody if arguments.person else None,
            only_written=arguments.only_written,
            options=options,
        )
        report = asyncio.run(suite.run())
    except NotReady as missing:
        print(missing, file=sys.stderr)
        return 2
    print(report.json() if arguments.json else report.table())
    return {True: 0, False: 1, None: 2}[report.conforms]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
