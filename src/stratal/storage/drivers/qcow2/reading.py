"""Opening layers: what reads or writes their content, or has QEMU's tools look into their files.

A merge that writes to a file in place keeps QEMU from opening it. Whoever comes here asks such merges to step
aside, and waits until they have.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from stratal.kernel.errors import Unavailable
from stratal.storage.drivers.contract import CheckReport, Extent, LayerId, LayerReader, LayerWriter
from stratal.storage.drivers.errors import LayerBusy, LayerFrozen, NotAnAncestor
from stratal.storage.drivers.overlap import covered_bytes
from stratal.storage.drivers.qcow2.chain import Chains, LayerFile, own_files
from stratal.storage.drivers.qcow2.export import Connection, Exports
from stratal.storage.drivers.qcow2.extents import Mapped
from stratal.storage.drivers.qcow2.locks import Locks, owning, using
from stratal.storage.drivers.qcow2.tools import Tools

_Result = TypeVar("_Result")

_YIELD_SECONDS = 20.0
_YIELD_POLL_SECONDS = 0.02


class Reading:
    """The content of the layers of one place."""

    def __init__(self, chains: Chains, locks: Locks, tools: Tools, exports: Exports) -> None:
        self._chains = chains
        self._locks = locks
        self._tools = tools
        self._exports = exports

    def check(self, layer: LayerId) -> CheckReport:
        def find() -> list[LayerFile]:
            return self._chains.own(layer)

        def attempt(files: list[LayerFile]) -> list[CheckReport]:
            return [self._tools.check(file) for file in files if file.format == "qcow2"]

        reports = self._patiently(find, attempt)
        return CheckReport(
            damages=tuple(damage for report in reports for damage in report.damages),
            leaked_bytes=sum(report.leaked_bytes for report in reports),
        )

    def extents(self, layer: LayerId, above: LayerId | None) -> Iterator[Extent]:
        def find() -> list[LayerFile]:
            files = self._chains.above(layer, above)
            if files is None:
                raise NotAnAncestor(ancestor=above, layer=layer)
            return files

        return iter(self._patiently(find, lambda files: Mapped(self._tools, files)))

    def covered(self, layer: LayerId, by: LayerId) -> int:
        above = self._chains.above(by, layer)
        if above is None or own_files(above) != above or by == layer:
            raise NotAnAncestor(ancestor=layer, layer=by)
        below = self._chains.own(layer)
        over = Mapped(self._tools, above, beside_writers=True)
        return covered_bytes(Mapped(self._tools, below, beside_writers=True), over)

    @contextmanager
    def open(self, layer: LayerId) -> Generator[LayerReader]:
        with ExitStack() as stack:
            head = self._chains.head(layer)
            keep = stack.enter_context(self._locks.hold(using(layer)))
            yield self._served(stack, head, writable=False, keep=keep)

    @contextmanager
    def open_writing(self, layer: LayerId) -> Generator[LayerWriter]:
        with ExitStack() as stack:
            keep = stack.enter_context(self._locks.hold(owning(layer)))
            head = self._chains.head(layer)
            if head.frozen:
                raise LayerFrozen(layer=layer)
            yield self._served(stack, head, writable=True, keep=keep)

    def _served(self, stack: ExitStack, head: LayerFile, *, writable: bool, keep: int) -> Connection:
        def attempt(files: list[LayerFile]) -> Connection:
            opened = self._exports.open(
                files[0].path, head.layer, format="qcow2", writable=writable, keep=(keep,)
            )
            return stack.enter_context(opened).connection

        return self._patiently(lambda: self._chains.chain(head.layer), attempt)

    def _patiently(
        self, find: Callable[[], list[LayerFile]], attempt: Callable[[list[LayerFile]], _Result]
    ) -> _Result:
        """Open files, after having merges that write to one of them in place step aside."""
        deadline = time.monotonic() + _YIELD_SECONDS
        again = True
        while True:
            files = find()
            layers = {file.layer for file in files}
            with self._locks.want(layers):
                try:
                    return attempt(files)
                except (LayerBusy, Unavailable):
                    # Once more in any case: a merge that has just ended may have taken a file away.
                    merging = self._locks.worked_on(layers) and time.monotonic() < deadline
                    if not (merging or again):
                        raise
                again = False
                time.sleep(_YIELD_POLL_SECONDS)
