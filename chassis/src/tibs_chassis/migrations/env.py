"""Alembic's environment: one connection, one transaction a revision, short waits for locks."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.attributes["url"]
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    # A migration that waits for a lock makes everybody behind it wait: better to fail and be run again.
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.execute(text("SELECT pg_advisory_lock(hashtext('tibs-migrations'))"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
