"""Runs calls that may hang in threads, each with a deadline. Called by `link`.

A call that overran goes on in its thread until it returns, if ever; whoever asked has his error long before.
So that a machine that hangs can't use up all threads, each has a few at most.
"""

import threading
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

from stratal.compute.drivers.errors import HypervisorUnavailable

_Result = TypeVar("_Result")

_MOST_THREADS = 64
_MOST_PER_KEY = 3


class _Call:
    def __init__(self, key: str, body: Callable[[], object]) -> None:
        self.key = key
        self._body = body
        self.done = threading.Event()
        self.result: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._body()
        except BaseException as error:  # handed on to whoever waits
            self.error = error
        finally:
            self.done.set()


class Calls:
    """A pool of daemon threads, made when they are needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[_Call] = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._of_key: Counter[str] = Counter()

    def run(self, key: str, seconds: float, what: str, body: Callable[[], _Result]) -> _Result:
        """What `body` returns or raises. HypervisorUnavailable once the time is over."""
        call = _Call(key, body)
        with self._lock:
            if self._of_key[key] >= _MOST_PER_KEY:
                raise HypervisorUnavailable(reason=f"earlier calls for {key} have not come back")
            if self._busy >= _MOST_THREADS:
                raise HypervisorUnavailable(reason="too many calls have not come back")
            self._of_key[key] += 1
            self._busy += 1
            if self._busy > self._threads:
                self._threads += 1
                threading.Thread(target=self._work, name="libvirt-call", daemon=True).start()
        self._waiting.put(call)
        if not call.done.wait(seconds):
            raise HypervisorUnavailable(reason=f"{what} took longer than {seconds:g} s")
        if call.error is not None:
            raise call.error
        result: _Result = call.result  # pyright: ignore[reportAssignmentType]
        return result

    def _work(self) -> None:
        while True:
            call = self._waiting.get()
            call.run()
            with self._lock:
                self._busy -= 1
                self._of_key[call.key] -= 1
                if not self._of_key[call.key]:
                    del self._of_key[call.key]
