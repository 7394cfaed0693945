"""Which disks are in snapshots: the answer to what images ask. See `stratal.storage.KeptDiskOf`."""

from sqlalchemy import select

from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP
from stratal.kernel.transaction import Transaction
from stratal.storage import KeptDisk


def kept_disk_of(
    transaction: Transaction, vm_snap_id: int | None, vm_disk_snap_id: int | None
) -> KeptDisk | None:
    """The disk of this id, or else the one that the machine of a snapshot booted from."""
    columns = VM_DISK_SNAP.tables.spec.c
    wanted = (
        columns.id == vm_disk_snap_id if vm_disk_snap_id is not None else columns.vm_snap_id == vm_snap_id
    )
    row = transaction.execute(
        select(columns.vm_snap_id, columns.bs_snap_id)
        .where(wanted, columns.deletion_begin.is_(None))
        .order_by(columns.boot.desc(), columns.id)
        .limit(1)
    ).first()
    return None if row is None else KeptDisk(vm_snap_id=row.vm_snap_id, bs_snap_id=row.bs_snap_id)
