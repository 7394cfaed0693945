"""Who has which layer open in one process: readers, one writer, or work. Called by `driver`.

These die with the process, as file locks and watches of the real backends do.
"""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum

from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import LayerBusy


class Claim(StrEnum):
    """A way to have a layer open. Only readers suffer others of their own kind."""

    READ = "read"
    WRITE = "write"
    #: moving data in or out without a change of what it reads: goes together with readers
    WORK = "work"
    #: taking the layer away: goes together with nothing
    REMOVE = "remove"


_EXCLUDED = {
    Claim.READ: {Claim.WRITE, Claim.REMOVE},
    Claim.WRITE: set(Claim),
    Claim.WORK: {Claim.WRITE, Claim.WORK, Claim.REMOVE},
    Claim.REMOVE: set(Claim),
}


class Claims:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[tuple[LayerId, Claim]] = Counter()

    @contextmanager
    def claim(self, layer: LayerId, claim: Claim) -> Generator[None]:
        """Hold the layer this way; LayerBusy while somebody holds it in a way that excludes it."""
        with self._lock:
            for other in _EXCLUDED[claim]:
                if self._held[layer, other]:
                    raise LayerBusy(layer=layer, reason=f"a {other} is under way")
            self._held[layer, claim] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[layer, claim] -= 1
                if not self._held[layer, claim]:
                    del self._held[layer, claim]
