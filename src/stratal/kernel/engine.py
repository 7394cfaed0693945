"""The reconcile engine: claims work rows, runs reconcilers, writes what they saw under the lease's fence.

Started and stopped by the composition root. One thread claims and renews leases; a pool of threads runs
reconcilers. Two engines on one PostgreSQL share the work through the leases.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from structlog import get_logger

from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.effects import Effect
from stratal.kernel.errors import StratalError, Unavailable
from stratal.kernel.journal import Level, last_event, record_event
from stratal.kernel.kind import Catalogue
from stratal.kernel.outcome import record_outcome
from stratal.kernel.reconcile import AnyReconciler, Look
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import Lease, LeaseLost

log: Any = get_logger(__name__)

CLAIM = Effect("engine.claim")
LOOK = Effect("engine.look")
RECORD = Effect("engine.record")
RELEASE = Effect("engine.release")


class ReconcileObserver(Protocol):
    """Who wants to know of reconciliations: the process's metrics."""

    def observe_reconcile(self, *, kind: str, outcome: str, seconds: float) -> None: ...


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    workers: int = 8
    lease: timedelta = timedelta(seconds=30)
    backoff_base: timedelta = timedelta(seconds=0.5)
    backoff_cap: timedelta = timedelta(seconds=60)
    #: how often to look for due work when nobody says that there is any
    poll: timedelta = timedelta(seconds=5)


