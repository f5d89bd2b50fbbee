"""The transactional outbox: an event leaves if and only if the transaction that it tells of was committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_chassis.tables import outbox, outbox_waiting, relay_state
from tibs_contracts.envelope import Envelope
from tibs_contracts.signatures import SignatureError, Signer
from tibs_contracts.topics import Channel, Topic

CHANNEL = "tibs_outbox"
RETENTION_DAYS = 14
"""How long a row is remembered after it was written, so that what left can be compared with what arrived."""
MAX_PAYLOAD = 900_000
"""Bytes. Below the broker's limit of 1 MiB a record, headers included: an unsendable row would block all behind it."""

_PUT = text(
    """
    WITH written AS (
        INSERT INTO outbox (event_id, topic, aggregate, subject, sequence, type, headers, payload)
        VALUES (:event_id, :topic, :aggregate, :subject, :sequence, :type, :headers, :payload)
        RETURNING seq
    )
    INSERT INTO outbox_waiting (seq) SELECT seq FROM written
    """
).bindparams(bindparam("headers", type_=JSONB))


async def put(
    session: AsyncSession, *, topic: str, envelope: Envelope, payload: bytes | None, signer: Signer | None = None
) -> UUID:
    """Writes one event into the outbox of the caller's transaction.

    Pending changes are flushed first, so that the aggregate's row is locked before the outbox number is drawn: two
    changes of one aggregate are then numbered in the order in which they happen. What other regions read is signed
    here; without a signer it is refused by SignatureError, for nobody would believe it.
    """
    if payload is not None and len(payload) > MAX_PAYLOAD:
        raise ValueError(f"an event may hold {MAX_PAYLOAD} bytes, this {envelope.type} holds {len(payload)}")
    headers = envelope.headers()
    if signer is not None:
        headers = signer.headers(envelope, topic=topic, value=payload)
    elif Topic.parse(topic).channel is not Channel.LOCAL:
        raise SignatureError(f"{envelope.source} has no key to sign {envelope.type} with (TIBS_SIGNING_KEY)")
    await session.flush()
    await session.execute(
        _PUT,
        {
            "event_id": envelope.id,
            "topic": topic,
            "aggregate": envelope.aggregate,
            "subject": envelope.subject,
            "sequence": envelope.sequence,
            "type": envelope.type,
            "headers": [[name, value.decode()] for name, value in headers],
            "payload": payload,
        },
    )
    # Delivered at commit, once for all events of the transaction.
    await session.execute(text(f"NOTIFY {CHANNEL}"))
    return envelope.id


@dataclass(frozen=True)
class Failure:
    """Why nothing leaves at the moment. Without `next_attempt_at` it is being tried all the time."""

    reason: str
    since: datetime
    next_attempt_at: datetime | None


async def failure(session: AsyncSession) -> Failure | None:
    """What keeps the service's relay from publishing, as far as it said; None while all is well."""
    row = (await session.execute(select(relay_state).where(relay_state.c.failing.is_not(None)))).first()
    return None if row is None else Failure(row.failing, row.since, row.next_attempt_at)


async def waiting_seconds(session: AsyncSession) -> float:
    """How long the oldest event has waited for Kafka to confirm it; 0 if none waits. By the database's clock alone:
    it wrote the events' times."""
    query = select(func.extract("epoch", func.clock_timestamp() - func.min(outbox.c.created_at))).select_from(
        outbox_waiting.join(outbox, outbox_waiting.c.seq == outbox.c.seq)
    )
    return max(0.0, float(await session.scalar(query) or 0.0))


async def waiting_for(session: AsyncSession, *, topics: Sequence[str]) -> int:
    """How many events for these topics Kafka has not confirmed."""
    query = (
        select(func.count())
        .select_from(outbox_waiting.join(outbox, outbox_waiting.c.seq == outbox.c.seq))
        .where(outbox.c.topic.in_(topics))
    )
    return await session.scalar(query) or 0
