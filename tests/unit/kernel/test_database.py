import asyncio
import threading
import time
from pathlib import Path

import pytest
from kernel_garden import (
    GARDENS,
    PLANT,
    SYSTEM,
    CreateGarden,
    Gardener,
    create_tables,
    eventually,
    garden,
    opened,
    plant_garden,
    put_plant,
    resize,
    running,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import postgres
from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Unavailable
from stratal.kernel.failures import OutcomeUnknown
from stratal.kernel.reconcile import RecordReconciler
from stratal.kernel.transaction import Transaction


def test_what_a_read_writes_is_undone(database: Database) -> None:
    id = plant_garden(database, size=1)
    database.read(lambda tx: GARDENS.store.change_spec(tx, id, {"size": 2}))
    assert garden(database, id).spec.size == 1


def test_a_read_sees_one_moment_however_many_statements_it_has(database: Database) -> None:
    id = plant_garden(database, size=1)

    def read_twice(transaction: Transaction) -> list[int]:
        first = GARDENS.store.get(transaction, id).spec.size
        writer = threading.Thread(target=resize, args=(database, id, 2))
        writer.start()
        writer.join()
        return [first, GARDENS.store.get(transaction, id).spec.size]

    assert database.read(read_twice) == [1, 1]


def test_a_write_that_raises_changes_nothing(database: Database) -> None:
    id = plant_garden(database, size=1)

    def fail(transaction: Transaction) -> None:
        GARDENS.store.change_spec(transaction, id, {"size": 2})
        raise Conflict(reason="no")

    with pytest.raises(Conflict):
        database.write(fail)
    assert garden(database, id).spec.size == 1


def test_a_defect_in_a_statement_is_not_taken_for_a_database_that_does_not_work(database: Database) -> None:
    with pytest.raises(DBAPIError):
        database.write(lambda tx: tx.execute(text("SELECT nothing FROM nowhere")))


def test_a_value_that_is_missing_is_not_taken_for_a_conflict(database: Database) -> None:
    with pytest.raises(DBAPIError):
        database.write(lambda tx: tx.execute(GARDENS.store.kind.tables.spec.insert().values(name="x")))


def test_a_duplicate_that_only_the_database_noticed_is_a_conflict(database: Database) -> None:
    id = plant_garden(database)
    table = GARDENS.kind.tables.spec
    row = database.read(lambda tx: tx.execute(table.select()).one())
    copy = {**row._mapping, "id": id + 1, "uuid": "another"}
    with pytest.raises(Conflict):
        database.write(lambda tx: tx.execute(table.insert().values(copy)))


def test_a_file_that_is_no_database_is_unavailable_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "stratal.db").write_bytes(b"certainly no database " * 100)
    with (
        opened(f"sqlite:///{tmp_path}/stratal.db") as database,
        pytest.raises(Unavailable, match="its file is damaged"),
    ):
        database.read(lambda tx: tx.execute(text("SELECT 1")))


def test_a_directory_that_does_not_exist_is_unavailable_and_says_why(tmp_path: Path) -> None:
    with (
        opened(f"sqlite:///{tmp_path}/missing/stratal.db") as database,
        pytest.raises(Unavailable, match="its file cannot be opened"),
    ):
        database.write(lambda tx: None)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with (
        opened("postgresql+psycopg://nobody@127.0.0.1:1/nothing") as database,
        pytest.raises(Unavailable, match="the database does not work"),
    ):
        database.write(lambda tx: tx.execute(text("SELECT 1")))


@pytest.mark.usefixtures("postgres_server")  # where PostgreSQL is not installed, this is skipped too
def test_connections_that_a_restarted_server_left_dead_are_replaced_without_an_error() -> None:
    with postgres.running() as server, server.database() as url, opened(url) as database:
        create_tables(database)
        id = plant_garden(database, size=1)
        server.stop()
        server.start()
        resize(database, id, 2)
        server.stop()
        server.start()
        assert garden(database, id).spec.size == 2


