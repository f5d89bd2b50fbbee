"""What is held of each other region.

Revision ID: cases_0003
"""

from alembic import op

revision = "cases_0003"
down_revision = "cases_0002"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE peer (
    region varchar NOT NULL,
    sent_number bigint NOT NULL DEFAULT 0,
    tried_at timestamptz,
    sent_at timestamptz,
    listening_since timestamptz,
    number bigint NOT NULL DEFAULT 0,
    received_at timestamptz,
    their_sent_at timestamptz,
    their_interval double precision,
    their_standing varchar(40) NOT NULL DEFAULT 'open',
    their_reason varchar NOT NULL DEFAULT '',
    heard_number bigint NOT NULL DEFAULT 0,
    heard_sent_at timestamptz,
    their_heard_at timestamptz,
    heard_advanced_at timestamptz,
    refused_at timestamptz,
    refused_reason varchar NOT NULL DEFAULT '',
    shown_inbound varchar(40),
    shown_outbound varchar(40),
    PRIMARY KEY (region)
);
"""


def upgrade() -> None:
    op.execute(_TABLE)
