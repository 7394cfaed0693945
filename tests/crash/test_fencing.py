"""Two engine processes on one PostgreSQL never reconcile one resource at once."""

import itertools
import signal
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from crash_documents import (
    DOCUMENTS,
    Operation,
    UpdateDocument,
    create_tables,
    documents,
    eventually,
    wait_for_rest,
)
from crash_programs import program

from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database


@pytest.fixture
def database(postgres_url: str) -> Generator[Database]:
    database = Database(postgres_url)
    create_tables(database)
    yield database
    database.close()


def _write(database: Database, id: int, content: str) -> None:
    database.write(lambda tx: DOCUMENTS.update(tx, SYSTEM, id, UpdateDocument(content=content)))


def _new(database: Database, name: str) -> int:
    Operation(name=name, content="0", new=True).perform(database)
    return documents(database)[name].id


def _marks(directory: Path) -> list[list[str]]:
    return [line.split() for line in (directory / "marks").read_text().splitlines()]


def test_the_looks_of_one_resource_by_two_processes_never_overlap(
    database: Database, postgres_url: str, tmp_path: Path
) -> None:
    ids = [_new(database, f"steady-{number}") for number in range(5)]
    with (
        program(tmp_path / "a", "serve", postgres_url, str(tmp_path), "a"),
        program(tmp_path / "b", "serve", postgres_url, str(tmp_path), "b"),
    ):
        deadline = time.monotonic() + 5
        for turn in itertools.count():
            _write(database, ids[turn % len(ids)], str(turn))
            if time.monotonic() > deadline:
                break
        wait_for_rest(database)
    marks = _marks(tmp_path)
    for id in ids:
        of_this = [(what, who) for what, marked, who in marks if int(marked) == id]
        looks = list(zip(of_this[::2], of_this[1::2], strict=True))
        assert all(begin == ("begin", end[1]) and end[0] == "end" for begin, end in looks)
        assert {begin[1] for begin, _ in looks} == {"a", "b"}  # they really shared it


def test_what_a_process_saw_before_it_stalled_past_its_lease_is_not_written_over_what_came_after(
    database: Database, postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "stall").write_text("a")
    with program(tmp_path / "a", "serve", postgres_url, str(tmp_path), "a") as stalled:
        id = _new(database, "steady")
        eventually(lambda: (tmp_path / "stalled").exists())
        stalled.signal(signal.SIGSTOP)
        _write(database, id, "newer")
        with program(tmp_path / "b", "serve", postgres_url, str(tmp_path), "b"):
            wait_for_rest(database)
            (tmp_path / "go").touch()
            stalled.signal(signal.SIGCONT)
            eventually(lambda: "lease_lost" in stalled.logs)
            wait_for_rest(database)
        status = documents(database)["steady"].status
    assert [mark[0] + mark[2] for mark in _marks(tmp_path)] == ["begina", "beginb", "endb", "enda"]
    assert (status.content, status.seen_by) == ("newer", "b")


def test_a_process_that_stalled_past_its_lease_goes_on_working(
    database: Database, postgres_url: str, tmp_path: Path
) -> None:
    (tmp_path / "stall").write_text("a")
    with program(tmp_path / "a", "serve", postgres_url, str(tmp_path), "a") as stalled:
        id = _new(database, "steady")
        eventually(lambda: (tmp_path / "stalled").exists())
        stalled.signal(signal.SIGSTOP)
        time.sleep(1.5)  # a lease is one second
        (tmp_path / "go").touch()
        stalled.signal(signal.SIGCONT)
        _write(database, id, "newer")
        wait_for_rest(database)
        status = documents(database)["steady"].status
    assert (status.content, status.seen_by) == ("newer", "a")
