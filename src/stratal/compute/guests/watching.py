"""Asking for a look at machines that did something by themselves.

Owned by `guests`; the reconciler of machines says what it is looking at.
"""

import queue
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from sqlalchemy import select
from structlog import get_logger

from stratal.compute.domain import MachineId
from stratal.compute.drivers.contract import Happening, Hypervisor, MachineEvent
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.errors import StratalError
from stratal.kernel.transaction import Transaction

log = get_logger(__name__)

_MOST_AT_ONCE = 500
_PAUSE_SECONDS = 1.0


class Watcher:
    """Listens to a hypervisor, from the first look at a machine on: a host without guests needs none.

    A thread of its own writes, since listeners return at once.
    """

    def __init__(self, hypervisor: Hypervisor, database: Database) -> None:
        self._hypervisor = hypervisor
        self._database = database
        self._heard: queue.SimpleQueue[MachineEvent | None] = queue.SimpleQueue()
        self._stack = ExitStack()
        self._thread = threading.Thread(target=self._run, name="machine-events", daemon=True)
        self._beginning = threading.Lock()
        self._listening = False
        self._lock = threading.Lock()
        #: the machines that are looked at, and whether one did something that the look may not know of
        self._looked_at: dict[MachineId, bool] = {}

    @contextmanager
    def look(self, machine: MachineId) -> Generator[None]:
        """A look at a machine. When its state changes meanwhile, another look is asked for at the end of this
        one, unless that is `known` by then: most of it is what the look itself did.
        """
        self._begin()
        with self._lock:
            self._looked_at[machine] = False
        try:
            yield
        finally:
            with self._lock:
                unknown = self._looked_at.pop(machine)
            if unknown:
                self._heard.put(MachineEvent(machine=machine, what=Happening.STATE))

    def known(self, machine: MachineId) -> None:
        """The look goes by what it observes from here on."""
        with self._lock:
            if machine in self._looked_at:
                self._looked_at[machine] = False

    def close(self) -> None:
        """Listen no more. What was heard is dealt with first."""
        with self._beginning:
            self._listening = True  # never again
            self._stack.close()
        if self._thread.ident is not None:
            self._heard.put(None)
            self._thread.join()

    def _begin(self) -> None:
        with self._beginning:
            if self._listening:
                return
            self._stack.enter_context(self._hypervisor.subscribe(self._hear))
            self._listening = True
            self._thread.start()

    def _hear(self, event: MachineEvent) -> None:
        if event.what is Happening.STATE and event.machine is not None:
            with self._lock:
                if event.machine in self._looked_at:
                    self._looked_at[event.machine] = True
                    return
        self._heard.put(event)

    def _run(self) -> None:
        while (event := self._heard.get()) is not None:
            events = [event]
            closing = False
            while len(events) < _MOST_AT_ONCE and not self._heard.empty():
                more = self._heard.get()
                if more is None:
                    closing = True
                    break
                events.append(more)
            self._tell(events)
            if closing:
                return

    def _tell(self, events: list[MachineEvent]) -> None:
        machines = {event.machine for event in events if event.machine is not None}
        everything = any(event.machine is None for event in events)
        try:
            self._database.write(lambda tx: _ask(tx, None if everything else machines))
        except StratalError as error:
            # a look that nobody asked for is taken now and then anyway
            log.warning("machine_events_lost", count=len(events), error=str(error))
            threading.Event().wait(_PAUSE_SECONDS)


def _ask(transaction: Transaction, machines: set[MachineId] | None) -> None:
    """Ask for a look at these machines; None: at all."""
    columns = VIRTUAL_MACHINE.tables.spec.c
    wanted = select(columns.id).where(columns.deleted_at.is_(None))
    if machines is not None:
        wanted = wanted.where(columns.uuid.in_(machines))
    for id in transaction.execute(wanted).scalars().all():
        work.ask(transaction, VIRTUAL_MACHINE.name, id)
