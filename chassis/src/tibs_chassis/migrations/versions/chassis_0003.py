"""Why nothing leaves at the moment, and when it is tried again, told to every process of the service.

Revision ID: chassis_0003
"""

from alembic import op

revision = "chassis_0003"
down_revision = "chassis_0002"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE relay_state (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    failing text,
    since timestamptz,
    next_attempt_at timestamptz
);
"""


def upgrade() -> None:
    op.execute(_TABLE)
