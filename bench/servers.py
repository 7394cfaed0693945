"""The processes under test: real `stratal serve`s, and the baseline beside them."""

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running_server import running_server

from bench import databases
from bench.databases import Observer, Rooms

BARE = "bare handler"
_DRAIN_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A process that answers requests."""

    name: str
    #: up to the port, without a slash at its end
    url: str
    token: str
    pid: int
    rooms: Rooms
    #: None for the baseline, which has no database
    observer: Observer | None
    database_url: str

    def drain(self) -> None:
        """Wait until all the work that was caused so far is done."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self.observer is not None and self.observer.waiting():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: {self.observer.waiting()} work rows are still waiting")
            time.sleep(0.02)

    def looks(self) -> int:
        return 0 if self.observer is None else self.observer.looks()


@contextmanager
def stratal(name: str, directory: Path, *, data_centers: int, rooms: int) -> Generator[Subject]:
    """`stratal serve` on a new database called `name`, with these many rooms in it."""
    with ExitStack() as stack:
        url = stack.enter_context(databases.database_url(name, directory))
        server = stack.enter_context(running_server(directory, database_url=url))
        filled = databases.fill(url, data_centers=data_centers, rooms=rooms)
        with closing(server.client()) as client:
            token = client.headers["x-sddc-token"]
        yield Subject(
            name=name,
            url=server.url.removesuffix("/sddc/v1"),
            token=token,
            pid=server.process.pid,
            rooms=filled,
            observer=stack.enter_context(databases.observer(url)),
            database_url=url,
        )


@contextmanager
def bare(answer: bytes, rooms: Rooms) -> Iterator[Subject]:
    """The baseline, answering with what Stratal answered."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(answer)
        process.stdin.close()
        port = int(process.stdout.readline())
        yield Subject(
            name=BARE,
            url=f"http://127.0.0.1:{port}",
            token="none",
            pid=process.pid,
            rooms=rooms,
            observer=None,
            database_url="",
        )
    finally:
        process.terminate()
        process.wait()


def available(wanted: tuple[str, ...], warn: Callable[[str], None]) -> list[str]:
    """Those of the databases that this machine has."""
    try:
        databases.postgres._binaries()
    except databases.postgres.PostgresNotInstalled as error:
        warn(str(error))
        return [name for name in wanted if name != "postgresql"]
    return list(wanted)
