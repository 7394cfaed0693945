"""The database: SQLite in one process, or PostgreSQL by URL. Same code, two ways of writing.

Called by the composition root, the faces and the reconcile engine. SQLite has one writer, so one thread
owns the writing connection and commits together whatever is waiting: each job in its own savepoint, one
fsync for all of them. That is what makes durable commits (WAL, synchronous FULL) quick. PostgreSQL groups
commits itself; there every job is a transaction of its own on a pool of threads.

A function given to `read` or `write` touches nothing but its transaction, because it may run twice: once
more after a deadlock or a lost connection, or alone after the batch that it was part of broke.
"""

import asyncio
import random
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError
from sqlalchemy.pool import QueuePool

from stratal.kernel.clock import Clock, Entropy, SystemClock, SystemEntropy
from stratal.kernel.failures import OutcomeUnknown, explained, is_certainly_undone, may_be_repeated
from stratal.kernel.prepared import driver_of
from stratal.kernel.query import register_sqlite_functions
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import write_down
from stratal.kernel.writer import GroupCommitWriter

R = TypeVar("R")
Work = Callable[[Transaction], R]

_READ_THREADS = 8
_WRITE_THREADS = 16
_ATTEMPTS = 5
_LOCK_SECONDS = 5.0
"""How long SQLite waits for a lock that another program holds, unless the URL has a `timeout`."""

_LONGEST_REST = 0.1
"""Seconds before a transaction that gave way to another one is tried for the last time."""

CHANNEL: Final = "stratal_work"
"""PostgreSQL notifies here whenever work was asked for."""

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

_FAILURES = (DBAPIError, PoolExhaustedError, sqlite3.Error)  # the last from opening a connection


class CommitObserver(Protocol):
    """Who wants to know of commits: the process's metrics."""

    def observe_commit(self, *, jobs: int, seconds: float) -> None: ...


