"""A kind with a side effect in the world, and the programs that the crash suite runs and kills.

A document is kept as a file whose content is the spec's. As a program:

    crash_documents.py points                        print every crash point that there is in this process
    crash_documents.py script URL DIRECTORY          carry out SCRIPT beside a running engine, then end
    crash_documents.py stream URL DIRECTORY NAME S   write documents, and die of SIGKILL after S seconds
    crash_documents.py serve URL DIRECTORY NAME      run an engine until killed
    crash_documents.py nursery                       for each order on stdin: fork, be one of the above, and
                                                     print what the child ended with

A line is printed before each operation, and another one when it has been acknowledged. Logs go to stderr.
"""

import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog
from sqlalchemy import MetaData, func, or_, select

from stratal.kernel import effects
from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.effects import Effect
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.errors import Unavailable
from stratal.kernel.fields import CreateSpec, Spec, Status, UpdateSpec
from stratal.kernel.journal import AUDIT_LOG, EVENT, AuditStatus
from stratal.kernel.kind import Catalogue, Kind
from stratal.kernel.labels import ATTACHMENT
from stratal.kernel.listen import Listener
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.service import ResourceService
from stratal.kernel.state import State
from stratal.kernel.store import Resource
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import WORK

WRITE = Effect("document.write")
RENAME = Effect("document.rename")
REMOVE = Effect("document.remove")

SETTINGS = EngineSettings(
    workers=4,
    lease=timedelta(seconds=1),
    backoff_base=timedelta(milliseconds=10),
    backoff_cap=timedelta(milliseconds=100),
    poll=timedelta(seconds=0.2),
)
SECONDS_TO_REST = 30.0

_METADATA = MetaData(naming_convention=METADATA.naming_convention)


class DocumentSpec(Spec, kw_only=True, omit_defaults=True):
    content: str


class DocumentStatus(Status, kw_only=True, omit_defaults=True):
    content: str | None = None
    #: the engine that saw it last
    seen_by: str = ""


class CreateDocument(CreateSpec, kw_only=True):
    content: str


class UpdateDocument(UpdateSpec, kw_only=True):
    content: str


DOCUMENT: Kind[DocumentSpec, DocumentStatus] = Kind(
    name="document",
    plural="documents",
    type_name="Document",
    spec=DocumentSpec,
    status=DocumentStatus,
    unique=(("name",),),
    metadata=_METADATA,
)
CATALOGUE = Catalogue([DOCUMENT])


class Documents(ResourceService[DocumentSpec, DocumentStatus]):
    create_body = CreateDocument
    update_body = UpdateDocument


DOCUMENTS = Documents(DOCUMENT, CATALOGUE)


def create_tables(database: Database) -> None:
    METADATA.create_all(database.engine, tables=[WORK, AUDIT_LOG.table, EVENT.table, ATTACHMENT])
    _METADATA.create_all(database.engine)


# -- the world ---------------------------------------------------------------------------------------


class Shelf:
    """Keeps the files. Documents that are called flaky fail at the first look after each request."""

    kind = DOCUMENT
    concurrency = 4

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name

    def reconcile(
        self, resource: Resource[DocumentSpec, DocumentStatus], look: Look
    ) -> Observed[DocumentStatus]:
        if resource.spec.name.startswith("flaky") and look.lease.attempts == 0:
            raise Unavailable(reason="the shelf wobbles")
        path, new = self._paths(resource.id)
        if new.exists() or not path.exists() or path.read_text() != resource.spec.content:
            with WRITE:
                new.write_text(resource.spec.content)
            with RENAME:
                new.rename(path)
        status = msgspec.structs.replace(resource.status, content=path.read_text(), seen_by=self._name)
        return Observed(status=status)

    def remove(self, resource: Resource[DocumentSpec, DocumentStatus], look: Look) -> Gone:
        for path in self._paths(resource.id):
            with REMOVE:
                path.unlink(missing_ok=True)
        return Gone()

    def _paths(self, id: int) -> tuple[Path, Path]:
        return self._directory / str(id), self._directory / f"{id}.new"


class SlowShelf(Shelf):
    """Marks the begin and the end of each look in a log that all processes share, and takes its time.

    With a file `stall` beside the log, the process of that name waits in its first look for a file `go`.
    """

    def reconcile(
        self, resource: Resource[DocumentSpec, DocumentStatus], look: Look
    ) -> Observed[DocumentStatus]:
        self._mark("begin", resource.id)
        stall = self._directory / "stall"
        if stall.exists() and stall.read_text() == self._name:
            stall.unlink()
            (self._directory / "stalled").touch()
            while not (self._directory / "go").exists():
                time.sleep(0.01)
        time.sleep(random.uniform(0, 0.02))
        self._mark("end", resource.id)
        status = msgspec.structs.replace(resource.status, content=resource.spec.content, seen_by=self._name)
        return Observed(status=status)

    def _mark(self, what: str, id: int) -> None:
        with (self._directory / "marks").open("ab", buffering=0) as log:  # one write, appended as a whole
            log.write(f"{what} {id} {self._name}\n".encode())


@contextmanager
def engine_on(
    database: Database, shelf: Shelf, *, owner: str, settings: EngineSettings = SETTINGS
) -> Generator[Engine]:
    """A running engine, woken by this database's writes and, on PostgreSQL, by those of other processes."""
    engine = Engine(database, CATALOGUE, [shelf], owner=owner, settings=settings)
    database.on_work = engine.wake
    engine.start()
    listener = None if database.is_sqlite else Listener(database.url, engine.wake)
    try:
        yield engine
    finally:
        if listener is not None:
            listener.close()
        engine.stop(timedelta(seconds=10))


