"""Backups of Stratal's own SQLite database, and taking them back."""

import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from stratal.cli.backup import back_up, restore
from stratal.kernel.errors import Conflict, Invalid, Unavailable
from stratal.kernel.settings import Settings
from stratal.migrations import upgrade


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was just made, in WAL as a server keeps it."""
    file = tmp_path_factory.mktemp("made") / "stratal.db"
    engine = create_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE told (word TEXT)")
    return file


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> Settings:
    """Of an installation with that database."""
    directory = tmp_path / "data"
    directory.mkdir()
    shutil.copyfile(made, directory / "stratal.db")
    return Settings.model_validate({"data_directory": directory})


@pytest.fixture
def busy(settings: Settings) -> Generator[sqlite3.Connection]:
    """A connection as a running server has one, with what it wrote still in the log."""
    with closing(_database(settings)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        _tell(connection, "first")
        yield connection


def _database(settings: Settings) -> sqlite3.Connection:
    return sqlite3.connect(settings.data_directory / "stratal.db")


def _tell(connection: sqlite3.Connection, word: str) -> None:
    with connection:
        connection.execute("INSERT INTO told VALUES (?)", (word,))


def _told(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM told")]


def test_a_backup_has_what_was_committed_and_nothing_of_what_was_not(
    settings: Settings, busy: sqlite3.Connection, tmp_path: Path
) -> None:
    busy.execute("INSERT INTO told VALUES ('not yet')")  # a transaction that is open
    back_up(settings, tmp_path / "copy.db")
    busy.commit()
    assert _told(tmp_path / "copy.db") == ["first"]


def test_a_backup_is_one_file_for_its_owner_alone(
    settings: Settings, busy: sqlite3.Connection, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        size = back_up(settings, tmp_path / "copy.db")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert size == (tmp_path / "copy.db").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]


def test_a_stopped_installation_can_be_backed_up(settings: Settings, tmp_path: Path) -> None:
    with closing(_database(settings)) as connection:
        _tell(connection, "closed")
    back_up(settings, tmp_path / "copy.db")
    assert _told(tmp_path / "copy.db") == ["closed"]


def test_a_backup_replaces_no_file_unless_that_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(Conflict, match="is there already"):
        back_up(settings, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"
    back_up(settings, tmp_path / "copy.db", overwrite=True)
    assert _told(tmp_path / "copy.db") == []


def test_without_a_database_there_is_no_backup_and_no_file(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_directory": tmp_path / "none"})
    with pytest.raises(Unavailable, match="there is no database"):
        back_up(settings, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_is_taken_back_undoes_what_came_after_and_keeps_it_aside(
    settings: Settings, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "copy.db")
    with closing(_database(settings)) as connection:
        _tell(connection, "after")
    kept = restore(settings, tmp_path / "copy.db")
    assert _told(settings.data_directory / "stratal.db") == []
    assert kept is not None
    assert _told(kept) == ["after"]
    assert stat.S_IMODE((settings.data_directory / "stratal.db").stat().st_mode) == 0o600


def test_what_a_killed_server_left_in_the_log_is_not_mixed_into_the_backup(
    settings: Settings, busy: sqlite3.Connection, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "copy.db")
    _tell(busy, "second")
    log = settings.data_directory / "stratal.db-wal"
    left = log.read_bytes()
    busy.close()
    log.write_bytes(left)  # closing tidies up, a kill does not
    restore(settings, tmp_path / "copy.db")
    assert not log.exists()
    assert _told(settings.data_directory / "stratal.db") == ["first"]


def test_an_installation_that_was_lost_comes_back(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "copy.db")
    lost = Settings.model_validate({"data_directory": tmp_path / "new"})
    assert restore(lost, tmp_path / "copy.db") is None
    assert _told(tmp_path / "new" / "stratal.db") == []


def test_nothing_is_taken_back_under_a_running_server(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "copy.db")
    with (settings.data_directory / "stratal.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="stop it first"):
            restore(settings, tmp_path / "copy.db")


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"PGDMP...", b"x" * 10_000])
def test_what_is_no_backup_is_refused_before_anything_is_touched(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad.db").write_bytes(content)
    before = (settings.data_directory / "stratal.db").read_bytes()
    with pytest.raises(Invalid):
        restore(settings, tmp_path / "bad.db")
    assert (settings.data_directory / "stratal.db").read_bytes() == before
    assert [path.name for path in settings.data_directory.iterdir() if "restoring" in path.name] == []


def test_a_damaged_backup_is_refused(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "copy.db")
    content = bytearray((tmp_path / "copy.db").read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * (4096 * 3)
    (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(Invalid, match=r"damaged|no database of Stratal"):
        restore(settings, tmp_path / "copy.db")


def test_a_backup_of_a_release_that_is_not_known_is_refused(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Invalid, match=r"does not know \(9999\)"):
        restore(settings, tmp_path / "copy.db")
