"""Disks in snapshots of machines: what images have to know of compute, and ask it through one function.

Given to the storage facade by the composition root; called by the service of images.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stratal.kernel.transaction import Transaction


@dataclass(frozen=True, kw_only=True)
class KeptDisk:
    """A disk in a snapshot of a virtual machine."""

    vm_snap_id: int
    #: the snapshot of the volume that holds its data
    bs_snap_id: int


KeptDiskOf = Callable[[Transaction, int | None, int | None], KeptDisk | None]
"""The boot disk in a snapshot of a machine (the first id), or the disk of the second id, if any."""


def no_machines(
    transaction: Transaction, vm_snap_id: int | None, vm_disk_snap_id: int | None
) -> KeptDisk | None:
    """Where there is no compute."""
    return None
