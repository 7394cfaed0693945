"""Copies ranges of a layer's ancestors into its file, through NBD, with several requests under way."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import Extent, LayerId
from stratal.storage.drivers.qcow2.chain import LayerFile
from stratal.storage.drivers.qcow2.export import Connection, Exports
from stratal.storage.images.tool import ToolStopped

_CHUNK_BYTES = 2 * 2**20
_WORKERS = 3
"""Reading, writing and Python take turns; more than three brought nothing on two cores."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The file that is filled, and how far filling it may go."""

    path: Path
    layer: LayerId
    operation: Operation
    #: True stops the work with ToolStopped
    stop_when: Callable[[], bool]
    #: descriptors of the locks that cover the work
    keep: tuple[int, ...]


def pull(exports: Exports, source: LayerFile, extents: Iterable[Extent], target: Target) -> None:
    """Write what `source` reads as in these ranges into the target, and flush it.

    May be repeated, and stopped anywhere: the target reads the same all the time, as long as it hangs on
    the source. Raises ToolStopped, Cancelled, NoSpace, LayerBusy, BackendUnavailable.
    """
    with (
        exports.open(source.path, source.layer, format=source.format, writable=False, keep=()) as below,
        exports.open(target.path, target.layer, format="qcow2", writable=True, keep=target.keep) as above,
        ThreadPoolExecutor(_WORKERS) as pool,
    ):
        chunks = _Chunks(_split(extents), target)
        copied = [pool.submit(chunks.copy, below.connect(), above.connect()) for _ in range(_WORKERS)]
        for each in copied:
            each.result()


class _Chunks:
    """The work that the copying threads share."""

    def __init__(self, chunks: Iterator[Extent], target: Target) -> None:
        self._chunks = chunks
        self._target = target
        self._lock = threading.Lock()
        self._failed = False
        self._done_bytes = target.operation.progress.done_bytes

    def copy(self, below: Connection, above: Connection) -> None:
        """One thread's share. The first that fails makes the others end as well."""
        try:
            while (chunk := self._next()) is not None:
                if chunk.zero:
                    above.zero(chunk.offset, chunk.length)
                else:
                    above.write(chunk.offset, below.read(chunk.offset, chunk.length))
                self._advance(chunk.length)
        except BaseException:
            self._failed = True
            raise

    def _next(self) -> Extent | None:
        self._target.operation.check()
        if self._target.stop_when():
            raise ToolStopped(tool="the merge")
        with self._lock:
            return None if self._failed else next(self._chunks, None)

    def _advance(self, length: int) -> None:
        with self._lock:
            self._done_bytes += length
            self._target.operation.advance(self._done_bytes)


def _split(extents: Iterable[Extent]) -> Iterator[Extent]:
    for extent in extents:
        step = extent.length if extent.zero else _CHUNK_BYTES
        for at in range(extent.offset, extent.offset + extent.length, step):
            length = min(step, extent.offset + extent.length - at)
            yield Extent(offset=at, length=length, zero=extent.zero)
