"""The first tables of cases.

Revision ID: cases_0001
"""

from alembic import op

revision = "cases_0001"
down_revision = None
branch_labels = ("cases",)
depends_on = None

_TABLES = """
CREATE SEQUENCE case_receipt;

CREATE TABLE brokerage_case (
    id uuid NOT NULL,
    version integer NOT NULL,
    receipt varchar NOT NULL,
    state varchar(40) NOT NULL,
    held_from varchar(40),
    broker varchar,
    opened_by varchar NOT NULL,
    opened_at timestamptz NOT NULL,
    client_actor_id uuid NOT NULL,
    client_name varchar NOT NULL,
    client jsonb NOT NULL,
    title varchar NOT NULL,
    summary varchar NOT NULL,
    description varchar NOT NULL,
    partner_sought varchar NOT NULL,
    language varchar NOT NULL,
    profile_type varchar(40),
    sectors varchar[] NOT NULL,
    profile_id uuid,
    profile_reference varchar,
    no_conflict_at timestamptz,
    no_conflict_by varchar,
    first_contact_at timestamptz,
    diagnosis varchar NOT NULL,
    closing_reason varchar(40),
    closing_note varchar NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (id),
    UNIQUE (receipt)
);
CREATE INDEX ix_brokerage_case_broker ON brokerage_case (broker);
CREATE INDEX ix_brokerage_case_client_actor_id ON brokerage_case (client_actor_id);
CREATE INDEX ix_brokerage_case_profile_id ON brokerage_case (profile_id);
CREATE INDEX ix_brokerage_case_state ON brokerage_case (state);

CREATE TABLE early_fact (
    region varchar NOT NULL,
    introduction_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type varchar NOT NULL,
    data jsonb NOT NULL,
    arrived_at timestamptz NOT NULL,
    PRIMARY KEY (region, introduction_id, event_id)
);

CREATE TABLE introduction (
    id uuid NOT NULL,
    version integer NOT NULL,
    side varchar(40) NOT NULL,
    state varchar(40) NOT NULL,
    other_region varchar NOT NULL,
    case_id uuid NOT NULL,
    profile_id uuid NOT NULL,
    profile_reference varchar NOT NULL,
    profile_title varchar NOT NULL,
    need jsonb NOT NULL,
    message varchar NOT NULL,
    desk varchar NOT NULL,
    broker varchar,
    client_actor_id uuid,
    client_contact_id uuid,
    request_event uuid,
    contact_event uuid,
    requested timestamptz NOT NULL,
    received timestamptz,
    acknowledged timestamptz,
    consented timestamptz,
    accepted timestamptz,
    declined timestamptz,
    withdrawn timestamptz,
    home_disclosed timestamptz,
    counterpart_disclosed timestamptz,
    home_completed timestamptz,
    counterpart_completed timestamptz,
    acknowledge_due date,
    answer_due date,
    decline_reason varchar(40),
    note varchar NOT NULL,
    own_consent jsonb,
    other_consent jsonb,
    own_contact jsonb,
    other_contact jsonb,
    PRIMARY KEY (id)
);
CREATE INDEX ix_introduction_broker ON introduction (broker);
CREATE INDEX ix_introduction_case_id ON introduction (case_id);
CREATE INDEX ix_introduction_state ON introduction (state);

CREATE TABLE known_profile (
    id uuid NOT NULL,
    region varchar NOT NULL,
    reference varchar NOT NULL,
    profile_type varchar(40) NOT NULL,
    title varchar NOT NULL,
    summary varchar NOT NULL,
    language varchar NOT NULL,
    sectors varchar[] NOT NULL,
    client jsonb NOT NULL,
    desk varchar NOT NULL,
    published_at timestamptz NOT NULL,
    valid_until date NOT NULL,
    open_for_interest boolean NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (id)
);

CREATE TABLE own_profile (
    id uuid NOT NULL,
    actor_id uuid NOT NULL,
    reference varchar NOT NULL,
    profile_type varchar(40) NOT NULL,
    title varchar NOT NULL,
    state varchar(40) NOT NULL,
    author varchar NOT NULL,
    moved_by varchar,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_own_profile_actor_id ON own_profile (actor_id);
CREATE INDEX ix_own_profile_author ON own_profile (author);
CREATE INDEX ix_own_profile_state ON own_profile (state);

CREATE TABLE person (
    id varchar NOT NULL,
    version integer NOT NULL,
    name varchar NOT NULL,
    email varchar,
    language varchar NOT NULL,
    roles varchar[] NOT NULL,
    absent_until date,
    deputy varchar,
    seen_at timestamptz,
    PRIMARY KEY (id)
);

CREATE TABLE promise (
    id uuid NOT NULL,
    version integer NOT NULL,
    kind varchar(40) NOT NULL,
    state varchar(40) NOT NULL,
    case_id uuid NOT NULL,
    introduction_id uuid,
    feed uuid NOT NULL,
    title varchar NOT NULL,
    responsible varchar,
    supervisor varchar,
    made_at timestamptz NOT NULL,
    due date NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (id)
);
CREATE INDEX ix_promise_case_id ON promise (case_id);
CREATE INDEX ix_promise_feed ON promise (feed);
CREATE INDEX ix_promise_introduction_id ON promise (introduction_id);
CREATE INDEX ix_promise_responsible ON promise (responsible);
CREATE INDEX ix_promise_state ON promise (state);

CREATE TABLE timeline_entry (
    id uuid NOT NULL,
    feed uuid NOT NULL,
    introduction_id uuid,
    kind varchar(40) NOT NULL,
    at timestamptz NOT NULL,
    by varchar,
    region varchar NOT NULL,
    details jsonb NOT NULL,
    pinned boolean NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_timeline_entry_introduction_id ON timeline_entry (introduction_id);
CREATE INDEX timeline_entry_feed ON timeline_entry (feed, id);

CREATE TABLE introduction_message (
    id uuid NOT NULL,
    introduction_id uuid NOT NULL,
    direction varchar(40) NOT NULL,
    text varchar NOT NULL,
    language varchar NOT NULL,
    by varchar,
    event uuid,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(introduction_id) REFERENCES introduction (id)
);
CREATE INDEX ix_introduction_message_introduction_id ON introduction_message (introduction_id);

CREATE TABLE shortlist_entry (
    case_id uuid NOT NULL,
    profile_id uuid NOT NULL,
    region varchar NOT NULL,
    reference varchar NOT NULL,
    title varchar NOT NULL,
    note varchar NOT NULL,
    verdict varchar(40) NOT NULL,
    reason varchar NOT NULL,
    added_by varchar NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (case_id, profile_id),
    FOREIGN KEY(case_id) REFERENCES brokerage_case (id)
);
"""


def upgrade() -> None:
    op.execute(_TABLES)
