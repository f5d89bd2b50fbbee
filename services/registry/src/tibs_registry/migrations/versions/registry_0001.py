"""Actors, contact people, profiles, and the directory of all regions.

Revision ID: registry_0001
"""

from alembic import op

revision = "registry_0001"
down_revision = None
branch_labels = ("registry",)
depends_on = None

_TABLES = """
CREATE TABLE actor (
    id uuid PRIMARY KEY,
    version integer NOT NULL,
    name varchar NOT NULL,
    short_name varchar,
    kind text NOT NULL,
    country varchar NOT NULL,
    registration_number varchar,
    vat varchar,
    size text,
    founded integer,
    turnover_band varchar,
    town varchar,
    nuts varchar,
    nuts_version varchar,
    website varchar,
    sectors text[] NOT NULL,
    technologies text[] NOT NULL,
    languages text[] NOT NULL,
    certificates text[] NOT NULL,
    experience varchar,
    description varchar NOT NULL,
    description_language varchar NOT NULL,
    listed boolean NOT NULL,
    confirmed_on date NOT NULL,
    owner varchar NOT NULL,
    desk varchar NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name_key varchar NOT NULL,
    domain varchar,
    searched varchar NOT NULL
);
CREATE UNIQUE INDEX actor_registration ON actor (country, registration_number);
CREATE UNIQUE INDEX actor_vat ON actor (vat);
CREATE INDEX actor_domain ON actor (domain);
CREATE INDEX actor_order ON actor (name_key, id);
CREATE INDEX actor_words ON actor USING gin (to_tsvector('simple', searched));

CREATE TABLE contact (
    id uuid PRIMARY KEY,
    actor_id uuid NOT NULL REFERENCES actor (id),
    version integer NOT NULL,
    name varchar NOT NULL,
    function varchar,
    email varchar NOT NULL,
    phone varchar,
    language varchar NOT NULL,
    purpose varchar NOT NULL,
    basis text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX ix_contact_actor_id ON contact (actor_id);

CREATE TABLE contact_consent (
    id uuid PRIMARY KEY,
    contact_id uuid NOT NULL REFERENCES contact (id),
    text_version varchar NOT NULL,
    method text NOT NULL,
    given_at timestamptz NOT NULL,
    recorded_by varchar NOT NULL,
    withdrawn_at timestamptz
);
CREATE INDEX ix_contact_consent_contact_id ON contact_consent (contact_id);

CREATE TABLE profile (
    id uuid PRIMARY KEY,
    reference varchar NOT NULL UNIQUE,
    version integer NOT NULL,
    state text NOT NULL,
    actor_id uuid NOT NULL REFERENCES actor (id),
    author varchar NOT NULL,
    writers text[] NOT NULL,
    profile_type text NOT NULL,
    title varchar NOT NULL,
    summary varchar NOT NULL,
    description varchar NOT NULL,
    advantages varchar NOT NULL,
    language varchar NOT NULL,
    stage text,
    trl integer,
    stage_comment varchar,
    ipr text,
    ipr_comment varchar,
    cooperation text[] NOT NULL,
    partner_sought jsonb NOT NULL,
    target_countries text[] NOT NULL,
    sectors text[] NOT NULL,
    technology_keywords text[] NOT NULL,
    market_keywords text[] NOT NULL,
    nace text[] NOT NULL,
    trans_s3 text[] NOT NULL,
    sdgs integer[] NOT NULL,
    languages text[] NOT NULL,
    research_call jsonb,
    open_for_interest boolean NOT NULL,
    desk varchar NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    submitted_at timestamptz,
    published_at timestamptz,
    valid_until date,
    ended_at timestamptz
);
CREATE INDEX ix_profile_actor_id ON profile (actor_id);
CREATE INDEX profile_order ON profile (updated_at, id);
CREATE INDEX profile_expiry ON profile (valid_until) WHERE state = 'published';

CREATE TABLE profile_review (
    id uuid PRIMARY KEY,
    profile_id uuid NOT NULL REFERENCES profile (id),
    profile_version integer NOT NULL,
    reviewer varchar NOT NULL,
    decision text NOT NULL,
    rubric jsonb NOT NULL,
    comments jsonb NOT NULL,
    decided_at timestamptz NOT NULL
);
CREATE INDEX ix_profile_review_profile_id ON profile_review (profile_id);

CREATE TABLE reference_counter (
    day date PRIMARY KEY,
    last integer NOT NULL
);

CREATE TABLE directory_profile (
    profile_id uuid PRIMARY KEY,
    region varchar NOT NULL,
    type varchar NOT NULL,
    kind varchar NOT NULL,
    sectors text[] NOT NULL,
    searched varchar NOT NULL,
    published_at timestamptz NOT NULL,
    valid_until date NOT NULL,
    updated_at timestamptz NOT NULL,
    public jsonb NOT NULL
);
CREATE INDEX directory_profile_order ON directory_profile (published_at, profile_id);
CREATE INDEX directory_profile_sectors ON directory_profile USING gin (sectors);
CREATE INDEX directory_profile_words ON directory_profile USING gin (to_tsvector('simple', searched));

CREATE TABLE directory_actor (
    actor_id uuid PRIMARY KEY,
    region varchar NOT NULL,
    kind varchar NOT NULL,
    sectors text[] NOT NULL,
    name_key varchar NOT NULL,
    searched varchar NOT NULL,
    updated_at timestamptz NOT NULL,
    public jsonb NOT NULL
);
CREATE INDEX directory_actor_order ON directory_actor (name_key, actor_id);
CREATE INDEX directory_actor_sectors ON directory_actor USING gin (sectors);
CREATE INDEX directory_actor_words ON directory_actor USING gin (to_tsvector('simple', searched));
"""


def upgrade() -> None:
    op.execute(_TABLES)
