"""Faults and delays on order, to see how callers bear them. Written by tests, obeyed by simulated drivers."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """On which side of a side effect a fault strikes."""

    BEFORE = "before"
    #: the effect took place, and an error is reported all the same
    AFTER = "after"


@dataclass(kw_only=True)
class _Fault:
    effect: str
    error: Callable[[], Exception]
    when: When
    #: how many times more it strikes
    times: int
    #: how many passages more go unharmed
    skip: int


class Script:
    """What goes wrong, by the name of the side effect without its prefix; `*` stands for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self._seconds: dict[str, float] = {}

    def fail(
        self,
        effect: str,
        error: Callable[[], Exception],
        *,
        when: When = When.BEFORE,
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Raise what `error` makes at this effect: `times` times, after `skip` passages without."""
        with self._lock:
            self._faults.append(_Fault(effect=effect, error=error, when=when, times=times, skip=skip))

    def delay(self, effect: str, seconds: float) -> None:
        """Let this effect take so long from now on."""
        with self._lock:
            self._seconds[effect] = seconds

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self._faults.clear()
            self._seconds.clear()

    @contextmanager
    def around(self, effect: str) -> Generator[None]:
        """For the driver: what stands around each effect."""
        with self._lock:
            seconds = self._seconds.get(effect, self._seconds.get("*", 0.0))
        if seconds:
            time.sleep(seconds)
        self._strike(effect, When.BEFORE)
        yield
        self._strike(effect, When.AFTER)

    def _strike(self, effect: str, when: When) -> None:
        with self._lock:
            for fault in self._faults:
                if fault.when is not when or fault.effect not in (effect, "*"):
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif fault.times:
                    fault.times -= 1
                    raise fault.error()
