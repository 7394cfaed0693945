"""Says how much a disk in a snapshot takes. Called by the reconcile engine."""

import msgspec

from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP, VmDiskSnapSpec, VmDiskSnapStatus
from stratal.kernel.reconcile import RecordReconciler
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage import Storage


class VmDiskSnapReconciler(RecordReconciler[VmDiskSnapSpec, VmDiskSnapStatus]):
    def __init__(self, storage: Storage) -> None:
        super().__init__(VM_DISK_SNAP)
        self._bs_snaps = storage.bs_snaps.store

    def observe(
        self, transaction: Transaction, resource: Resource[VmDiskSnapSpec, VmDiskSnapStatus]
    ) -> VmDiskSnapStatus:
        kept = self._bs_snaps.get(transaction, resource.spec.bs_snap_id, labels=False)
        size = 0 if kept is None else kept.status.allocated_size_byte
        return msgspec.structs.replace(resource.status, allocated_size_byte=size)
