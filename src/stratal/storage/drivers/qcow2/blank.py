"""Writes the qcow2 file of an empty layer.

qemu-img needs 9 ms here to start, open and write what is four short writes; with them, a snapshot or clone
takes about as long as the disk needs to make it durable. Layout: QEMU's docs/interop/qcow2.txt. Cluster 0 is
the header, 1 the refcount table, 2 its first block, then the L1 table, which is all zeros and takes no space.
The header, its extension and (up to some 370 bytes of) the backing name fit into the first sector.
"""

import os
import struct
from pathlib import Path

_MAGIC = b"QFI\xfb"
_CLUSTER_BITS = 16
CLUSTER_BYTES = 1 << _CLUSTER_BITS
"""QEMU's default: allocation is coarse enough for small tables and fine enough for incremental backups."""

_L2_ENTRIES = CLUSTER_BYTES // 8
_REFCOUNT_ORDER = 4  # 16 bits
_HEADER_BYTES = 112
_BACKING_FORMAT = 0xE2792ACA
_MOST_L1_ENTRIES = 32 * 2**20 // 8

LARGEST_BYTES = _MOST_L1_ENTRIES * _L2_ENTRIES * CLUSTER_BYTES


def write_blank(path: Path, *, size_bytes: int, backing: tuple[str, str] | None) -> None:
    """Replace a file; `backing` is the absolute name and the format of what it hangs on. Syncs nothing."""
    l1_entries = max(1, -(-size_bytes // (_L2_ENTRIES * CLUSTER_BYTES)))
    l1_clusters = -(-l1_entries * 8 // CLUSTER_BYTES)
    clusters = 3 + l1_clusters
    name, extensions = b"", struct.pack(">II", 0, 0)
    if backing is not None:
        name, form = os.fsencode(backing[0]), backing[1].encode()
        padded = form.ljust(-(-len(form) // 8) * 8, b"\0")
        extensions = struct.pack(">II", _BACKING_FORMAT, len(form)) + padded + extensions
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        _MAGIC,
        3,
        _HEADER_BYTES + len(extensions) if name else 0,
        len(name),
        _CLUSTER_BITS,
        size_bytes,
        0,  # not encrypted
        l1_entries,
        3 * CLUSTER_BYTES,
        CLUSTER_BYTES,
        1,  # cluster of refcount table
        0,  # no internal snapshots
        0,
        0,  # incompatible, compatible and autoclear features: none
        0,
        0,
        _REFCOUNT_ORDER,
        _HEADER_BYTES,
    ).ljust(_HEADER_BYTES, b"\0")
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        os.ftruncate(descriptor, clusters * CLUSTER_BYTES)
        for offset, data in (
            (0, header + extensions + name),
            (CLUSTER_BYTES, struct.pack(">Q", 2 * CLUSTER_BYTES)),
            (2 * CLUSTER_BYTES, struct.pack(">H", 1) * clusters),
        ):
            os.pwrite(descriptor, data, offset)
    finally:
        os.close(descriptor)