class Engine:
    """Runs the reconcilers of this process. `start` once, `stop` once."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        reconcilers: Iterable[AnyReconciler],
        *,
        owner: str,
        settings: EngineSettings,
        observer: ReconcileObserver | None = None,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._reconcilers = {reconciler.kind.name: reconciler for reconciler in reconcilers}
        self._stores: dict[str, Store[Any, Any]] = {
            name: Store(reconciler.kind) for name, reconciler in self._reconcilers.items()
        }
        self._owner = owner
        self._settings = settings
        self._observer = observer
        self._wake = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._held: dict[tuple[str, int], Lease] = {}
        self._running: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="reconcile")
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._random = random.Random()  # noqa: S311  jitter, not a secret

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be work. Cheap, and callable from any thread."""
        self._wake.set()

    def stop(self, timeout: timedelta) -> bool:
        """Claim nothing more and wait for what runs. False when something still ran at the deadline.

        What still runs keeps its lease until the process ends; somebody else takes over when it expires.
        """
        self._stopping = True
        self._wake.set()
        deadline = time.monotonic() + timeout.total_seconds()
        self._thread.join(timeout.total_seconds())
        while self._held and time.monotonic() < deadline:
            time.sleep(0.01)
        self._pool.shutdown(wait=not self._held, cancel_futures=True)
        return not self._held

    # -- claiming ------------------------------------------------------------------------------------

    def _run(self) -> None:
        renew_every = self._settings.lease.total_seconds() / 3
        renew_at = time.monotonic() + renew_every
        while not self._stopping:
            pause = self._settings.poll.total_seconds()
            self._wake.clear()
            try:
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + renew_every
                    self._renew()
                if self._claim() == 0:
                    pause = min(pause, self._seconds_to_next())
                else:
                    pause = 0.0 if self._free_slots() else pause
            except Exception as error:
                # the database is away: nothing can be claimed, and what runs will find out by itself
                log.warning("engine_cannot_claim", error=str(error))
                pause = min(pause, 1.0)
            pause = min(pause, max(0.0, renew_at - time.monotonic()))
            self._wake.wait(pause)

    def _free_slots(self) -> int:
        # a little more than the workers can run at once, so that none of them waits for a claim
        return self._settings.workers * 2 - len(self._held)

    def _claim(self) -> int:
        slots = self._free_slots()
        if slots <= 0:
            return 0
        with self._lock:
            full = {
                name
                for name, reconciler in self._reconcilers.items()
                if self._running[name] >= reconciler.concurrency
            }

        def take(transaction: Transaction) -> list[Lease]:
            return work.claim(
                transaction, owner=self._owner, lease=self._settings.lease, most=slots, full_kinds=full
            )

        if self._stopping:
            return 0
        with CLAIM:
            leases = self._database.write(take)
        for lease in leases:
            with self._lock:
                self._held[lease.kind, lease.id] = lease
                self._running[lease.kind] += 1
            self._pool.submit(self._look, lease)
        return len(leases)

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held.values())
        if held:
            lost = self._database.write(lambda tx: work.renew(tx, held, self._settings.lease))
            for lease in lost:
                log.warning("lease_lost", resource_type=lease.kind, resource_id=lease.id)

    def _seconds_to_next(self) -> float:
        if self._free_slots() <= 0:
            return self._settings.poll.total_seconds()
        due = self._database.read(work.next_due)
        if due is None:
            return self._settings.poll.total_seconds()
        return max(0.0, (due - self._database.clock.now()).total_seconds())

    # -- looking -------------------------------------------------------------------------------------

    def _look(self, lease: Lease) -> None:
        started = time.perf_counter()
        outcome = "settled"
        try:
            self._reconcile(lease)
        except LeaseLost:
            outcome = "lease_lost"
            log.warning("lease_lost", resource_type=lease.kind, resource_id=lease.id)
        except Exception as error:
            outcome = "failed"
            self._give_back(lease, error)
        finally:
            with self._lock:
                self._held.pop((lease.kind, lease.id), None)
                self._running[lease.kind] -= 1
            self._wake.set()
            if self._observer is not None:
                self._observer.observe_reconcile(
                    kind=lease.kind, outcome=outcome, seconds=time.perf_counter() - started
                )

    def _reconcile(self, lease: Lease) -> None:
        reconciler = self._reconcilers.get(lease.kind)
        if reconciler is None:
            raise Unavailable(reason=f"no reconciler for {lease.kind} runs here")
        store = self._stores[lease.kind]
        resource = self._database.read(lambda tx: store.get(tx, lease.id, labels=False))
        if resource is None:
            self._database.write(lambda tx: work.forget(tx, lease))
            return
        look = Look(self._database, lease)
        with LOOK:
            if resource.spec.deletion_begin is None:
                result = reconciler.reconcile(resource, look)
            else:
                result = reconciler.remove(resource, look)
        with RECORD:
            self._database.write(
                lambda tx: record_outcome(tx, self._catalogue, store, resource, lease, result)
            )

    # -- failing -------------------------------------------------------------------------------------

    def _give_back(self, lease: Lease, error: Exception) -> None:
        known = isinstance(error, StratalError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        log.warning(
            "reconcile_failed",
            resource_type=lease.kind,
            resource_id=lease.id,
            attempts=lease.attempts + 1,
            error=message,
            exc_info=None if known else error,
        )
        delay = self._backoff(lease.attempts)

        def put_back(transaction: Transaction) -> None:
            work.release(
                transaction,
                lease,
                due_at=transaction.now + delay,
                attempts=lease.attempts + 1,
                error=message,
            )
            said = f"{lease.kind} {lease.id}: {message}"
            if last_event(transaction, lease.kind, lease.id) != said:
                record_event(
                    transaction,
                    "reconcile_failed",
                    level=Level.WARNING,
                    message=said,
                    resource_type=lease.kind,
                    resource_id=lease.id,
                )

        try:
            with RELEASE:
                self._database.write(put_back)
        except Exception as failure:  # the lease runs out by itself, and the row becomes free again
            log.warning(
                "lease_not_released", resource_type=lease.kind, resource_id=lease.id, error=str(failure)
            )

    def _backoff(self, attempts: int) -> timedelta:
        """Doubled from attempt to attempt up to the cap, then any time between half of it and all of it."""
        base, cap = self._settings.backoff_base, self._settings.backoff_cap
        full = min(cap.total_seconds(), base.total_seconds() * 2 ** min(attempts, 30))
        return timedelta(seconds=self._random.uniform(full / 2, full))
