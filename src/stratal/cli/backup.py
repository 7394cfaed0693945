"""Backups of Stratal's own database, and what is to be done to take one back.

SQLite: its online backup, while the server runs. PostgreSQL: pg_dump and pg_restore, which must be
installed. A backup holds verifiers of passwords, so its owner alone may read it. Disks are not in it.
"""

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, make_url

from stratal.kernel.errors import Conflict, Invalid, Unavailable
from stratal.kernel.settings import Settings

_ARCHIVE = b"PGDMP"
_SQLITE = b"SQLite format 3\0"
_REVISIONS = "SELECT version_num FROM alembic_version"


def back_up(settings: Settings, file: Path, *, overwrite: bool = False) -> int:
    """Write a consistent copy of the database to `file`, at once or not at all; returns its bytes."""
    if file.exists() and not overwrite:
        raise Conflict(reason=f"{file} is there already")
    if not file.parent.is_dir():
        raise Invalid(field="file", reason=f"there is no directory {file.parent}")
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        url = _url(settings)
        if url.get_backend_name() == "sqlite":
            _copy_sqlite(_sqlite_file(url), partial)
        else:
            _run_for(url, "pg_dump", "--format=custom", "--no-owner", "--file", str(partial))
        _make_safe(partial)
        partial.replace(file)
        _make_safe(file.parent)
    except OSError as error:
        raise Unavailable(reason=f"{file} cannot be written: {error.strerror}") from error
    except sqlite3.Error as error:
        raise Unavailable(reason=f"the database cannot be copied: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return file.stat().st_size


def restore(settings: Settings, file: Path) -> Path | None:
    """Replace the database by a backup. No server may run on it. Returns where the old database is kept.

    Raises Invalid for what is no backup, Conflict while a server runs.
    """
    url = _url(settings)
    head = _head_of(file)
    if url.get_backend_name() == "sqlite":
        if head != _SQLITE[: len(head)] or len(head) < len(_ARCHIVE):
            raise Invalid(field="file", reason=f"{file} is no backup of a SQLite database")
        with _alone(settings.data_directory):
            return _restore_sqlite(_sqlite_file(url), file)
    if head != _ARCHIVE:
        raise Invalid(field="file", reason=f"{file} is no backup of a PostgreSQL database")
    _restore_postgresql(url, file)
    return None


# -- SQLite ------------------------------------------------------------------------------------------------


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise Unavailable(reason=f"there is no database {source}")
    with closing(sqlite3.connect(f"file:{_quoted(source)}?mode=ro", uri=True)) as reading:
        with closing(sqlite3.connect(target)) as writing:
            # in one step: between steps a busy server would make it begin anew again and again
            reading.backup(writing)
            # one file, that can be carried away: not one with a log beside it
            writing.execute("PRAGMA journal_mode=DELETE")
        _check_sqlite(target)


def _check_sqlite(file: Path) -> None:
    """Raises Invalid for a file that is damaged, or is no database of Stratal's."""
    from alembic.script import ScriptDirectory

    from stratal.migrations import config

    try:
        with closing(sqlite3.connect(f"file:{_quoted(file)}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                raise Invalid(field="file", reason=f"{file} is damaged: {found}")
            (revision,) = connection.execute(_REVISIONS).fetchone() or (None,)
    except sqlite3.Error as error:
        raise Invalid(field="file", reason=f"{file} is no database of Stratal's: {error}") from error
    known = {each.revision for each in ScriptDirectory.from_config(config()).walk_revisions()}
    if revision not in known:
        raise Invalid(field="file", reason=f"{file} is of a release that this one does not know ({revision})")


def _restore_sqlite(database: Path, file: Path) -> Path | None:
    partial = database.with_name(f".{database.name}.restoring")
    kept = None
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        shutil.copyfile(file, partial)
        _check_sqlite(partial)
        _make_safe(partial)
        if database.exists():
            kept = database.with_name(f"{database.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            with closing(sqlite3.connect(database)) as connection:
                # what is only in its log belongs to it
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            os.link(database, kept)
        # a log of the old database beside the new one would be taken for its own
        for log in (f"{database.name}-wal", f"{database.name}-shm"):
            database.with_name(log).unlink(missing_ok=True)
        partial.replace(database)
        _make_safe(database.parent)
    except OSError as error:
        raise Unavailable(reason=f"{database} cannot be replaced: {error.strerror}") from error
    except sqlite3.Error as error:
        raise Unavailable(reason=f"{database} cannot be closed: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return kept


@contextmanager
def _alone(data_directory: Path) -> Generator[None]:
    """Hold what a server holds while it runs. Raises Conflict if one does."""
    try:
        data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (data_directory / "stratal.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(reason=f"a server runs on {data_directory}: stop it first") from None
            yield
    except OSError as error:
        reason = f"the data directory {data_directory} cannot be used: {error.strerror}"
        raise Unavailable(reason=reason) from error


# -- PostgreSQL --------------------------------------------------------------------------------------------


def _restore_postgresql(url: URL, file: Path) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(url)
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'stratal' AND pid <> pg_backend_pid()"
    )
    try:
        with engine.connect() as connection:
            if connection.execute(others).scalar_one():
                raise Conflict(reason="servers run on this database: stop them first")
    except DBAPIError as error:
        raise Unavailable(reason=f"the database cannot be reached: {error.orig}") from error
    finally:
        engine.dispose()
    _run_for(
        url,
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
        str(file),
    )


def _run_for(url: URL, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's. The password goes by the environment, which nobody else can read."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is not installed here (on Debian: postgresql-client)"
        raise Unavailable(reason=reason)
    environment = dict(os.environ)
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    # without its password the URL says what libpq wants to know
    plain = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    command = [found, "--dbname", plain, "--no-password", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise Unavailable(reason=f"{program} failed: {reason[-1] if reason else done.returncode}")


# -- both --------------------------------------------------------------------------------------------------


def _url(settings: Settings) -> URL:
    return make_url(settings.database_url.get_secret_value())


def _sqlite_file(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise Invalid(field="database_url", reason="names no file that could be backed up")
    return Path(url.database)


def _head_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_ARCHIVE))
    except OSError as error:
        raise Invalid(field="file", reason=f"{file} cannot be read: {error.strerror}") from error


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))


def _make_safe(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
