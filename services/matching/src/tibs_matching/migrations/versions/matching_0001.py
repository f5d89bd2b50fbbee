"""The first tables of matching: the index, and verdicts.

Revision ID: matching_0001
"""

from alembic import op

revision = "matching_0001"
down_revision = None
branch_labels = ("matching",)
depends_on = None

# In production the operator makes the extension, for a service's role may not; here it is made where it may be.
_EXTENSION = """
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS vector;
EXCEPTION WHEN insufficient_privilege THEN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
        RAISE EXCEPTION 'the database lacks the extension "vector" (pgvector), and this role may not create it';
    END IF;
END
$$
"""

_TABLES = """
CREATE TABLE indexed_profile (
    -- What every search reads of every row stands first: a row is read from its beginning.
    profile_id uuid PRIMARY KEY,
    valid_until date NOT NULL,
    open_for_interest boolean NOT NULL,
    profile_type text NOT NULL,
    region text NOT NULL,
    embedded_by text NOT NULL,
    embedding vector(384) NOT NULL,
    terms tsvector NOT NULL,
    language text NOT NULL,
    country text NOT NULL,
    client_kind text NOT NULL,
    client_size text,
    sectors text[] NOT NULL,
    cooperation text[] NOT NULL,
    target_countries text[] NOT NULL,
    languages text[] NOT NULL,
    trans_s3 text[] NOT NULL,
    sought_kinds text[] NOT NULL,
    sought_sizes text[] NOT NULL,
    trl integer,
    published_at timestamptz NOT NULL,
    profile jsonb NOT NULL,
    text_hash text NOT NULL,
    indexed_at timestamptz NOT NULL
);
-- Each search compares all vectors: in the row itself they are read in one pass; the long profile moves out of it.
-- An HNSW index would pay from some 50,000 profiles on, at the price of passing over some.
ALTER TABLE indexed_profile ALTER COLUMN embedding SET STORAGE PLAIN;
-- Without the list of pending entries, which every search would have to read through.
CREATE INDEX indexed_profile_terms ON indexed_profile USING gin (terms) WITH (fastupdate = off);
CREATE INDEX indexed_profile_indexed_at ON indexed_profile (indexed_at);
CREATE INDEX indexed_profile_eligible ON indexed_profile (region, profile_type, valid_until, profile_id)
    WHERE open_for_interest;

CREATE TABLE profile_passage (
    profile_id uuid NOT NULL REFERENCES indexed_profile ON DELETE CASCADE,
    number integer NOT NULL,
    text text NOT NULL,
    embedding vector(384) NOT NULL,
    PRIMARY KEY (profile_id, number)
);

CREATE TABLE passage_work (
    profile_id uuid PRIMARY KEY REFERENCES indexed_profile ON DELETE CASCADE
);

CREATE TABLE profile_client (
    profile_id uuid PRIMARY KEY,
    actor_id uuid NOT NULL
);
CREATE INDEX ix_profile_client_actor_id ON profile_client (actor_id);

CREATE TABLE lexeme (
    word text PRIMARY KEY,
    profiles integer NOT NULL
);

CREATE TABLE corpus (
    id integer PRIMARY KEY DEFAULT 1 CONSTRAINT corpus_one_row CHECK (id = 1),
    profiles integer NOT NULL,
    newest timestamptz,
    embedded integer NOT NULL,
    embedded_by text NOT NULL,
    mean vector(384)
);

CREATE TABLE verdict (
    need_id uuid NOT NULL,
    profile_id uuid NOT NULL,
    person text NOT NULL,
    verdict text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (need_id, profile_id, person)
);
CREATE INDEX verdict_profile ON verdict (profile_id);
"""


def upgrade() -> None:
    op.execute(_EXTENSION)
    op.execute(_TABLES)
