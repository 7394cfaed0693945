"""The files that hold the memory of machines. Called by `points`.

QEMU writes to a name beside the file's; it gets its own once it is whole, and its disks went on from there.
"""

import os
import shutil
from pathlib import Path

from stratal.compute.drivers.errors import SnapshotFailed
from stratal.compute.drivers.libvirt.access import Found
from stratal.kernel.effects import Effect

_KEEP_MEMORY = Effect("libvirt.keep_memory")
_FORGET_MEMORY = Effect("libvirt.forget_memory")

_PARTIAL = ".partial"
# For the description of the machine, and the state of its devices.
_BESIDE_BYTES = 64 * 2**20


def partial_of(memory_file: Path) -> Path:
    """Where it is written before it is whole."""
    return memory_file.with_name(memory_file.name + _PARTIAL)


def check_room(found: Found, memory_file: Path) -> None:
    """Raises SnapshotFailed unless all of the memory would find room, whatever of it is in use."""
    free, needed = shutil.disk_usage(memory_file.parent).free, found.domain.memory_bytes + _BESIDE_BYTES
    if free < needed:
        reason = f"its memory needs up to {needed} bytes in {memory_file.parent}, where {free} are free"
        raise SnapshotFailed(machine=found.machine, reason=reason)


def keep(partial: Path, memory_file: Path) -> None:
    with _KEEP_MEMORY:
        partial.chmod(0o600)
        _sync(partial)
        partial.rename(memory_file)
        _sync(memory_file.parent)


def size(memory_file: Path) -> int | None:
    try:
        return memory_file.stat().st_blocks * 512
    except FileNotFoundError:
        return None


def forget(memory_file: Path) -> None:
    for path in (memory_file, partial_of(memory_file)):
        if path.exists():
            with _FORGET_MEMORY:
                path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
