"""Small things that are done every now and then: forgetting what has expired. Run by the composition root.

On several nodes each does them; they are idempotent, and none of them matters for what a user sees.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

from stratal.kernel.errors import StratalError
from stratal.kernel.logs import get_logger

log = get_logger(__name__)


class Chores:
    """Does each chore once per period, in one thread, and keeps going when one fails."""

    def __init__(self, chores: Mapping[str, Callable[[], object]], *, every: timedelta) -> None:
        self._chores = chores
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every.total_seconds()):
            for name, chore in self._chores.items():
                try:
                    chore()
                except StratalError as error:
                    log.warning("chore_failed", chore=name, error=str(error))
                except Exception:
                    log.exception("chore_failed", chore=name)
