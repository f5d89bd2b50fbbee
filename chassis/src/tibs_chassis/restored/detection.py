"""Is the database older than what it has published? Asked before the relay publishes, and cheap."""

from collections.abc import Mapping

import psycopg

from tibs_chassis import clock
from tibs_chassis.regions import Regions
from tibs_chassis.restored.memory import ask
from tibs_chassis.restored.rules import hold_sentence, shows_older
from tibs_chassis.restored.topics import OwnTopics

# Held by whoever may change what leaves: the relay that publishes, or the one who reconciles.
TAKE = "SELECT pg_try_advisory_lock(hashtext('tibs-publishing'))"
GIVE = "SELECT pg_advisory_unlock(hashtext('tibs-publishing'))"


async def reason_to_hold(
    connection: psycopg.AsyncConnection,
    *,
    kafka: str,
    region: str,
    service: str,
    regions: Regions | None,
    versions: Mapping[str, str],
) -> str | None:
    """A sentence if the ends of the service's topics hold what its database does not know; else None.

    Raises KafkaError and psycopg.Error.
    """
    topics = OwnTopics(kafka=kafka, region=region, service=service, regions=regions)
    told = await topics.ends()
    if not told:
        return None
    now = clock.now()
    memories = await ask(connection, told, versions=versions)
    strange = [
        (one, memory)
        for one, memory in zip(told, memories, strict=True)
        if shows_older(one, memory, now=now) and topics.genuine(one)
    ]
    if not strange:
        return None
    # The one that says most plainly what is wrong: a version that the database has not reached.
    one, memory = max(strange, key=lambda pair: (pair[1].version is not None, pair[0].written))
    return hold_sentence(one, memory.version, service=service)
