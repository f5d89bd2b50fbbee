"""The service's own PostgreSQL database. The edge opens and commits transactions; application code never does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

# No statement, lock or forgotten transaction may hold up others for longer (milliseconds).
_OPTIONS = (
    "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
)


class Database:
    """Sessions on one database.

    `url` is a libpq address: `postgresql://role:password@host:5432/name`, or with `?host=/socket/directory`.
    """

    def __init__(self, url: str, *, application: str, pool_size: int = 5) -> None:
        self.url = url
        self._application = application
        self.engine = create_async_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={"application_name": application, "options": _OPTIONS, "connect_timeout": 5},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One session, one transaction: committed at the end, taken back on any error."""
        async with self._sessions() as session, session.begin():
            yield session

    def session(self) -> AsyncSession:
        """A bare session, for the edge, which decides itself whether to commit."""
        return self._sessions()

    @asynccontextmanager
    async def direct(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection of its own in autocommit, outside the pool: for session locks and LISTEN."""
        connection = await psycopg.AsyncConnection.connect(
            self.url,
            autocommit=True,
            application_name=f"{self._application}-direct",
            options=_OPTIONS,
            connect_timeout=5,
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """The payloads notified on a channel from now on. Ends with psycopg.OperationalError when the line breaks."""
        async with self.direct() as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            async for notification in connection.notifies():
                yield notification.payload

    async def close(self) -> None:
        await self.engine.dispose()
