"""Measuring what layers have written over of those below them. Owned by the storage facade.

That takes a look at all that two layers hold, so it is done in the background, beside everything else. What
is found waits here until the tree is counted the next time; after a crash it is measured again.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from structlog import get_logger

from stratal.kernel.errors import StratalError
from stratal.storage.background import Background
from stratal.storage.drivers.contract import LayerDriver, LayerId

log: Any = get_logger(__name__)

_SECONDS: Final = 2.0
"""How long one tree may keep a worker. What is left is measured in its next turn."""

Pair = tuple[LayerId, LayerId]
"""A layer, and the only one that hangs on it."""


@dataclass(kw_only=True)
class _Job:
    found: dict[Pair, int] = field(default_factory=dict[Pair, int])
    ended: bool = False
    #: nobody wants to know any more
    dropped: bool = False


class Covering:
    """What was measured, and is being measured, by tree."""

    def __init__(self, background: Background, ended: Callable[[int], None]) -> None:
        """`ended` is called with the id of a tree when something was found there."""
        self._background = background
        self._ended = ended
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}

    def take(self, tree_id: int) -> dict[Pair, int]:
        """What has been found, once. Empty while it is being measured."""
        with self._lock:
            job = self._jobs.get(tree_id)
            if job is None or not job.ended:
                return {}
            return self._jobs.pop(tree_id).found

    def forget(self, tree_id: int) -> None:
        """The tree has changed: what was found may not be true of it."""
        with self._lock:
            job = self._jobs.pop(tree_id, None)
            if job is not None:
                job.dropped = True

    def measure(self, tree_id: int, driver: LayerDriver, pairs: Iterable[Pair]) -> None:
        """Begin to measure, unless that is being done already."""
        with self._lock:
            if tree_id in self._jobs:
                return
            job = self._jobs[tree_id] = _Job()
        self._background.submit(lambda: self._run(tree_id, job, driver, pairs))

    def close(self) -> None:
        """Stop what is being measured."""
        with self._lock:
            for job in self._jobs.values():
                job.dropped = True

    def _run(self, tree_id: int, job: _Job, driver: LayerDriver, pairs: Iterable[Pair]) -> None:
        until = time.monotonic() + _SECONDS
        for layer, by in pairs:
            if job.dropped or time.monotonic() > until:
                break
            try:
                job.found[layer, by] = driver.covered(layer, by=by)
            except StratalError:  # another time: it changes just now, or its place is away
                continue
        with self._lock:
            job.ended = True
            if job.dropped:
                return
            if not job.found:
                del self._jobs[tree_id]
                return
        try:
            self._ended(tree_id)
        except StratalError as failure:  # the database is away; the tree is looked at now and then anyway
            log.warning("layers_not_counted", tree=tree_id, error=str(failure))
