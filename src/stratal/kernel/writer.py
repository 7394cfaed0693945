"""Group commit for SQLite: one thread writes, and one fsync makes durable all that was waiting.

Called by `database` only.
"""

import contextlib
import functools
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from structlog import get_logger

from stratal.kernel.errors import Unavailable
from stratal.kernel.failures import explained
from stratal.kernel.prepared import Driver, driver_of
from stratal.kernel.transaction import Transaction

log: Any = get_logger(__name__)

_MOST_JOBS = 64
"""Jobs in one commit at most, so that the first of them does not wait long for the last."""


@dataclass(frozen=True)
class _Job:
    work: Callable[[Transaction], Any]
    succeed: Callable[[Any], None]
    fail: Callable[[BaseException], None]


class _Observer(Protocol):
    def observe_commit(self, *, jobs: int, seconds: float) -> None: ...


_Perform = Callable[[Connection, Callable[[Transaction], Any]], tuple[Any, Transaction]]


class _BatchBrokenError(Exception):
    """The whole transaction is gone (a full disk does that), not just the job that noticed."""


class _CannotBeginError(Exception):
    """There is no transaction to be had: nothing of the batch was tried."""


class GroupCommitWriter:
    """Runs jobs in the order in which they came, each in a savepoint of a shared transaction."""

    def __init__(
        self,
        engine: Engine,
        perform: _Perform,
        committed: Callable[[Transaction], None],
        observer: _Observer | None,
    ) -> None:
        self._engine = engine
        self._perform = perform
        self._committed = committed
        self._observer = observer
        self._connection: Connection | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="db-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Callable[[Transaction], Any],
        succeed: Callable[[Any], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Queue a job. One of the two callbacks is called, from the writer's thread, when it is decided."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a unit of work must not start another one: it would wait for itself")
        with self._closing:
            if not self._closed:
                self._jobs.put(_Job(work, succeed, fail))
                return
        fail(Unavailable(reason="the server is shutting down"))

    def close(self) -> None:
        """Finish the jobs that were submitted, then end the thread."""
        with self._closing:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._forget_connection()
        self._engine.dispose()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            started = time.perf_counter()
            outcomes = self._decide(batch)
            if self._observer is not None:
                seconds = time.perf_counter() - started
                outcomes.append(
                    functools.partial(self._observer.observe_commit, jobs=len(batch), seconds=seconds)
                )
            for answer in outcomes:
                try:
                    answer()
                except Exception:  # whoever asked is gone (a closed event loop); the others still wait
                    log.exception("commit_not_reported")

    def _next_batch(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < _MOST_JOBS:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)
                    break
                batch.append(job)
        return batch

    def _decide(self, batch: list[_Job]) -> list[Callable[[], None]]:
        """Run the batch. Returns what to call now that each of its jobs is durable, or refused."""
        try:
            return self._commit(batch)
        except _CannotBeginError as error:
            return [functools.partial(job.fail, explained(error.__cause__ or error)) for job in batch]
        except Exception as error:
            if len(batch) == 1:
                cause = error.__cause__ if isinstance(error, _BatchBrokenError) else None
                return [functools.partial(batch[0].fail, explained(cause or error))]
            # the batch as a whole failed; alone, each job gets its own answer
            return [answer for job in batch for answer in self._decide([job])]

    def _commit(self, batch: list[_Job]) -> list[Callable[[], None]]:
        connection = self._begin()
        # on the driver's own connection: these cost more in SQLAlchemy than half a change does
        driver = driver_of(connection)
        try:
            answers = [self._attempt(connection, driver, job) for job in batch]
            driver.execute("COMMIT")
        except BaseException:
            self._give_up(driver)
            raise
        return answers

    def _begin(self) -> Connection:
        """The writer's connection, kept from batch to batch, with a transaction that has the lock."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            driver_of(self._connection).execute("BEGIN IMMEDIATE")
        except Exception as error:
            self._forget_connection()
            raise _CannotBeginError from error
        return self._connection

    def _give_up(self, driver: Driver) -> None:
        """Undo the transaction, where it is not gone by itself."""
        try:
            if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
                driver.execute("ROLLBACK")
        except Exception:
            self._forget_connection()

    def _forget_connection(self) -> None:
        """Begin with a new one next time: of this one nobody knows what it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _attempt(self, connection: Connection, driver: Driver, job: _Job) -> Callable[[], None]:
        driver.execute("SAVEPOINT job")
        try:
            result, transaction = self._perform(connection, job.work)
        except BaseException as error:
            self._undo(driver, error)
            failure = explained(error)
            return lambda: job.fail(failure)
        driver.execute("RELEASE job")

        def succeed() -> None:
            job.succeed(result)
            self._committed(transaction)

        return succeed

    @staticmethod
    def _undo(driver: Driver, error: BaseException) -> None:
        try:
            driver.execute("ROLLBACK TO job")
            driver.execute("RELEASE job")
        except Exception:
            raise _BatchBrokenError from error
