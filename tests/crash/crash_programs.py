"""Running the programs of `crash_documents`, and looking at what they leave behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from crash_documents import (
    Order,
    Shelf,
    create_tables,
    documents,
    engine_on,
    possible_contents,
    wait_for_rest,
)

from stratal.kernel.database import Database

_PROGRAM = [sys.executable, str(Path(__file__).with_name("crash_documents.py"))]
_SECONDS_TO_START = 60.0


class Program:
    """A running program. What it says goes to files, which survive it and never keep it waiting."""

    def __init__(self, output: Path, *arguments: str) -> None:
        self._output, self._logs = output, output.with_suffix(".logs")
        with self._output.open("wb") as output_file, self._logs.open("wb") as logs_file:
            self.process = subprocess.Popen([*_PROGRAM, *arguments], stdout=output_file, stderr=logs_file)

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def logs(self) -> str:
        return self._logs.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _SECONDS_TO_START
        while "ready\n" not in self.output:
            assert self.process.poll() is None, self.logs
            assert time.monotonic() < deadline, self.logs
            time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def program(output: Path, *arguments: str) -> Generator[Program]:
    """A program that has started, killed in the end."""
    running = Program(output, *arguments)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.end()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a program of the nursery ended with: its exit status, or the negative number of a signal."""

    status: int
    output: str
    logs: str


class Nursery:
    """Starts programs that are to be killed at a crash point, one after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, directory: Path, *arguments: str, crash_at: str = "") -> Ended:
        output, logs = directory / "output", directory / "logs"
        order = Order(arguments=list(arguments), crash_at=crash_at, output=str(output), logs=str(logs))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(msgspec.json.encode(order).decode(), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        return Ended(status=status, output=output.read_text(), logs=logs.read_text())


@contextmanager
def nursery() -> Generator[Nursery]:
    command = [*_PROGRAM, "nursery"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Nursery(process)


def crash_points() -> list[str]:
    """Every crash point of the program, as it says itself."""
    done = subprocess.run([*_PROGRAM, "points"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def recover(url: str, directory: Path) -> dict[str, str | None]:
    """Start anew, with no other means than an engine. Returns each document's content once all is at rest.

    Fails when it does not come to rest, or when the files are not those of the documents.
    """
    database = Database(url)
    try:
        create_tables(database)  # the program may have been killed before it had any
        with engine_on(database, Shelf(directory, "recovery"), owner="recovery"):
            wait_for_rest(database)
        found = documents(database)
    finally:
        database.close()
    files = {path.name: path.read_text() for path in directory.iterdir()}
    assert files == {str(each.id): each.spec.content for each in found.values()}
    assert all(each.status.content == each.spec.content for each in found.values())
    return {name: each.spec.content for name, each in found.items()}


def assert_acknowledged(output: str, found: dict[str, str | None]) -> None:
    """Every operation that the program acknowledged has happened, and none that it did not ask for."""
    possible = possible_contents(output)
    wrong = {name: found.get(name) for name, contents in possible.items() if found.get(name) not in contents}
    assert not wrong
    assert not found.keys() - possible.keys()
