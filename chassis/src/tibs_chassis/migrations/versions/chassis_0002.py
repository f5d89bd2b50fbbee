"""What is not believed is told apart from what is broken; a subject belongs to the topic that told of it first.

Revision ID: chassis_0002
"""

from alembic import op

revision = "chassis_0002"
down_revision = "chassis_0001"
branch_labels = None
depends_on = None

_CHANGES = """
ALTER TABLE dead_letter
    ADD COLUMN kind text NOT NULL DEFAULT 'broken',
    ADD CONSTRAINT dead_letter_kind CHECK (kind IN ('broken', 'untrusted'));

DELETE FROM subject_version AS later USING subject_version AS first
WHERE (later.consumer, later.aggregate, later.subject) = (first.consumer, first.aggregate, first.subject)
    AND later.topic > first.topic;
CREATE UNIQUE INDEX subject_version_owner ON subject_version (consumer, aggregate, subject);
"""


def upgrade() -> None:
    op.execute(_CHANGES)
