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
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError

from stratal.kernel.clock import Clock, Entropy, SystemClock, SystemEntropy
from stratal.kernel.connections import (
    Views,
    postgresql_engine,
    postgresql_views,
    sqlite_connections,
    sqlite_engine,
)
from stratal.kernel.errors import Unavailable
from stratal.kernel.failures import OutcomeUnknown, explained, is_certainly_undone, may_be_repeated
from stratal.kernel.notify import Notifier
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import write_down
from stratal.kernel.writer import GroupCommitWriter

R = TypeVar("R")
Work = Callable[[Transaction], R]

_READ_THREADS = 8
_QUICK_READ_THREADS = 2
_WRITE_THREADS = 8
_ATTEMPTS = 5
_LONGEST_REST = 0.1
"""Seconds before a transaction that gave way to another one is tried for the last time."""

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
        self._closed = False
        self._readers = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="db-read")
        if self.is_sqlite:
            self.engine = sqlite_engine(self.url)
            self._views = Views(sqlite_connections(self.url))
            self._writer = GroupCommitWriter(
                sqlite_connections(self.url, most=1), self._perform, self._committed, observer
            )
        else:
            self.engine = postgresql_engine(self.url, connections=_WRITE_THREADS * 2)
            self._views = Views(postgresql_views(self.url))
            self._observer = observer
            self._notifier = Notifier(self.url)
            #: of their own, so that no request waits for long lists of others to learn who is asking
            self._quick_readers = ThreadPoolExecutor(_QUICK_READ_THREADS, thread_name_prefix="db-quick")
            self._writers = ThreadPoolExecutor(_WRITE_THREADS, thread_name_prefix="db-write")

    def read(self, work: Work[R]) -> R:
        """Run `work` on one consistent view, in this thread. What it writes is undone."""
        self._check_open()
        return self._read(work, quick=False)

    async def read_async(self, work: Work[R], *, quick: bool = False) -> R:
        """`read`, without blocking the event loop.

        A `quick` read fetches a few rows by key, and writes nothing. SQLite answers those from its cache in
        microseconds, less than the way to another thread and back, so they run where they are. On PostgreSQL
        they are not made to see the same moment, which saves two of three ways to the server and back.
        """
        if not quick:
            return await self._run_in(self._readers, lambda: self._read(work, quick=False))
        if self.is_sqlite:
            self._check_open()
            return self._read(work, quick=True)
        return await self._run_in(self._quick_readers, lambda: self._read(work, quick=True))

    def write(self, work: Work[R]) -> R:
        """Run `work` and return once it is durable. Raises what `work` raises, with nothing changed."""
        if self.is_sqlite:
            future: Future[R] = Future()
            self._writer.submit(work, future.set_result, future.set_exception)
            return future.result()
        self._check_open()
        return self._write_alone(work)

    async def write_async(self, work: Work[R]) -> R:
        """`write`, without blocking the event loop."""
        if not self.is_sqlite:
            return await self._run_in(self._writers, lambda: self._write_alone(work))
        loop = asyncio.get_running_loop()
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
        """Finish what was accepted, then let go of everything. What comes later is Unavailable."""
        self._closed = True
        self._readers.shutdown()
        if self.is_sqlite:
            self._writer.close()
        else:
            self._quick_readers.shutdown()
            self._writers.shutdown()
            self._notifier.close()
        self._views.close()
        self.engine.dispose()

    async def _run_in(self, threads: ThreadPoolExecutor, work: Callable[[], R]) -> R:
        self._check_open()
        try:
            running = asyncio.get_running_loop().run_in_executor(threads, work)
        except RuntimeError:  # closed since
            self._check_open()
            raise
        return await running

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(reason="the server is shutting down")

    def _read(self, work: Work[R], *, quick: bool) -> R:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._views.open(quick=quick) as connection:
                    return work(self._begin(connection))
            except _FAILURES as error:
                if attempt < _ATTEMPTS and _connection_was_stale(error):
                    self._views.forget()
                    continue
                raise explained(error) from error
        raise AssertionError("unreachable")

    def _begin(self, connection: Connection) -> Transaction:
        return Transaction(connection, self.clock, self.entropy)

    def _committed(self, transaction: Transaction) -> None:
        if transaction.wakes_engine:
            self.on_work()
            if not self.is_sqlite:
                self._notifier.notify()

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
