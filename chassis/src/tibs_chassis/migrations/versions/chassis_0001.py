"""The first tables of the chassis.

Revision ID: chassis_0001
"""

from alembic import op

revision = "chassis_0001"
down_revision = None
branch_labels = ("chassis",)
depends_on = None

_TABLES = """
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    topic text NOT NULL,
    aggregate text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    type text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_version UNIQUE (topic, aggregate, subject, sequence)
);
CREATE TABLE outbox_waiting (seq bigint PRIMARY KEY);

CREATE TABLE inbox (
    consumer text NOT NULL,
    source text NOT NULL,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, source, event_id)
);

CREATE TABLE subject_version (
    consumer text NOT NULL,
    topic text NOT NULL,
    aggregate text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (consumer, topic, aggregate, subject)
);

CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    headers jsonb NOT NULL,
    value bytea,
    reason text NOT NULL,
    trace text,
    attempts integer NOT NULL DEFAULT 1,
    state text NOT NULL DEFAULT 'open',
    arrived_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    CONSTRAINT dead_letter_record UNIQUE (consumer, topic, partition, "offset"),
    CONSTRAINT dead_letter_state CHECK (state IN ('open', 'replayed', 'discarded'))
);

CREATE TABLE idempotency (
    person text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person, key)
);

CREATE TABLE audit (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    person text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    hash bytea NOT NULL
);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'the audit log is only ever appended to'; END$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
"""


def upgrade() -> None:
    op.execute(_TABLES)
