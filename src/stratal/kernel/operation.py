"""Work that moves bytes: an object with progress, cancellation and a clock for its phases.

Drivers build one from a body; reconcilers run it, watch it from another thread and log its statistics.
After the example of oVirt imageio's operations: any log line can say `copy 2.01 s, 333 MiB, 165 MiB/s`.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from stratal.kernel.errors import StratalError


class Cancelled(StratalError):
    """The operation was told to stop. The world is as before; the operation may be run again."""

    code = "cancelled"
    template = "{operation} was cancelled"
    remedy = "Start it again when it is wanted."


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an operation is. Counts only go up within one run."""

    #: bytes dealt with so far: copied, or found to need no copy
    done_bytes: int
    #: bytes to deal with altogether; 0 until the operation knows
    total_bytes: int


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One ended phase of an operation."""

    name: str
    seconds: float
    #: bytes dealt with during the phase
    bytes: int

    def __str__(self) -> str:
        mib = self.bytes / 2**20
        rate = f", {mib / self.seconds:.1f} MiB/s" if self.bytes and self.seconds else ""
        return f"{self.name} {self.seconds:.3f} s, {mib:.2f} MiB{rate}"


class Operation:
    """A piece of work that runs once, in the thread that calls `run`.

    Nothing happens before `run`. `cancel` may come from any thread, before or while it runs, and makes
    `run` raise `Cancelled` soon; when the work is past the point where it can stop, it ends as usual.
    """

    def __init__(self, name: str, body: "Callable[[Operation], None]") -> None:
        """`name` says what is done to which layer; `body` does it, reporting to the operation it is given."""
        self.name = name
        self._body = body
        self._lock = threading.Lock()
        self._done_bytes = 0
        self._total_bytes = 0
        self._phases: list[Phase] = []
        self._cancelled = False
        self._interrupts: list[Callable[[], None]] = []
        self._done = threading.Event()

    # For whoever runs and watches it.

    def run(self) -> None:
        """Do the work to its end. Raises `Cancelled` or what the driver's verb raises."""
        try:
            self.check()
            self._body(self)
        finally:
            self._done.set()

    def run_within(self, whole: "Operation") -> None:
        """Do the work as a part of another operation, which shows its progress and may be cancelled."""
        try:
            whole.check()
            self._body(whole)
        finally:
            self._done.set()

    def cancel(self) -> None:
        """Ask the work to stop. Returns at once."""
        with self._lock:
            self._cancelled = True
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    @property
    def done(self) -> bool:
        """Whether `run` has ended, one way or the other."""
        return self._done.is_set()

    @property
    def progress(self) -> Progress:
        with self._lock:
            return Progress(done_bytes=self._done_bytes, total_bytes=self._total_bytes)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that ended so far, in order."""
        with self._lock:
            return tuple(self._phases)

    def __str__(self) -> str:
        return "; ".join([self.name, *map(str, self.phases)])

    # For the driver's body.

    def check(self) -> None:
        """Raise `Cancelled` if the work is to stop. A body calls it at least once for every second."""
        if self._cancelled:
            raise Cancelled(operation=self.name)

    def expect(self, total_bytes: int) -> None:
        """Say how many bytes there are to deal with, as soon as it is known."""
        with self._lock:
            self._total_bytes = total_bytes

    def advance(self, to_bytes: int) -> None:
        """Say that `to_bytes` are dealt with, of those expected. Going back is ignored."""
        with self._lock:
            self._done_bytes = max(self._done_bytes, to_bytes)

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Measure a part of the work; also passes `check` on entry."""
        self.check()
        start, before = time.perf_counter(), self._done_bytes
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            with self._lock:
                self._phases.append(Phase(name=name, seconds=seconds, bytes=self._done_bytes - before))

    @contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Generator[None]:
        """While inside, `cancel` also calls `interrupt`, for instance a subprocess's `kill`.

        Called from the cancelling thread, and at once when the work was cancelled already.
        """
        with self._lock:
            self._interrupts.append(interrupt)
            late = self._cancelled
        if late:
            interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)
