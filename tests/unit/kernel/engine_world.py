"""What the tests of the engine share: looks that wait or fail, and what to wait for."""

import threading
import time
from typing import Any

from kernel_garden import (
    Gardener,
    work_row,
)

from stratal.kernel.database import Database
from stratal.kernel.journal import EVENT
from stratal.kernel.reconcile import Look


def at_rest(database: Database, id: int) -> bool:
    row = work_row(database, "garden", id)
    return row is None or (row.due_at is None and row.owner is None)


def events(database: Database) -> list[str]:
    return [row.event for row in database.read(lambda tx: tx.execute(EVENT.table.select()).fetchall())]


class Stop:
    """Something that a look waits for."""

    def __init__(self) -> None:
        self.reached, self._go = threading.Event(), threading.Event()

    def __call__(self, resource: Any, look: Look) -> None:
        self.reached.set()
        assert self._go.wait(20)

    def go(self) -> None:
        self._go.set()


class Failing(Gardener):
    def __init__(self, times: int, error: Exception) -> None:
        super().__init__(self._fail)
        self.times, self.error = times, error
        self.at: list[float] = []

    def _fail(self, resource: Any, look: Look) -> None:
        self.at.append(time.monotonic())
        if len(self.at) <= self.times:
            raise self.error
