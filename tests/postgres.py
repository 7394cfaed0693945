"""A real PostgreSQL for tests and benchmarks, run from Debian's binaries in a directory of its own.

`running()` starts a server and ends it; `Server.database()` makes an empty database and drops it. Used by
tests/conftest.py (one server per test process that asks for one) and by bench/. Durability is left as
PostgreSQL ships it: fsync and synchronous commit are on.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

_INSTALLED = Path("/usr/lib/postgresql")
_OLDEST_VERSION = 15
_SUPERUSER = "stratal"
_START_SECONDS = 60
_STOP_SECONDS = 30


class PostgresNotInstalled(Exception):
    """The server's binaries are not on this machine."""


class PostgresFailed(Exception):
    """A server did not start, or did not stop."""


class Server:
    """A server, reached through a Unix socket that only its own user and root can open."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        #: Holds the data, the log and the socket.
        self.directory = directory
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a server that was stopped, and wait until it answers."""
        self._process = _serve(_binaries(), self.directory, self._settings)
        _wait_until_ready(self._process, self.directory, self.directory / "server.log")

    def stop(self) -> None:
        """Break all connections and stop. What was not committed is rolled back. Idempotent."""
        if self._process is not None:
            _stop(self._process)
            self._process = None

    @contextmanager
    def database(self) -> Generator[str]:
        """A new empty database, as a SQLAlchemy URL; dropped afterwards, whoever is still connected to it."""
        name = f"test_{secrets.token_hex(8)}"
        self._administer("CREATE DATABASE {} TEMPLATE template0", name)
        try:
            yield f"postgresql+psycopg://{_SUPERUSER}@/{name}?host={self.directory}"
        finally:
            self._administer("DROP DATABASE {} WITH (FORCE)", name)

    def _administer(self, statement: LiteralString, name: str) -> None:
        with _connect(self.directory) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def running(*, settings: dict[str, str] | None = None) -> Generator[Server]:
    """Start a server with an empty data directory, end it afterwards and remove all its files.

    Takes about a second. `settings` are those of postgresql.conf. The server also ends when the thread that
    started it does, so that a killed test process leaves none behind: start it in a thread that lives as long
    as the server is needed.

    Raises PostgresNotInstalled or PostgresFailed.
    """
    binaries = _binaries()
    # Not pytest's directory, which other users may not enter, nor a long TMPDIR: a socket's path has at most
    # 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="stratal-postgres-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres", "postgres")
        _initialise(binaries, directory)
        server = Server(directory, settings or {})
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


def _binaries() -> Path:
    versions = [int(path.name) for path in _INSTALLED.glob("[0-9]*") if (path / "bin" / "postgres").exists()]
    if not versions or max(versions) < _OLDEST_VERSION:
        raise PostgresNotInstalled(
            f"no PostgreSQL {_OLDEST_VERSION} or newer in {_INSTALLED}: run tools/setup check"
        )
    return _INSTALLED / str(max(versions)) / "bin"


def _unprivileged() -> list[str]:
    """The start of a command that PostgreSQL accepts to be run by: it refuses root."""
    if os.geteuid() != 0:
        return []
    return ["--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _initialise(binaries: Path, directory: Path) -> None:
    command = [
        *("setpriv", *_unprivileged(), "--", str(binaries / "initdb"), "--pgdata", str(directory / "data")),
        *("--username", _SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"),
        # Spares the fsync of this first, worthless state only: the server itself runs with fsync.
        *("--no-sync", "--no-instructions"),
    ]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PostgresFailed(f"initdb failed:\n{done.stdout}{done.stderr}")


def _serve(binaries: Path, directory: Path, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [
        *("setpriv", *_unprivileged(), "--pdeathsig", "INT", "--"),
        *(str(binaries / "postgres"), "-D", str(directory / "data")),
    ]
    for name, value in {
        "listen_addresses": "",
        "unix_socket_directories": str(directory),
        **settings,
    }.items():
        command += ["-c", f"{name}={value}"]
    # A process group of its own: Ctrl-C in the terminal must reach the tests, which then end the server.
    with (directory / "server.log").open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def _wait_until_ready(process: "subprocess.Popen[bytes]", directory: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _connect(directory).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise PostgresFailed(f"the server did not start: {error}\n{log.read_text()}") from error
            time.sleep(0.02)
        else:
            return


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)  # "fast": open transactions are rolled back
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise PostgresFailed(f"killed: it did not stop within {_STOP_SECONDS} s") from None


def _connect(directory: Path) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(directory), user=_SUPERUSER, dbname="postgres", autocommit=True)
