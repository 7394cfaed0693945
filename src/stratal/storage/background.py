"""Long work on layers, beside the quick: merges, flattenings and copies, a few at a time.

Owned by the storage facade, fed by the reconciler of trees. Nothing about it is stored: after a crash the
reconciler finds the same work still to be done, and drivers let it be done again. Whenever something ends,
its tree is asked for a look.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from structlog import get_logger

from stratal.kernel.errors import StratalError
from stratal.kernel.operation import Cancelled, Operation, Progress
from stratal.storage.drivers.contract import LayerDriver, LayerId, OpenDisk
from stratal.storage.drivers.errors import LayerDamaged
from stratal.storage.layers import Step, carry_out

log: Any = get_logger(__name__)

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
"""Seconds that work rests after it failed: doubled from failure to failure, up to the longest."""


@dataclass(kw_only=True)
class _Job:
    tree_id: int
    layers: frozenset[LayerId]
    step: Step
    disk: OpenDisk | None = None
    operation: Operation | None = None
    #: before it began
    cancelled: bool = False


@dataclass(kw_only=True)
class _Rest:
    """Work that failed, and rests."""

    error: StratalError
    until: float
    failures: int


@dataclass(kw_only=True)
class Activity:
    """What goes on in one tree."""

    #: layers that something is being done to
    busy: frozenset[LayerId] = frozenset()
    #: of those, how far it is
    progress: dict[LayerId, Progress] = field(default_factory=dict[LayerId, Progress])
    #: what failed and rests, by the layer that it was to change
    failed: dict[LayerId, StratalError] = field(default_factory=dict[LayerId, StratalError])
    #: until the first of those may be tried again
    rests: timedelta | None = None


class Background:
    """A bounded pool of threads that carry out steps, keyed by the layer that changes."""

    def __init__(self, *, workers: int, ended: Callable[[int], None]) -> None:
        """`ended` is called with the id of the tree whenever something ended there."""
        self._ended = ended
        self._lock = threading.Lock()
        self._jobs: dict[LayerId, _Job] = {}
        self._resting: dict[tuple[int, LayerId], _Rest] = {}
        self._closing = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="storage")

    def start(
        self,
        tree_id: int,
        driver: LayerDriver,
        step: Step,
        *,
        key: LayerId,
        touches: frozenset[LayerId],
        disk: OpenDisk | None = None,
    ) -> None:
        """Begin a step, through the guest that has the layer open, if any. Nothing happens when its layer is
        busy, or rests after a failure."""
        job = _Job(tree_id=tree_id, layers=touches | {key}, step=step, disk=disk)
        with self._lock:
            rest = self._resting.get((tree_id, key))
            if self._closing or key in self._jobs or (rest and time.monotonic() < rest.until):
                return
            self._jobs[key] = job
        self._pool.submit(self._run, key, job, driver)

    def look(self, tree_id: int) -> Activity:
        """What goes on in a tree now."""
        now = time.monotonic()
        with self._lock:
            jobs = {key: job for key, job in self._jobs.items() if job.tree_id == tree_id}
            resting = {key[1]: rest for key, rest in self._resting.items() if key[0] == tree_id}
        waits = [rest.until - now for key, rest in resting.items() if key not in jobs]
        return Activity(
            busy=frozenset(layer for job in jobs.values() for layer in job.layers),
            progress={key: job.operation.progress for key, job in jobs.items() if job.operation},
            failed={key: rest.error for key, rest in resting.items()},
            rests=timedelta(seconds=max(0.0, min(waits))) if waits else None,
        )

    def forget_failures(self, tree_id: int, wanted: frozenset[LayerId]) -> None:
        """What is not `wanted` any more has no failures to tell of."""
        with self._lock:
            for key in [key for key in self._resting if key[0] == tree_id and key[1] not in wanted]:
                del self._resting[key]

    def cancel(self, layer: LayerId) -> None:
        """Stop what is being done to a layer, if anything is. It may end all the same."""
        with self._lock:
            job = self._jobs.get(layer)
            if job is not None and job.operation is None:
                job.cancelled = True
        if job is not None and job.operation is not None:
            job.operation.cancel()

    def submit(self, work: Callable[[], object]) -> None:
        """Run something that is not about one layer, such as reclaiming leftovers."""
        with self._lock:
            if not self._closing:
                self._pool.submit(work)

    def close(self) -> None:
        """Stop what can be stopped, and wait until all has ended."""
        with self._lock:
            self._closing = True
            operations = [job.operation for job in self._jobs.values() if job.operation is not None]
        for operation in operations:
            operation.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, key: LayerId, job: _Job, driver: LayerDriver) -> None:
        error: StratalError | None = None
        try:
            carry_out(driver, job.step, lambda operation: self._operate(job, operation), disk=job.disk)
        except StratalError as failure:
            error = failure
        except Exception as failure:
            log.exception("storage_work_failed", tree=job.tree_id, layer=key)
            error = LayerDamaged(layer=key, reason=f"{type(failure).__name__}: {failure}")
        with self._lock:
            del self._jobs[key]
            if error is None:
                self._resting.pop((job.tree_id, key), None)
            elif not isinstance(error, Cancelled):
                self._rest(job.tree_id, key, error)
        try:
            self._ended(job.tree_id)
        except StratalError as failure:  # the database is away; the tree is looked at now and then anyway
            log.warning("storage_work_not_reported", tree=job.tree_id, error=str(failure))

    def _operate(self, job: _Job, operation: Operation) -> None:
        with self._lock:
            job.operation = operation
            if self._closing or job.cancelled:
                operation.cancel()
        operation.run()
        log.info("storage_work_done", tree=job.tree_id, work=str(operation))

    def _rest(self, tree_id: int, key: LayerId, error: StratalError) -> None:
        before = self._resting.get((tree_id, key))
        failures = before.failures + 1 if before else 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (failures - 1))
        self._resting[tree_id, key] = _Rest(error=error, until=time.monotonic() + pause, failures=failures)
