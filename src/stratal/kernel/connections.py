"""How the two databases are connected to, and the connections that are kept open for reading.

Called by `database` and `listen`.
"""

import sqlite3
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import LRUCache

from stratal.kernel.failures import as_sqlalchemy_has_it
from stratal.kernel.prepared import driver_of
from stratal.kernel.query import register_sqlite_functions

_LOCK_SECONDS = 5.0
"""How long SQLite waits for a lock that another program holds, unless the URL has a `timeout`."""

_SQLITE_STATEMENTS: Final = LRUCache[Any, Any](2048)
"""What was compiled for SQLite: once, not for reading and for writing each, nor for each database anew."""

_PLANS = 250
"""Statements that a connection to PostgreSQL keeps the plans of: more than any of them runs often."""

SESSION: Final[dict[str, Any]] = {
    # A process that stalls inside a transaction must not keep its locks: nobody could take over.
    "options": "-c timezone=UTC -c idle_in_transaction_session_timeout=30s",
    "application_name": "stratal",
    # A host that is gone without a word is found out within half a minute.
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""What every connection to PostgreSQL is opened with. The URL may say otherwise."""


class Views:
    """Connections for reading, kept by whoever reads next: to take one from SQLAlchemy's pool costs more
    than to read a row.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Connection] = deque()

    @contextmanager
    def open(self, *, quick: bool) -> Generator[Connection]:
        """A connection that sees one moment, whatever is asked on it. What is written there is undone.

        On a `quick` one to PostgreSQL each prepared statement sees its own moment, and lasts: to say that
        they belong together takes two more ways to the server and back.
        """
        connection = self._take()
        driver = driver_of(connection)
        healthy = False
        try:
            if isinstance(driver, sqlite3.Connection):
                # to have SQLAlchemy begin and end costs ten times as much
                driver.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if driver.in_transaction:
                        driver.execute("ROLLBACK")
                    healthy = True
                return
            if not quick:
                connection.begin()
            try:
                yield connection
            finally:
                if connection.in_transaction():
                    connection.rollback()
                healthy = not driver.closed
        finally:
            if healthy:
                self._idle.append(connection)
            else:
                _throw_away(connection)

    def forget(self) -> None:
        """Close what is idle, because the server has been started again and all of it is dead."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            _throw_away(connection)

    def close(self) -> None:
        self.forget()
        self._engine.dispose()

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.connect()


def _throw_away(connection: Connection) -> None:
    connection.invalidate()
    connection.close()


def sqlite_engine(url: URL) -> Engine:
    """Connections that begin when they are first used, as SQLAlchemy's do."""
    engine = sqlite_connections(url)

    def begin(connection: Connection) -> None:
        driver_of(connection).execute("BEGIN")

    event.listen(engine, "begin", begin)
    return engine


def sqlite_connections(url: URL, *, most: int | None = None) -> Engine:
    """Connections for those who begin and end transactions on the driver themselves."""
    # isolation_level None: the driver's own transaction handling would commit behind our back
    made = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=most or 32,
        max_overflow=-1 if most is None else 0,
        connect_args={
            "check_same_thread": False,
            "isolation_level": None,
            **({} if "timeout" in url.query else {"timeout": _LOCK_SECONDS}),
        },
    )
    shared = {"compiled_cache": _SQLITE_STATEMENTS}
    engine = Engine(made.pool, _sqlite_dialect(), url, execution_options=shared)

    def prepare(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        register_sqlite_functions(connection)

    event.listen(engine, "connect", prepare)
    return engine


@cache
def _sqlite_dialect() -> Dialect:
    """One for all engines: what was compiled belongs to the dialect that it was compiled by."""
    engine = create_engine("sqlite://")
    with engine.connect():  # the dialect learns what this SQLite can do
        pass
    engine.dispose()
    return engine.dialect


def postgresql_engine(url: URL, *, connections: int) -> Engine:
    """Connections for so many threads, and some more."""
    return _postgresql_engine(url, pool_size=connections, max_overflow=16)


def postgresql_views(url: URL) -> Engine:
    """Connections for `Views`: each transaction sees one moment."""
    # AUTOCOMMIT: the driver would begin one for a single statement too
    engine = _postgresql_engine(url, pool_size=1, max_overflow=-1, isolation_level="AUTOCOMMIT")

    def begin(connection: Connection) -> None:
        try:
            driver_of(connection).execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        except psycopg.Error as error:
            raise as_sqlalchemy_has_it(error, broken=True) from error

    event.listen(engine, "begin", begin)
    return engine


def _postgresql_engine(url: URL, **how: Any) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=False,
        connect_args={name: value for name, value in SESSION.items() if name not in url.query},
        query_cache_size=2048,
        **how,
    )

    def prepare(connection: Any, _record: Any) -> None:
        connection.prepared_max = _PLANS

    event.listen(engine, "connect", prepare)
    return engine
