"""What it costs to sign an event and to verify one, beside the bare arithmetic of Ed25519 over the same bytes."""

import gc
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from bench.figures import Figure, median_of_pairs
from tibs_chassis.testing import record_of
from tibs_contracts.envelope import Envelope
from tibs_contracts.mothers import published
from tibs_contracts.signatures import Keyring, Signer, SigningKey, signed_content
from tibs_contracts.topics import Topic

EVENTS = 1_000
ROUNDS = 5
REGION = "pl84"


def _microseconds(work: Callable[[], object]) -> float:
    """The median of doing it once."""
    took = []
    for _ in range(EVENTS):
        started = time.perf_counter_ns()
        work()
        took.append((time.perf_counter_ns() - started) / 1000)
    return statistics.median(took)


async def measure() -> list[Figure]:
    """Rounds of us and of the floor in turn, with an event as large as a profile's."""
    gc.freeze()  # As every service does at its start.
    signer = Signer(OKPKey.generate_key("Ed25519", parameters={"kid": "bench"}).as_dict(private=True))
    event = published()
    record = record_of(event, region=REGION, service="registry", subject=event.profile_id, sequence=1, signer=signer)
    ring = Keyring({REGION: [SigningKey.of(signer.public)]})
    topic, envelope = Topic.parse(record.topic), Envelope.from_headers(record.headers)
    unsigned = envelope.headers()
    bare = Ed25519PrivateKey.generate()
    content = signed_content(record.headers, record.value)
    signature, public = bare.sign(content), bare.public_key()
    signing, verifying = [], []
    for _ in range(ROUNDS):
        signing.append(
            (
                _microseconds(lambda: signer.sign(topic=record.topic, headers=unsigned, value=record.value)),
                _microseconds(lambda: bare.sign(content)),
            )
        )
        verifying.append(
            (
                _microseconds(
                    lambda: ring.verify(
                        topic=topic, envelope=envelope, key=record.key, headers=record.headers, value=record.value
                    )
                ),
                _microseconds(lambda: public.verify(signature, content)),
            )
        )
    return [
        median_of_pairs("sign_event", signing, unit="µs", aim=f"{len(content)} bytes"),
        median_of_pairs("verify_event", verifying, unit="µs", aim="≤ 1,000"),
    ]
