"""Which ranges a run of layer files has data for.

`qemu-img map` says at which depth of a chain a range is allocated. That allocation is durable by construction
and so is the change set of a backup, where a dirty bitmap is lost with the process that kept it.
"""

import tempfile
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

import msgspec

from stratal.storage.drivers.contract import Extent
from stratal.storage.drivers.qcow2.blank import CLUSTER_BYTES
from stratal.storage.drivers.qcow2.chain import LayerFile
from stratal.storage.drivers.qcow2.tools import Tools

_MOST_NESTED = 64
"""A longer run is not described to QEMU file by file: one argument holds 128 KiB, a JSON tree 1,024 levels.
What lies below it is then looked at as well, and left out here."""


class _Entry(msgspec.Struct):
    start: int
    length: int
    depth: int
    zero: bool
    #: False where no file of the chain has anything
    present: bool = True


class Mapped:
    """The ranges of the first file's size for which one of the files has data, sorted and merged.

    Taken when it is made; may be iterated again and again, once at a time. A well-used disk of 1 TiB has
    millions of extents, so they wait in a file and not in memory.
    """

    def __init__(self, tools: Tools, files: Sequence[LayerFile], *, beside_writers: bool = False) -> None:
        """`beside_writers`: also of what somebody writes to, as it seems to be at the moment."""
        self._files = files
        self._lines = tempfile.TemporaryFile()  # noqa: SIM115 it lives as long as this
        if files:
            nested = len(files) <= _MOST_NESTED
            tools.map(files, self._lines, within=nested, beside_writers=beside_writers)

    def __iter__(self) -> Generator[Extent]:
        self._lines.seek(0)
        return _joined(_rounded(_extents(self._lines, self._files)))


def without(extents: Iterable[Extent], taken: Iterable[Extent]) -> Generator[Extent]:
    """The parts of `extents` that no range of `taken` covers. Both sorted."""
    others = iter(taken)
    other = next(others, None)
    for extent in extents:
        at, end = extent.offset, extent.offset + extent.length
        while at < end:
            while other is not None and other.offset + other.length <= at:
                other = next(others, None)
            if other is None or other.offset >= end:
                yield replace(extent, offset=at, length=end - at)
                break
            if other.offset > at:
                yield replace(extent, offset=at, length=other.offset - at)
            at = other.offset + other.length


def _extents(lines: Iterable[bytes], files: Sequence[LayerFile]) -> Generator[Extent]:
    for line in lines:
        text = line.strip().strip(b"[],")
        if not text:
            continue
        entry = msgspec.json.decode(text, type=_Entry)
        if not entry.present or entry.depth >= len(files):
            continue
        # Beyond the end of a smaller file QEMU calls the zeros that it makes up that file's.
        end = min(entry.start + entry.length, files[entry.depth].size_bytes)
        if end > entry.start:
            yield Extent(offset=entry.start, length=end - entry.start, zero=entry.zero)


def _rounded(extents: Iterable[Extent]) -> Generator[Extent]:
    """QEMU finds zeros within a cluster where the file has a hole; they are no extents worth telling."""
    last: Extent | None = None
    for extent in extents:
        end = extent.offset + extent.length
        if last is not None:
            border = last.offset + last.length
            if border == extent.offset and last.zero and not extent.zero:
                border = max(last.offset, border // CLUSTER_BYTES * CLUSTER_BYTES)
                extent = replace(extent, offset=border, length=end - border)
            elif border == extent.offset and extent.zero and not last.zero:
                border = min(end, -(-border // CLUSTER_BYTES) * CLUSTER_BYTES)
                extent = replace(extent, offset=border, length=end - border)
            yield replace(last, length=border - last.offset)
        last = extent
    if last is not None:
        yield last


def _joined(extents: Iterable[Extent]) -> Generator[Extent]:
    pending: Extent | None = None
    for extent in extents:
        if extent.length == 0:
            continue
        if pending and pending.offset + pending.length == extent.offset and pending.zero == extent.zero:
            pending = replace(pending, length=pending.length + extent.length)
            continue
        if pending:
            yield pending
        pending = extent
    if pending:
        yield pending
