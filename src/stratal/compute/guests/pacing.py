"""What a reconciler remembers of machines between looks: nothing that a restart may not forget."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_LONGEST_PAUSE: Final = 60.0
_SECONDS_BETWEEN_LOOKS: Final = 30.0
_LOOKS_PER_SECOND: Final = 20.0
"""At running guests that nothing happens to, all together: for addresses, and for events that were lost."""
_STEADY_SECONDS: Final = 60.0
"""A guest that ran for so long did not end because it was started."""
_LONGEST_STALL: Final = 15.0
_A_MOMENT: Final = 0.05
_CALM_SECONDS: Final = 3.0
"""A guest that ran for so long after a disk had refused a write can write again."""


@dataclass(kw_only=True)
class _Memory:
    stop_asked: float | None = None
    started: float | None = None
    ends: int = 0
    #: why the last start failed; empty where it did not, and the guest ended by itself
    reason: str = ""
    next_start: float = 0.0
    #: how often in a row a disk has refused what it writes, and when that was seen last
    refusals: int = 0
    refused: float = 0.0
    #: when it was last let go on after that, and when it may be again
    tried: float = 0.0
    next_try: float = 0.0
    password_num: int | None = None


class Pace:
    """How long to wait for machines. By their ids; times of the monotonic clock."""

    #: between two requests to a guest to shut down
    stop_pause: Final = timedelta(seconds=2)

    def __init__(self, *, stop_grace: float) -> None:
        self._stop_grace = stop_grace
        self._lock = threading.Lock()
        self._memories: dict[int, _Memory] = {}
        self._running: set[int] = set()

    @property
    def between_looks(self) -> timedelta:
        """How long a running guest is left alone that nothing happens to: the longer, the more there are."""
        return timedelta(seconds=max(_SECONDS_BETWEEN_LOOKS, len(self._running) / _LOOKS_PER_SECOND))

    def seen_running(self, id: int) -> None:
        with self._lock:
            self._running.add(id)

    def stop_overdue(self, id: int) -> bool:
        """Whether the guest was asked to stop so long ago that its plug is to be pulled. The first call is
        when it is asked."""
        now = time.monotonic()
        with self._lock:
            memory = self._memory(id)
            if memory.stop_asked is None:
                memory.stop_asked = now
            return now - memory.stop_asked >= self._stop_grace

    def stopped(self, id: int) -> None:
        """It is stopped, as it shall be."""
        self.forget(id)

    def before_start(self, id: int) -> timedelta | None:
        """How long to wait before it is started: a guest that keeps ending is started less and less often."""
        now = time.monotonic()
        with self._lock:
            memory = self._memory(id)
            memory.stop_asked = None
            if memory.started is not None:  # it ran, and has ended without being asked to
                steady = now - memory.started >= _STEADY_SECONDS
                memory.ends = 0 if steady else memory.ends + 1
                memory.started = None
                memory.next_start = 0.0 if steady else now + min(_LONGEST_PAUSE, 2.0 ** (memory.ends - 1))
            wait = memory.next_start - now
        return timedelta(seconds=wait) if wait > 0 else None

    def why(self, id: int) -> str:
        """What keeps it from running, for its users."""
        with self._lock:
            memory = self._memory(id)
        return memory.reason or f"its guest has ended {memory.ends} times in a row; it is started again"

    def started(self, id: int) -> None:
        with self._lock:
            memory = self._memory(id)
            memory.started, memory.reason = time.monotonic(), ""

    def failed(self, id: int, reason: str) -> None:
        """It could not be started. Events that the attempt caused must not make the next one."""
        with self._lock:
            memory = self._memory(id)
            memory.ends += 1
            memory.reason = reason
            memory.next_start = time.monotonic() + min(_LONGEST_PAUSE, 2.0 ** (memory.ends - 1))

    def may_try_again(self, id: int) -> bool:
        """Whether a guest that stands still, since a disk refused a write, is to go on and try it again: at
        once, and then less and less often. Whoever lets it go on causes the next refusal."""
        now = time.monotonic()
        with self._lock:
            memory = self._memory(id)
            memory.refused = now
            if now < memory.next_try:
                return False
            memory.refusals += 1
            memory.tried = time.monotonic()
            memory.next_try = memory.tried + min(_LONGEST_STALL, 2.0 ** (memory.refusals - 2))
            return True

    def stalled(self, id: int) -> timedelta | None:
        """When to look again at a guest whose disk has refused a write; None where none has lately."""
        now = time.monotonic()
        with self._lock:
            memory = self._memory(id)
            if not memory.refusals:
                return None
            if memory.refused > memory.tried:  # it was seen to stand still since
                return timedelta(seconds=max(_A_MOMENT, memory.next_try - now))
            if now - memory.tried >= _CALM_SECONDS:
                memory.refusals, memory.next_try = 0, 0.0
                return None
            return timedelta(seconds=memory.tried + _CALM_SECONDS - now + _A_MOMENT)

    def knows_password(self, id: int, number: int) -> bool:
        """Whether the consoles ask for this version of the password, as far as is known."""
        with self._lock:
            return self._memory(id).password_num == number

    def has_password(self, id: int, number: int) -> None:
        with self._lock:
            self._memory(id).password_num = number

    def forget(self, id: int) -> None:
        with self._lock:
            self._running.discard(id)
            self._memories.pop(id, None)

    def _memory(self, id: int) -> _Memory:
        return self._memories.setdefault(id, _Memory())
