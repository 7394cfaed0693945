import asyncio
import sqlite3
import threading
import time
from typing import Any

import pytest
from kernel_garden import GARDENS, CreateGarden, create_tables, garden, opened, plant_garden

from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Unavailable
from stratal.kernel.transaction import Transaction


class _Gate:
    """Keeps the writer busy with one job until it is opened, so that later jobs wait and share a commit."""

    def __init__(self, database: Database) -> None:
        self._open, self._entered = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: database.write(self._job))
        self._thread.start()
        assert self._entered.wait(5)

    def _job(self, transaction: Transaction) -> None:
        self._entered.set()
        self._open.wait(5)

    def open(self) -> None:
        self._open.set()
        self._thread.join()


def _creation(name: str) -> Any:
    return lambda tx: GARDENS.create(tx, SYSTEM, CreateGarden(name=name)).id


class _Commits:
    def __init__(self) -> None:
        self.jobs: list[int] = []

    def observe_commit(self, *, jobs: int, seconds: float) -> None:
        self.jobs.append(jobs)


def _write_together(database: Database, *jobs: Any) -> list[Any]:
    async def all_of_them() -> list[Any]:
        gate = _Gate(database)
        waiting = [asyncio.ensure_future(database.write_async(job)) for job in jobs]
        await asyncio.sleep(0)
        gate.open()
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_jobs_that_wait_share_one_commit(sqlite_url: str) -> None:
    commits = _Commits()
    with opened(sqlite_url, observer=commits) as database:
        create_tables(database)
        _write_together(database, *(_creation(f"g{number}") for number in range(5)))
    assert commits.jobs == [1, 5]


def test_results_come_back_to_whoever_asked_in_the_order_in_which_they_asked(on_sqlite: Database) -> None:
    ids = _write_together(on_sqlite, *(_creation(f"g{number}") for number in range(5)))
    assert ids == sorted(ids)


def test_a_job_that_fails_leaves_the_others_of_its_commit_intact(on_sqlite: Database) -> None:
    def half_done(transaction: Transaction) -> None:
        GARDENS.create(transaction, SYSTEM, CreateGarden(name="half"))
        raise Conflict(reason="no")

    outcomes = _write_together(on_sqlite, _creation("before"), half_done, _creation("after"))
    names = [each.spec.name for each in on_sqlite.read(lambda tx: GARDENS.store.find(tx))]
    assert names == ["before", "after"]
    assert isinstance(outcomes[1], Conflict)


def test_a_job_that_breaks_the_whole_transaction_leaves_the_others_of_its_commit_intact(
    on_sqlite: Database,
) -> None:
    def break_it(transaction: Transaction) -> None:
        transaction._connection.exec_driver_sql("ROLLBACK")
        raise Conflict(reason="no")

    _write_together(on_sqlite, _creation("before"), break_it, _creation("after"))
    names = [each.spec.name for each in on_sqlite.read(lambda tx: GARDENS.store.find(tx))]
    assert names == ["before", "after"]


def test_a_commit_that_fails_is_told_to_whoever_asked_and_the_next_one_works(on_sqlite: Database) -> None:
    def refused_at_commit(transaction: Transaction) -> None:
        connection = transaction._connection
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.exec_driver_sql(
            "INSERT INTO garden_status (id, etag, created_at, updated_at, size, plants, irreconcilable)"
            " VALUES (999, '', '', '', 0, 0, '')"
        )

    with pytest.raises(Conflict):
        on_sqlite.write(refused_at_commit)
    assert plant_garden(on_sqlite) > 0


def test_what_is_acknowledged_can_be_read_from_another_connection(on_sqlite: Database) -> None:
    id = plant_garden(on_sqlite)
    with sqlite3.connect(str(on_sqlite.url.database)) as elsewhere:
        assert elsewhere.execute("SELECT id FROM garden_spec").fetchall() == [(id,)]


def test_a_caller_whose_event_loop_is_closed_does_not_end_the_writing(on_sqlite: Database) -> None:
    async def ask_and_leave(gate: _Gate) -> None:
        asked.append(asyncio.ensure_future(on_sqlite.write_async(_creation("orphan"))))
        await asyncio.sleep(0)

    asked: list[asyncio.Future[int]] = []
    gate = _Gate(on_sqlite)
    asyncio.run(ask_and_leave(gate))
    gate.open()
    assert garden(on_sqlite, plant_garden(on_sqlite, "next")) is not None


def test_a_caller_that_gave_up_waiting_does_not_end_the_writing(on_sqlite: Database) -> None:
    async def ask_and_give_up() -> None:
        gate = _Gate(on_sqlite)
        asked = asyncio.ensure_future(on_sqlite.write_async(_creation("abandoned")))
        await asyncio.sleep(0)
        asked.cancel()
        gate.open()

    asyncio.run(ask_and_give_up())
    assert garden(on_sqlite, plant_garden(on_sqlite, "next")) is not None


def test_an_observer_that_fails_does_not_end_the_writing(sqlite_url: str) -> None:
    class Broken:
        def observe_commit(self, *, jobs: int, seconds: float) -> None:
            raise OSError("no metrics today")

    with opened(sqlite_url, observer=Broken()) as database:
        create_tables(database)
        assert plant_garden(database, "first") < plant_garden(database, "second")


def test_a_job_that_starts_another_one_is_refused_instead_of_waiting_for_itself(on_sqlite: Database) -> None:
    with pytest.raises(RuntimeError, match="wait for itself"):
        on_sqlite.write(lambda tx: plant_garden(on_sqlite))


def test_a_closed_database_finishes_what_it_accepted(sqlite_url: str) -> None:
    with opened(sqlite_url) as database:
        create_tables(database)
        gate = _Gate(database)
        threads = [
            threading.Thread(target=plant_garden, args=(database, f"g{number}")) for number in range(3)
        ]
        for thread in threads:
            thread.start()
        while database._writer._jobs.qsize() < 3:
            time.sleep(0.001)
        gate.open()
    for thread in threads:
        thread.join()
    with opened(sqlite_url) as database:
        assert len(database.read(lambda tx: GARDENS.store.find(tx))) == 3


def test_a_closed_database_refuses_to_write(sqlite_url: str) -> None:
    with opened(sqlite_url) as database:
        pass
    with pytest.raises(Unavailable, match="shutting down"):
        database.write(lambda tx: None)


def test_jobs_that_wait_while_another_program_keeps_the_database_locked_fail_together(
    sqlite_url: str,
) -> None:
    seconds = 0.5
    with opened(f"{sqlite_url}?timeout={seconds}") as database:
        create_tables(database)
        holder = sqlite3.connect(str(database.url.database), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")

        def ask(number: int) -> None:
            with pytest.raises(Unavailable, match="another program keeps it locked"):
                plant_garden(database, f"g{number}")
            failed.append(number)

        failed: list[int] = []
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        holder.close()
    assert len(failed) == 12
    # the first job alone, then the others together: twice the wait for a lock and not twelve times
    assert time.monotonic() - started < 6 * seconds
