"""A full disk, a read-only database, a server that stops: a clear error, nothing lost, and life goes on."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crash_documents import (
    DOCUMENTS,
    SETTINGS,
    CreateDocument,
    Shelf,
    SlowShelf,
    UpdateDocument,
    create_tables,
    documents,
    engine_on,
    eventually,
    wait_for_rest,
)
from sqlalchemy import event

import postgres
from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.errors import Unavailable

_BIG = "x" * 200_000


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk of 8 MiB with a SQLite database on it."""

    database: Database
    make_space: Callable[[], None]


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Disk]:
    """A file system of its own where this user may mount one; else a database that may not grow."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and _mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", place)
    database = Database(f"sqlite:///{place}/stratal.db")

    def allow_pages(number: int) -> None:
        def limit(connection: Any, _: Any = None) -> None:
            connection.execute(f"PRAGMA max_page_count={number}")

        engine = database._writer._engine
        event.listen(engine, "connect", limit)
        engine.dispose()

    def make_space() -> None:
        if mounted:
            assert _mount("-o", "remount,size=64m", place)
        else:
            allow_pages(2**30)

    try:
        if not mounted:
            allow_pages(2000)
        create_tables(database)
        yield Disk(database=database, make_space=make_space)
    finally:
        database.close()
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*arguments: str | Path) -> bool:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False).returncode == 0


def _create(database: Database, name: str, content: str) -> int:
    body = CreateDocument(name=name, content=content)
    return database.write(lambda tx: DOCUMENTS.create(tx, SYSTEM, body)).id


def _fill(disk: Disk) -> dict[str, str]:
    """Write until there is no room. Returns what was acknowledged."""
    acknowledged: dict[str, str] = {}
    for number in range(1000):
        content = f"{number}{_BIG}"
        try:
            _create(disk.database, f"big-{number}", content)
        except Unavailable:
            return acknowledged
        acknowledged[f"big-{number}"] = content
    raise AssertionError("the disk never became full")


def _contents(database: Database) -> dict[str, str]:
    return {name: each.spec.content for name, each in documents(database).items()}


def test_a_full_disk_is_unavailable_and_says_so(disk: Disk) -> None:
    _fill(disk)
    with pytest.raises(Unavailable, match="its disk is full"):
        _create(disk.database, "one-too-many", _BIG)


def test_a_full_disk_loses_nothing_that_was_acknowledged(disk: Disk) -> None:
    acknowledged = _fill(disk)
    assert _contents(disk.database) == acknowledged


def test_many_writers_on_a_full_disk_each_get_an_answer_that_is_true(disk: Disk) -> None:
    acknowledged = _fill(disk)
    lock = threading.Lock()

    def go(thread: int) -> None:
        for number in range(10):
            name, content = f"late-{thread}-{number}", "y" * 10_000
            try:
                _create(disk.database, name, content)
            except Unavailable:
                continue
            with lock:
                acknowledged[name] = content

    threads = [threading.Thread(target=go, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _contents(disk.database) == acknowledged


def test_writing_works_again_once_there_is_space(disk: Disk) -> None:
    acknowledged = _fill(disk)
    disk.make_space()
    _create(disk.database, "after", "small")
    assert _contents(disk.database) == acknowledged | {"after": "small"}


def test_the_engine_goes_on_by_itself_once_there_is_space(disk: Disk, tmp_path: Path) -> None:
    world = tmp_path / "documents"
    world.mkdir()
    with engine_on(disk.database, Shelf(world, "here"), owner="here"):
        _fill(disk)
        disk.make_space()
        wait_for_rest(disk.database)
    assert {path.read_text() for path in world.iterdir()} == set(_contents(disk.database).values())


# -- read-only ---------------------------------------------------------------------------------------


def test_a_read_only_database_is_unavailable_to_writers_and_says_so(sqlite_url: str) -> None:
    path = _with_a_document(sqlite_url)
    read_only = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(Unavailable, match="it is read-only"):
        _create(read_only, "new", "never")
    read_only.close()


def test_a_read_only_database_can_be_read(sqlite_url: str) -> None:
    path = _with_a_document(sqlite_url)
    read_only = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert _contents(read_only) == {"old": "kept"}
    read_only.close()


def test_a_database_that_was_read_only_is_written_to_as_before(sqlite_url: str) -> None:
    path = _with_a_document(sqlite_url)
    read_only = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(Unavailable):
        _create(read_only, "new", "never")
    read_only.close()
    database = Database(sqlite_url)
    _create(database, "new", "made")
    assert _contents(database) == {"old": "kept", "new": "made"}
    database.close()


def test_a_server_that_became_read_only_is_unavailable_and_says_so(postgres_url: str) -> None:
    database = Database(postgres_url)
    create_tables(database)
    database.close()
    read_only = Database(f"{postgres_url}&options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(Unavailable, match="read-only"):
        _create(read_only, "new", "never")
    read_only.close()


def _with_a_document(url: str) -> str:
    database = Database(url)
    create_tables(database)
    _create(database, "old", "kept")
    database.close()
    return str(database.url.database)


# -- a server that stops, a client that stalls -------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Outage:
    """An engine at work on a server of its own, one look of which is under way."""

    server: postgres.Server
    database: Database
    id: int
    end_look: Callable[[], None]


@pytest.fixture
def outage(tmp_path: Path, postgres_server: postgres.Server) -> Generator[Outage]:
    del postgres_server  # where PostgreSQL is not installed, it skips
    with postgres.running() as server, server.database() as url:
        database = Database(url)
        create_tables(database)
        (tmp_path / "stall").write_text("here")
        # a lease that does not run out before the test does: the engine has to give it back
        settings = replace(SETTINGS, lease=timedelta(minutes=10))
        with engine_on(database, SlowShelf(tmp_path, "here"), owner="here", settings=settings):
            id = _create(database, "steady", "0")
            eventually(lambda: (tmp_path / "stalled").exists())
            yield Outage(server=server, database=database, id=id, end_look=(tmp_path / "go").touch)
        database.close()


def _update(database: Database, id: int, content: str) -> None:
    database.write(lambda tx: DOCUMENTS.update(tx, SYSTEM, id, UpdateDocument(content=content)))


def test_a_server_that_stopped_is_unavailable(outage: Outage) -> None:
    outage.server.stop()
    with pytest.raises(Unavailable, match="the database does not work"):
        _update(outage.database, outage.id, "1")
    outage.server.start()
    outage.end_look()


def test_writing_works_again_once_the_server_is_back(outage: Outage) -> None:
    outage.server.stop()
    outage.server.start()
    _update(outage.database, outage.id, "1")
    outage.end_look()
    assert _contents(outage.database) == {"steady": "1"}


def test_a_look_that_ended_while_the_server_was_away_is_made_up_for_by_the_engine_itself(
    outage: Outage,
) -> None:
    outage.server.stop()
    outage.end_look()
    time.sleep(0.5)
    outage.server.start()
    wait_for_rest(outage.database)


def test_a_client_that_stalls_inside_a_transaction_does_not_keep_its_locks(postgres_url: str) -> None:
    impatient = "-c timezone=UTC -c idle_in_transaction_session_timeout=300ms".replace(" ", "%20")
    stalling, other = Database(f"{postgres_url}&options={impatient}"), Database(postgres_url)
    create_tables(other)
    id = _create(other, "steady", "0")
    locked, stalled = threading.Event(), threading.Event()

    def stall(transaction: Any) -> None:
        DOCUMENTS.store.get(transaction, id, lock=True)
        if not locked.is_set():
            locked.set()
            stalled.wait(20)

    thread = threading.Thread(target=stalling.write, args=(stall,))
    thread.start()
    assert locked.wait(5)
    _update(other, id, "1")  # while the other one still stalls
    stalled.set()
    thread.join()
    assert _contents(other) == {"steady": "1"}
    for database in (stalling, other):
        database.close()
