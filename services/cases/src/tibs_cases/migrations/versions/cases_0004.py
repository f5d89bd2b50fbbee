"""What was read, and when: on the other side of what we sent, on ours of what came.

Revision ID: cases_0004
"""

from alembic import op

revision = "cases_0004"
down_revision = "cases_0003"
branch_labels = None
depends_on = None

_CHANGES = """
ALTER TABLE introduction ADD COLUMN read timestamptz;
ALTER TABLE introduction_message ADD COLUMN read_at timestamptz;
"""


def upgrade() -> None:
    op.execute(_CHANGES)