def test_requests_references_and_looks_that_cross_each_other_do_not_deadlock(on_postgres: Database) -> None:
    gardens = [plant_garden(on_postgres, f"g{number}") for number in range(2)]

    def go(number: int) -> None:
        for turn in range(25):
            put_plant(on_postgres, gardens[(number + turn) % 2], f"p{number}-{turn}")
            resize(on_postgres, gardens[number % 2], turn)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
    with running(on_postgres, Gardener(), RecordReconciler(PLANT)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: on_postgres.read(work.count).idle == 102)
    assert _deadlocks(on_postgres) == 0


def _deadlocks(database: Database) -> int:
    statement = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return database.read(lambda tx: tx.execute(statement).scalar_one())


@pytest.mark.usefixtures("postgres_server")  # where PostgreSQL is not installed, this is skipped too
def test_a_commit_whose_answer_never_came_is_not_said_to_have_changed_nothing() -> None:
    with postgres.running() as server, server.database() as url, opened(url) as database:
        create_tables(database)
        id = plant_garden(database)

        def broken_while_committing(transaction: Transaction) -> None:
            GARDENS.store.change_spec(transaction, id, {"size": 9})
            server.stop()

        with pytest.raises(OutcomeUnknown):
            database.write(broken_while_committing)
        server.start()


def test_a_transaction_that_gave_way_to_another_one_is_repeated(on_postgres: Database) -> None:
    first, second = plant_garden(on_postgres, "eden"), plant_garden(on_postgres, "kew")
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def cross(mine: int, other: int) -> None:
        def work(transaction: Transaction) -> None:
            GARDENS.store.change_spec(transaction, mine, {"size": mine})
            tries.append(mine)
            if len(tries) <= 2:
                both_hold_one.wait(30)
            GARDENS.store.change_spec(transaction, other, {"size": mine})

        on_postgres.write(work)

    threads = [threading.Thread(target=cross, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) >= 3


def test_rows_of_work_are_written_in_one_order_whatever_the_order_in_which_they_were_asked_for(
    on_postgres: Database,
) -> None:
    asked = [("plant", 2), ("garden", 30), ("plant", 1), ("garden", 4), ("garden", 5)]

    def ask(transaction: Transaction) -> None:
        for kind, id in asked:
            work.ask(transaction, kind, id)

    on_postgres.write(ask)
    as_they_lie = text("SELECT kind, id FROM work ORDER BY ctid")
    assert on_postgres.read(lambda tx: [tuple(row) for row in tx.execute(as_they_lie)]) == sorted(asked)


def test_a_client_that_stalls_inside_a_transaction_is_cut_off_after_a_while(on_postgres: Database) -> None:
    statement = text("SHOW idle_in_transaction_session_timeout")
    assert on_postgres.read(lambda tx: tx.execute(statement).scalar_one()) == "30s"


def test_what_comes_after_the_end_is_unavailable(database: Database) -> None:
    async def ask() -> list[object]:
        nothing = (
            database.read_async(lambda tx: None),
            database.read_async(lambda tx: None, quick=True),
            database.write_async(lambda tx: None),
        )
        return [*await asyncio.gather(*nothing, return_exceptions=True)]

    database.close()
    assert [type(answer) for answer in asyncio.run(ask())] == [Unavailable] * 3
    for call in (database.read, database.write):
        with pytest.raises(Unavailable, match="shutting down"):
            call(lambda tx: None)


def test_what_was_accepted_before_the_end_is_still_done(database: Database) -> None:
    async def ask_and_close() -> int:
        created = asyncio.create_task(database.write_async(_create_slowly))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(database.close)
        return await created

    assert asyncio.run(ask_and_close()) > 0


def _create_slowly(transaction: Transaction) -> int:
    time.sleep(0.2)
    return GARDENS.create(transaction, SYSTEM, CreateGarden(name="eden", size=1)).id
