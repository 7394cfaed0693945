"""The reconcile engine: claims work rows, runs reconcilers, writes what they saw under the lease's fence.

Started and stopped by the composition root. One thread claims and renews leases; a pool of threads runs
reconcilers. Two engines on one PostgreSQL share the work through the leases.
"""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from structlog import get_logger

from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.effects import Effect
from stratal.kernel.errors import StratalError
from stratal.kernel.journal import Level, last_event, record_event
from stratal.kernel.kind import Catalogue
from stratal.kernel.outcome import observe_together, record_outcome
from stratal.kernel.reconcile import AnyReconciler, Look, RecordReconciler
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import Lease, LeaseLost

log: Any = get_logger(__name__)

CLAIM = Effect("engine.claim")
LOOK = Effect("engine.look")
RECORD = Effect("engine.record")
RELEASE = Effect("engine.release")

_SHORTEST_PAUSE = timedelta(milliseconds=10)
"""Between claims when rows are due that another process is just claiming."""

_GATHER_SECONDS = 0.003
"""While looks run, those that end within so short a time make room for one claim."""

_PAUSE_AFTER_FAILURE = 1.0
_LONGEST_MESSAGE = 2000


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
    """Runs the reconcilers of this process, and claims nothing of other kinds. `start` once, `stop` once."""

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
        self._reconcilers = {reconciler.kind.name: reconciler for reconciler in reconcilers}
        if unknown := [name for name in self._reconcilers if catalogue.get(name) is None]:
            raise ValueError(f"reconcilers of kinds that are not in the catalogue: {', '.join(unknown)}")
        self._stores: dict[str, Store[Any, Any]] = {
            name: Store(reconciler.kind) for name, reconciler in self._reconcilers.items()
        }
        self._records = {
            name: reconciler
            for name, reconciler in self._reconcilers.items()
            if isinstance(reconciler, RecordReconciler)
        }
        self._owner = owner
        self._settings = settings
        self._observer = observer
        self._wake = threading.Event()
        self._stopping = False
        self._abandoned = False
        self._lock = threading.Lock()
        self._held: dict[tuple[str, int], Lease] = {}
        #: until when each held lease is certainly good, on this process's monotonic clock
        self._good_until: dict[tuple[str, int], float] = {}
        #: leases that nobody works under and that the database was not there to take back
        self._unreturned: list[Lease] = []
        self._running: Counter[str] = Counter()
        #: on a database of one process, leases from before its start belong to the dead
        self._has_heirlooms = database.is_sqlite
        self._renew_every = settings.lease.total_seconds() / 3
        self._renew_at = 0.0
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="reconcile")
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._random = random.Random()  # noqa: S311  jitter, not a secret

    def start(self) -> None:
        self._renew_at = time.monotonic() + self._renew_every
        self._thread.start()

    def wake(self) -> None:
        """There may be work. Cheap, and callable from any thread."""
        self._wake.set()

    def stop(self, timeout: timedelta) -> bool:
        """Claim nothing more and wait for the looks that run. False when one still ran at the deadline.

        What still runs then keeps its lease until that expires and somebody else takes over.
        """
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout.total_seconds())
        finished = not self._thread.is_alive()
        self._abandoned = True
        self._wake.set()
        self._pool.shutdown(wait=finished)
        return finished

    # -- claiming ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.clear()  # before anything is looked at: what happens after this is not missed
            if self._abandoned or (self._stopping and not self._held):
                return
            try:
                pause = self._turn()
            except Exception as error:
                # the database is away: nothing can be claimed, and what runs will find out by itself
                log.warning("engine_cannot_claim", error=str(error))
                pause = _PAUSE_AFTER_FAILURE
            woken = self._wake.wait(min(pause, max(0.0, self._renew_at - time.monotonic())))
            if woken and self._held and not self._stopping:
                time.sleep(_GATHER_SECONDS)

    def _turn(self) -> float:
        """Renew, take back, claim. Returns the seconds that may pass until the next turn."""
        if time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + min(self._renew_every, _PAUSE_AFTER_FAILURE)
            self._renew()
            self._renew_at = time.monotonic() + self._renew_every
        if self._has_heirlooms:
            self._database.write(work.free_leases_of_the_dead)
            self._has_heirlooms = False
        self._return_leases()
        poll = self._settings.poll.total_seconds()
        if self._stopping:
            return poll
        self._claim()
        return min(poll, self._seconds_to_next())

    def _room(self) -> tuple[dict[str, int], dict[str, int], int, list[tuple[str, int]]]:
        """How many looks of each kind may be added, of records and of others; how many of the others in all;
        and what is being looked at.
        """
        with self._lock:
            room = {
                name: reconciler.concurrency - self._running[name]
                for name, reconciler in self._reconcilers.items()
                if reconciler.concurrency > self._running[name]
            }
            records = {name: free for name, free in room.items() if name in self._records}
            # a little more than the workers can run at once, so that none of them waits for a claim
            busy = sum(1 for kind, _ in self._held if kind not in self._records)
            slots = self._settings.workers * 2 - busy
            others = {name: free for name, free in room.items() if slots > 0 and name not in records}
            return records, others, slots, list(self._held)

    def _claim(self) -> None:
        records, others, slots, held = self._room()
        if not records and not others:
            return

        def take(transaction: Transaction) -> list[Lease]:
            return [
                lease
                for room, most in ((records, sum(records.values())), (others, slots))
                for lease in work.claim(
                    transaction,
                    owner=self._owner,
                    lease=self._settings.lease,
                    most=most,
                    room=room,
                    held=held,
                )
            ]

        good_until = time.monotonic() + self._settings.lease.total_seconds()
        with CLAIM:
            leases = self._database.write(take)
        with self._lock:
            for lease in leases:
                self._held[lease.kind, lease.id] = lease
                self._good_until[lease.kind, lease.id] = good_until
                self._running[lease.kind] += 1
        together: defaultdict[str, list[Lease]] = defaultdict(list)
        for lease in leases:
            if lease.kind in self._records:
                together[lease.kind].append(lease)
            else:
                self._pool.submit(self._look, lease)
        for kind, of_kind in together.items():
            self._pool.submit(self._look_together, kind, of_kind)

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held.values())
        if not held:
            return
        good_until = time.monotonic() + self._settings.lease.total_seconds()
        lost = self._database.write(lambda tx: work.renew(tx, held, self._settings.lease))
        with self._lock:
            for lease in held:
                if self._held.get((lease.kind, lease.id)) is lease:
                    self._good_until[lease.kind, lease.id] = 0.0 if lease in lost else good_until

    def _return_leases(self) -> None:
        with self._lock:
            leases = list(self._unreturned)
        if leases:
            self._database.write(lambda tx: work.put_back(tx, leases))
            with self._lock:
                self._unreturned = [each for each in self._unreturned if each not in leases]

    def _seconds_to_next(self) -> float:
        """Until a row becomes due that could be claimed. A look that ends makes room and wakes the engine."""
        records, others, _, held = self._room()
        kinds = [*records, *others]
        if not kinds:
            return self._settings.poll.total_seconds()
        rest = self._database.read(lambda tx: work.rest(tx, kinds, held))
        return (self._settings.poll if rest is None else max(_SHORTEST_PAUSE, rest)).total_seconds()

    # -- looking -------------------------------------------------------------------------------------

    def _look(self, lease: Lease) -> None:
        started = time.perf_counter()
        outcome = "settled"
        try:
            if self._stopping:
                outcome = "put_back"
                self._return(lease, lambda tx: work.put_back(tx, [lease]))
            else:
                self._reconcile(lease)
        except LeaseLost:
            outcome = "lease_lost"
            log.warning("lease_lost", resource_type=lease.kind, resource_id=lease.id)
        except Exception as error:
            outcome = "failed"
            self._give_back(lease, error)
        finally:
            self._looked([lease], outcome, time.perf_counter() - started)

    def _look_together(self, kind: str, leases: list[Lease]) -> None:
        """Look at records in one transaction; one by one at what that leaves over."""
        started = time.perf_counter()
        left = leases
        try:
            if not self._stopping:
                store, reconciler = self._stores[kind], self._records[kind]
                with RECORD:
                    left = self._database.write(lambda tx: observe_together(tx, store, reconciler, leases))
        except Exception as error:
            # one of them spoils it for all; alone, each fails or succeeds for itself
            log.debug("looking_one_by_one", resource_type=kind, error=str(error))
        finally:
            done = [lease for lease in leases if lease not in left]
            if done:
                self._looked(done, "settled", (time.perf_counter() - started) / len(done))
        for lease in left:
            self._look(lease)

    def _looked(self, leases: Sequence[Lease], outcome: str, seconds: float) -> None:
        """Let go of resources; each look took so long."""
        with self._lock:
            for lease in leases:
                self._held.pop((lease.kind, lease.id), None)
                self._good_until.pop((lease.kind, lease.id), None)
                self._running[lease.kind] -= 1
        self._wake.set()
        if self._observer is not None:
            for lease in leases:
                self._observer.observe_reconcile(kind=lease.kind, outcome=outcome, seconds=seconds)

    def _reconcile(self, lease: Lease) -> None:
        reconciler = self._reconcilers[lease.kind]
        store = self._stores[lease.kind]
        resource = self._database.read(lambda tx: store.get(tx, lease.id, labels=False))
        if resource is None:
            self._database.write(lambda tx: work.forget(tx, lease))
            return
        look = Look(self._database, lease, lambda: self._still_holds(lease))
        look.check()
        with LOOK:
            if resource.spec.deletion_begin is None:
                result = reconciler.reconcile(resource, look)
            else:
                result = reconciler.remove(resource, look)
        with RECORD:
            self._database.write(lambda tx: record_outcome(tx, store, lease, result))

    def _still_holds(self, lease: Lease) -> bool:
        with self._lock:
            return time.monotonic() < self._good_until.get((lease.kind, lease.id), 0.0)

    # -- failing -------------------------------------------------------------------------------------

    def _give_back(self, lease: Lease, error: Exception) -> None:
        known = isinstance(error, StratalError)
        message = _storable(str(error) if known else f"{type(error).__name__}: {error}")
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
                after=delay,
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

        self._return(lease, put_back)

    def _return(self, lease: Lease, put_back: Callable[[Transaction], None]) -> None:
        try:
            with RELEASE:
                self._database.write(put_back)
        except LeaseLost:
            log.warning("lease_lost", resource_type=lease.kind, resource_id=lease.id)
        except Exception as failure:
            log.warning(
                "lease_not_released", resource_type=lease.kind, resource_id=lease.id, error=str(failure)
            )
            with self._lock:
                self._unreturned.append(lease)

    def _backoff(self, attempts: int) -> timedelta:
        """Doubled from attempt to attempt up to the cap, then any time between half of it and all of it."""
        base, cap = self._settings.backoff_base, self._settings.backoff_cap
        full = min(cap.total_seconds(), base.total_seconds() * 2 ** min(attempts, 30))
        return timedelta(seconds=self._random.uniform(full / 2, full))


def _storable(message: str) -> str:
    """What the world said, as a database takes it: no NUL, no half of a surrogate pair, not too long."""
    text = message.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
