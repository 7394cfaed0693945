"""Proof that what is measured is durable: the settings of the server's connections, and its syncs counted."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from bench import wrk
from bench.servers import Subject
from stratal.kernel.database import Database
from stratal.kernel.transaction import Transaction

_SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def verified(subject: Subject, patches: Callable[[Subject], wrk.Load]) -> str:
    """A sentence that says how commits are made durable. Raises AssertionError when they are not."""
    database = Database(subject.database_url)
    try:
        if subject.name == "sqlite":
            return f"sqlite: {database.write(_pragmas)}; {_syncs(subject, patches)}."
        return f"postgresql: {database.write(_postgresql_settings)}."
    finally:
        database.close()


def _pragmas(transaction: Transaction) -> str:
    """Read where the server writes: on the writer's connection, made by the same code."""
    mode = transaction.execute(text("PRAGMA journal_mode")).scalar_one()
    synchronous = _SYNCHRONOUS[transaction.execute(text("PRAGMA synchronous")).scalar_one()]
    assert (mode, synchronous) == ("wal", "FULL")
    return f"journal_mode {mode}, synchronous {synchronous}"


def _postgresql_settings(transaction: Transaction) -> str:
    names = ("fsync", "synchronous_commit")
    found = {name: transaction.execute(text(f"SHOW {name}")).scalar_one() for name in names}
    assert found == {"fsync": "on", "synchronous_commit": "on"}
    return ", ".join(f"{name} {value}" for name, value in found.items())


def _syncs(subject: Subject, patches: Callable[[Subject], wrk.Load]) -> str:
    """How many times the server synced during some PATCHes. They are slower than others, being traced."""
    if shutil.which("strace") is None:
        return "syncs were not counted, for want of strace"
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory) / "trace"
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace), "-p", str(subject.pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        if "attached" not in attached:
            tracer.wait()
            return f"syncs were not counted ({attached.strip()})"
        time.sleep(0.2)
        load = patches(subject)
        subject.drain()
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        syncs = sum("sync(" in line and "= 0" in line for line in trace.read_text().splitlines())
    assert syncs > 0
    return f"strace saw {syncs} fdatasyncs during {load.requests} PATCHes and the work that they caused"
