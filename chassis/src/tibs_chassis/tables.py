"""The tables that every service's database has besides its own; their migrations are the chassis' own branch."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData()


def _time(name: str, *, now: bool = False) -> Column[object]:
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
    return Column(name, DateTime(timezone=True))


outbox = Table(
    "outbox",
    metadata,
    # CACHE 1: numbers are drawn in the order of asking; the lock on the aggregate's row makes it that of its changes.
    Column("seq", BigInteger, Identity(always=True, cache=1), primary_key=True),
    Column("event_id", UUID(as_uuid=True), nullable=False, unique=True),
    Column("topic", Text, nullable=False),
    Column("aggregate", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary),
    _time("created_at", now=True),
    UniqueConstraint("topic", "aggregate", "subject", "sequence", name="outbox_version"),
)

# The numbers of the rows that Kafka has not confirmed. A table of its own, because to take a number out of it costs a
# seventh of what it costs to mark the row itself, with all the row's indexes.
outbox_waiting = Table("outbox_waiting", metadata, Column("seq", BigInteger, primary_key=True, autoincrement=False))

# One row: what keeps the relay from publishing, for processes that do not run it.
relay_state = Table(
    "relay_state",
    metadata,
    Column("one_row", Boolean, primary_key=True, server_default=text("true")),
    Column("failing", Text),
    _time("since"),
    _time("next_attempt_at"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("event_id", UUID(as_uuid=True), primary_key=True),
    _time("received_at", now=True),
)

subject_version = Table(
    "subject_version",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("aggregate", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    # Whoever told of a subject first owns it: the same subject under another topic is refused.
    Index("subject_version_owner", "consumer", "aggregate", "subject", unique=True),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("headers", JSONB, nullable=False),  # [[name, base64 or null], …]: they may hold anything
    Column("value", LargeBinary),
    Column("kind", Text, nullable=False, server_default=text("'broken'")),  # broken | untrusted
    Column("reason", Text, nullable=False),
    Column("trace", Text),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
    Column("state", Text, nullable=False, server_default=text("'open'")),  # open | replayed | discarded
    _time("arrived_at", now=True),
    _time("settled_at"),
    UniqueConstraint("consumer", "topic", "partition", "offset", name="dead_letter_record"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("person", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("headers", JSONB),
    Column("body", LargeBinary),
    _time("created_at", now=True),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
