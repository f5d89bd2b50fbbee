"""The first tables of the notify service, and those of its job queue.

Revision ID: notify_0001
"""

from pathlib import Path
from typing import cast

import psycopg
from alembic import op

revision = "notify_0001"
down_revision = None
branch_labels = ("notify",)
depends_on = None

# Frozen: a later version of procrastinate changes it by a migration of its own.
_JOBS = Path(__file__).parents[1] / "sql" / "procrastinate-3.10.0.sql"

_TABLES = """
CREATE TABLE notice (
    id uuid PRIMARY KEY,
    person varchar NOT NULL,
    event_id uuid NOT NULL,
    kind varchar NOT NULL,
    critical boolean NOT NULL,
    shown boolean NOT NULL,
    link varchar NOT NULL,
    parameters jsonb NOT NULL,
    raised_at timestamptz NOT NULL,
    seen_at timestamptz,
    CONSTRAINT notice_once UNIQUE (person, event_id, kind)
);
CREATE INDEX notice_of_person ON notice (person, id);
CREATE INDEX notice_unseen ON notice (person) WHERE seen_at IS NULL AND shown;

CREATE TABLE delivery (
    id uuid PRIMARY KEY,
    notice_id uuid NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    person varchar NOT NULL,
    channel varchar NOT NULL,
    state varchar NOT NULL,
    attempts integer NOT NULL,
    reason varchar,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz,
    sent_at timestamptz,
    CONSTRAINT delivery_once UNIQUE (notice_id, channel)
);
CREATE INDEX delivery_of_person ON delivery (person, id);
CREATE INDEX delivery_failed ON delivery (id) WHERE state = 'failed';

CREATE TABLE delivery_attempt (
    delivery_id uuid NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    address varchar,
    outcome varchar NOT NULL,
    reason varchar,
    PRIMARY KEY (delivery_id, number)
);

CREATE TABLE preference (
    person varchar PRIMARY KEY,
    version integer NOT NULL,
    muted jsonb NOT NULL,
    quiet_from time,
    quiet_to time
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
    # Several statements, with percent signs among them: only the driver itself takes them as they are.
    driver = cast("psycopg.Connection", op.get_bind().connection.driver_connection)
    driver.execute(_JOBS.read_bytes())