# -- looking at it from outside ----------------------------------------------------------------------


def documents(database: Database) -> dict[str, Resource[DocumentSpec, DocumentStatus]]:
    return {each.spec.name: each for each in database.read(lambda tx: DOCUMENTS.store.find(tx))}


def unrest(database: Database) -> str:
    """What there is still to be done; empty when there is nothing."""

    def look(transaction: Transaction) -> list[str]:
        busy = select(func.count()).where(or_(WORK.c.due_at.is_not(None), WORK.c.owner.is_not(None)))
        running = select(func.count()).where(AUDIT_LOG.table.c.status == AuditStatus.RUNNING)
        restless = [
            f"{each.spec.name} is {each.state.state.value}"
            for each in DOCUMENTS.store.find(transaction)
            if each.state.state is not State.ACTIVE
        ]
        busy_rows = transaction.execute(busy).scalar_one()
        running_audits = transaction.execute(running).scalar_one()
        return [
            *([f"{busy_rows} work rows are due or leased"] if busy_rows else []),
            *([f"{running_audits} audits are running"] if running_audits else []),
            *restless,
        ]

    return "; ".join(database.read(look))


def eventually(true: Callable[[], object], within: float = SECONDS_TO_REST) -> None:
    """Wait until it is true; fail if it does not become so."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def wait_for_rest(database: Database) -> None:
    deadline = time.monotonic() + SECONDS_TO_REST
    while left := unrest(database):
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


# -- operations --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something that a client asks for. `content` is None for a deletion."""

    name: str
    content: str | None
    new: bool = False

    def perform(self, database: Database) -> None:
        def ask(transaction: Transaction) -> None:
            if self.new:
                body = CreateDocument(name=self.name, content=self.content or "")
                DOCUMENTS.create(transaction, SYSTEM, body)
                return
            [found] = DOCUMENTS.store.find(transaction, DOCUMENT.tables.spec.c.name == self.name)
            if self.content is None:
                DOCUMENTS.delete(transaction, SYSTEM, found.id)
            else:
                DOCUMENTS.update(transaction, SYSTEM, found.id, UpdateDocument(content=self.content))

        database.write(ask)


_KEPT = [f"flaky-{number}" for number in range(5)]
_DROPPED = [f"steady-{number}" for number in range(5)]
#: phases, between which everything comes to rest: so each crash point is passed often enough
SCRIPT: tuple[tuple[Operation, ...], ...] = (
    tuple(Operation(name=name, content="first", new=True) for name in [*_KEPT, *_DROPPED]),
    tuple(Operation(name=name, content="second") for name in [*_KEPT, *_DROPPED]),
    tuple(Operation(name=name, content=None) for name in _DROPPED),
)


def _say(what: str, operation: Operation) -> None:
    os.write(sys.stdout.fileno(), what.encode() + b" " + msgspec.json.encode(operation) + b"\n")


def _do(database: Database, operation: Operation) -> None:
    _say("asked", operation)
    operation.perform(database)
    _say("acknowledged", operation)


def possible_contents(output: str) -> dict[str, set[str | None]]:
    """From what a program said: the contents that each document may have; None: there may be none of it.

    There are two where the last operation was asked for and not acknowledged.
    """
    found: dict[str, set[str | None]] = {}
    for line in output.splitlines(keepends=True):
        if not line.endswith("\n"):  # killed while it said so
            continue
        what, _, text = line.partition(" ")
        if what not in ("asked", "acknowledged"):
            continue
        operation = msgspec.json.decode(text, type=Operation)
        if what == "asked":
            found[operation.name] = found.get(operation.name, {None}) | {operation.content}
        else:
            found[operation.name] = {operation.content}
    return found


def _carry_out(database: Database, phases: Any) -> None:
    for phase in phases:
        for operation in phase:
            _do(database, operation)
        wait_for_rest(database)


def _stream(database: Database, name: str, seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()

    def go(thread: int) -> None:
        chance = random.Random(f"{name}-{thread}")
        mine: dict[str, int] = {}
        for turn in range(10**9):
            document = chance.choice([*mine, None, None]) if mine else None
            if document is None:
                document = f"{'flaky' if turn % 5 == 0 else 'steady'}-{name}-{thread}-{turn}"
                mine[document] = 0
                operation = Operation(name=document, content="0", new=True)
            elif chance.random() < 0.3:
                del mine[document]
                operation = Operation(name=document, content=None)
            else:
                mine[document] += 1
                operation = Operation(name=document, content=str(mine[document]))
            _do(database, operation)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Order(msgspec.Struct, kw_only=True):
    """What a child of the nursery is to do, and where to die."""

    arguments: list[str]
    crash_at: str
    output: str
    logs: str


def _nursery() -> None:
    """Importing takes far longer than being killed: here it is done once for all children."""
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            for path, descriptor in ((order.output, 1), (order.logs, 2)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
            # what a process that was started anew reads from its environment when it imports this
            effects._armed = effects._Armed(order.crash_at)
            try:
                main(*order.arguments)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def main(command: str, *arguments: str) -> None:
    if command == "points":
        print("\n".join(Effect.crash_points()))
        return
    if command == "nursery":
        _nursery()
        return
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    url, directory, name, *rest = (*arguments, "script")
    database = Database(url)
    create_tables(database)
    shelf = (SlowShelf if command == "serve" else Shelf)(Path(directory), name)
    with engine_on(database, shelf, owner=name):
        print("ready", flush=True)
        match command:
            case "script":
                _carry_out(database, SCRIPT)
            case "stream":
                _stream(database, name, float(rest[0]))
            case _:
                threading.Event().wait()
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