class Database:
    """Runs units of work. Safe to share among threads; `close` ends its threads and connections."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        observer: CommitObserver | None = None,
    ) -> None:
        self.url: URL = make_url(url)
        self.clock = clock or SystemClock()
        self.entropy = entropy or SystemEntropy()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        #: called after each durable transaction that asked for work
        self.on_work: Callable[[], None] = lambda: None
        self._readers = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="db-read")
        #: SQLite's connections that nobody reads from now: taking one from SQLAlchemy's pool costs more than
        #: to read a row
        self._idle: deque[Connection] = deque()
        if self.is_sqlite:
            self.engine = _sqlite_engine(self.url, immediate=False)
            self._writer = GroupCommitWriter(
                _sqlite_engine(self.url, immediate=True), self._perform, self._committed, observer
            )
        else:
            self.engine = _postgresql_engine(self.url)
            self._viewer = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self._observer = observer
            self._writers = ThreadPoolExecutor(_WRITE_THREADS, thread_name_prefix="db-write")

    def read(self, work: Work[R]) -> R:
        """Run `work` on one consistent view, in this thread. What it writes is undone."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._view() as connection:
                    return work(self._begin(connection))
            except _FAILURES as error:
                if attempt < _ATTEMPTS and _connection_was_stale(error):
                    continue
                raise explained(error) from error
        raise AssertionError("unreachable")

    async def read_async(self, work: Work[R], *, quick: bool = False) -> R:
        """`read`, without blocking the event loop.

        A `quick` read fetches a few rows by key: SQLite answers those from its cache in microseconds, less
        than the way to another thread and back, so they run where they are.
        """
        if quick and self.is_sqlite:
            return self.read(work)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read, work)

    def write(self, work: Work[R]) -> R:
        """Run `work` and return once it is durable. Raises what `work` raises, with nothing changed."""
        if self.is_sqlite:
            future: Future[R] = Future()
            self._writer.submit(work, future.set_result, future.set_exception)
            return future.result()
        return self._write_alone(work)

    async def write_async(self, work: Work[R]) -> R:
        """`write`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        if not self.is_sqlite:
            return await loop.run_in_executor(self._writers, self._write_alone, work)
        future: asyncio.Future[R] = loop.create_future()

        def resolve(setter: Callable[[Any], None]) -> Callable[[Any], None]:
            def set_unless_cancelled(value: Any) -> None:
                if not future.done():
                    setter(value)

            def hand_over(value: Any) -> None:
                loop.call_soon_threadsafe(set_unless_cancelled, value)

            return hand_over

        self._writer.submit(work, resolve(future.set_result), resolve(future.set_exception))
        return await future

    def close(self) -> None:
        """Finish what was accepted, then let go of everything."""
        self._readers.shutdown()
        if self.is_sqlite:
            while self._idle:
                self._idle.pop().close()
            self._writer.close()
        else:
            self._writers.shutdown()
        self.engine.dispose()

    @contextmanager
    def _view(self) -> Generator[Connection]:
        """A connection that sees one moment, whatever is asked on it."""
        if not self.is_sqlite:
            with self._viewer.connect() as connection:
                yield connection
            return
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.engine.connect()
        try:
            view = connection.begin()
            try:
                yield connection
            finally:
                view.rollback()
        except _FAILURES:
            connection.close()
            raise
        finally:
            if not connection.closed:
                self._idle.append(connection)

    def _begin(self, connection: Connection) -> Transaction:
        return Transaction(connection, self.clock, self.entropy)

    def _committed(self, transaction: Transaction) -> None:
        if transaction.wakes_engine:
            self.on_work()

    def _perform(self, connection: Connection, work: Work[R]) -> tuple[R, Transaction]:
        transaction = self._begin(connection)
        result = work(transaction)
        write_down(transaction)
        return result, transaction

    def _write_alone(self, work: Work[R]) -> R:
        started = time.perf_counter()
        for attempt in range(1, _ATTEMPTS + 1):
            committing = False
            try:
                with self.engine.begin() as connection:
                    result, transaction = self._perform(connection, work)
                    if transaction.wakes_engine:
                        connection.execute(_NOTIFY)
                    committing = True
            except _FAILURES as error:
                stale = _connection_was_stale(error)
                if stale and committing and not _undone(error):
                    raise OutcomeUnknown(
                        reason="the connection to the database broke while a change was being committed"
                    ) from error
                if attempt < _ATTEMPTS and (stale or _gave_way(error)):
                    time.sleep(random.uniform(0, _LONGEST_REST * attempt / _ATTEMPTS))  # noqa: S311
                    continue
                raise explained(error) from error
            self._committed(transaction)
            if self._observer is not None:
                self._observer.observe_commit(jobs=1, seconds=time.perf_counter() - started)
            return result
        raise AssertionError("unreachable")


def _connection_was_stale(error: Exception) -> bool:
    """Whether a connection from the pool proved dead, as all are after a restart of the server.

    The pool makes new ones from then on; when the server is still away, that fails with another error.
    """
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _undone(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and is_certainly_undone(error)


def _gave_way(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and may_be_repeated(error)


_NOTIFY = text(f"NOTIFY {CHANNEL}")


def _sqlite_engine(url: URL, *, immediate: bool) -> Engine:
    # isolation_level None: the driver's own transaction handling would commit behind our back
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if immediate else _READ_THREADS * 4,
        max_overflow=0 if immediate else -1,
        connect_args={
            "check_same_thread": False,
            "isolation_level": None,
            **({} if "timeout" in url.query else {"timeout": _LOCK_SECONDS}),
        },
        query_cache_size=2048,
    )

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

    def begin(connection: Connection) -> None:
        driver_of(connection).execute("BEGIN IMMEDIATE" if immediate else "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(
        url,
        pool_size=_READ_THREADS + _WRITE_THREADS,
        max_overflow=16,
        pool_pre_ping=False,
        connect_args={name: value for name, value in SESSION.items() if name not in url.query},
        query_cache_size=2048,
    )
