"""A qcow2 file made on the way to a reader: all of it in order, nothing of it ever on disk. Pure.

Source: QEMU's docs/interop/qcow2.txt. Version 3, clusters of 64 KiB, no backing file, no compression; every
cluster is used once, and lies in the order of the disk. So the tables can be computed before the data are
read, and the length is known before anything is sent.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

CLUSTER_BYTES: Final = 65536
_BITS: Final = 16
_PER_TABLE: Final = CLUSTER_BYTES // 8
_PER_REFCOUNT_BLOCK: Final = CLUSTER_BYTES // 2
_COPIED: Final = 1 << 63
_STEP_CLUSTERS: Final = 64

Read = Callable[[int, int], bytes]
"""Bytes of the disk by offset and length."""


class Qcow2Stream:
    """A disk of `size_bytes` with data in these ranges of bytes, sorted; elsewhere it reads as zeros."""

    def __init__(self, size_bytes: int, ranges: Iterable[tuple[int, int]]) -> None:
        """`ranges` are offsets and lengths."""
        self._size_bytes = size_bytes
        self._runs = _runs(ranges)
        self._data_clusters = sum(count for _, count in self._runs)
        disk_clusters = -(-size_bytes // CLUSTER_BYTES)
        self._l1_entries = max(1, -(-disk_clusters // _PER_TABLE))
        self._l1_clusters = -(-self._l1_entries * 8 // CLUSTER_BYTES)
        self._l2_tables = _tables_with_data(self._runs)
        self._blocks, self._table_clusters = self._refcounts()
        self._l1_at = 1 + self._table_clusters + self._blocks
        self._l2_at = self._l1_at + self._l1_clusters
        self._data_at = self._l2_at + len(self._l2_tables)

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return (self._data_at + self._data_clusters) * CLUSTER_BYTES

    def chunks(self, read: Read) -> Iterator[bytes]:
        """The file from its beginning to its end."""
        yield _padded(self._header(), 1)
        table = [(1 + self._table_clusters + block) * CLUSTER_BYTES for block in range(self._blocks)]
        yield _padded(struct.pack(f">{len(table)}Q", *table), self._table_clusters)
        yield from self._refcount_blocks()
        l1 = [0] * self._l1_entries
        for number, index in enumerate(self._l2_tables):
            l1[index] = (self._l2_at + number) * CLUSTER_BYTES | _COPIED
        yield _padded(struct.pack(f">{len(l1)}Q", *l1), self._l1_clusters)
        yield from self._l2()
        for first, count in self._runs:
            for start in range(first, first + count, _STEP_CLUSTERS):
                clusters = min(_STEP_CLUSTERS, first + count - start)
                yield _padded(self._read(read, start, clusters), clusters)

    def _refcounts(self) -> tuple[int, int]:
        """How many blocks of reference counts there are, and clusters of the table that lists them."""
        others = 1 + self._l1_clusters + len(self._l2_tables) + self._data_clusters
        blocks, table = 1, 1
        while True:
            needed = -(-(others + blocks + table) // _PER_REFCOUNT_BLOCK)
            table_needed = -(-needed * 8 // CLUSTER_BYTES)
            if (needed, table_needed) == (blocks, table):
                return blocks, table
            blocks, table = needed, table_needed

    def _header(self) -> bytes:
        return struct.pack(
            ">4sIQIIQIIQQIIQQQQII",
            b"QFI\xfb",
            3,
            0,  # no backing file
            0,
            _BITS,
            self._size_bytes,
            0,  # not encrypted
            self._l1_entries,
            self._l1_at * CLUSTER_BYTES,
            CLUSTER_BYTES,  # the refcount table comes right after this cluster
            self._table_clusters,
            0,  # no internal snapshots
            0,
            0,  # no incompatible, compatible or autoclear features
            0,
            0,
            4,  # reference counts of 16 bits
            104,
        )

    def _refcount_blocks(self) -> Iterator[bytes]:
        left = self._data_at + self._data_clusters
        for _ in range(self._blocks):
            used = min(left, _PER_REFCOUNT_BLOCK)
            yield _padded(b"\0\1" * used, 1)
            left -= used

    def _l2(self) -> Iterator[bytes]:
        at = self._data_at
        entries: list[int] = []
        number = 0
        for first, count in self._runs:
            for cluster in range(first, first + count):
                index, entry = divmod(cluster, _PER_TABLE)
                if index != self._l2_tables[number]:
                    yield _table(entries)
                    entries, number = [], number + 1
                entries.extend([0] * (entry - len(entries)))
                entries.append(at * CLUSTER_BYTES | _COPIED)
                at += 1
        if entries:
            yield _table(entries)

    def _read(self, read: Read, first: int, count: int) -> bytes:
        offset = first * CLUSTER_BYTES
        return read(offset, min(count * CLUSTER_BYTES, self._size_bytes - offset))


def _runs(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The clusters that hold any byte of the ranges: first ones and counts, sorted and apart."""
    runs: list[tuple[int, int]] = []
    for offset, length in ranges:
        first, end = offset // CLUSTER_BYTES, -(-(offset + length) // CLUSTER_BYTES)
        if runs and first <= sum(runs[-1]):
            before, count = runs.pop()
            first, end = before, max(end, before + count)
        runs.append((first, end - first))
    return runs


def _tables_with_data(runs: list[tuple[int, int]]) -> list[int]:
    tables: dict[int, None] = {}
    for first, count in runs:
        tables.update(dict.fromkeys(range(first // _PER_TABLE, (first + count - 1) // _PER_TABLE + 1)))
    return list(tables)


def _table(entries: list[int]) -> bytes:
    return _padded(struct.pack(f">{len(entries)}Q", *entries), 1)


def _padded(data: bytes, clusters: int) -> bytes:
    return data.ljust(clusters * CLUSTER_BYTES, b"\0")
