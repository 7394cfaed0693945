"""Says what became of a disk, and deletes its volume where that goes with it.

Called by the reconcile engine.
"""

from typing import Final

import msgspec

from stratal.compute.part_reconcile import PartReconciler
from stratal.compute.parts import Part, PartKind
from stratal.compute.vm_disk.model import VM_DISK, VmDiskSpec, VmDiskStatus
from stratal.kernel import work
from stratal.kernel.access import SYSTEM
from stratal.kernel.errors import Conflict
from stratal.kernel.journal import Level, record_event
from stratal.kernel.reconcile import Look, Observed
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage import Storage

_MIRRORED: Final = ("size_mb", "max_total_iops", "max_total_bw_bps")
"""What a disk says as its volume does."""

Disk = Resource[VmDiskSpec, VmDiskStatus]


class VmDiskReconciler(PartReconciler[VmDiskSpec, VmDiskStatus]):
    def __init__(self, storage: Storage) -> None:
        super().__init__(VM_DISK, PartKind.DISK)
        self._store = Store(VM_DISK)
        self._volumes = storage.bs_volumes

    def vm_id(self, resource: Disk) -> int:
        return resource.spec.vm_id

    def observe(self, transaction: Transaction, resource: Disk, part: Part) -> tuple[VmDiskStatus, bool]:
        volume = self._volumes.store.get(transaction, resource.spec.bs_volume_id, labels=False)
        size_mb = 0 if volume is None else volume.status.size_mb
        status = msgspec.structs.replace(
            resource.status,
            device=part.device,
            serial=None if volume is None else volume.spec.serial,
            size_mb=part.size_mb or size_mb,
            attached=part.attached,
            problem=part.problem,
        )
        return status, volume is not None and volume.spec.creation_finish is not None

    def reconcile(self, resource: Disk, look: Look) -> Observed[VmDiskStatus]:
        # size and speed are the volume's, and may have been asked of that; a disk's etag is its user's
        said = {name: getattr(resource.spec, name) for name in _MIRRORED}
        volume = look.read(lambda tx: self._volumes.store.get(tx, resource.spec.bs_volume_id, labels=False))
        now = said if volume is None else {name: getattr(volume.spec, name) for name in _MIRRORED}
        if now != said:
            look.write(lambda tx: self._store.mark(tx, resource.id, now))
        return super().reconcile(resource, look)

    def let_go(self, transaction: Transaction, resource: Disk) -> None:
        if not self._store.private(transaction, resource.id, "takes_volume"):
            return
        volume_id = resource.spec.bs_volume_id
        volume = self._volumes.store.get(transaction, volume_id, labels=False)
        if volume is None or volume.spec.deletion_begin is not None:
            return
        try:
            self._volumes.delete_with_snapshots(transaction, SYSTEM, volume_id)
        except Conflict as error:  # a snapshot was taken of it after its machine was deleted
            record_event(
                transaction,
                "bs_volume_kept",
                level=Level.WARNING,
                message=f"the volume of {resource.spec.name} was not deleted with its machine: {error}",
                resource_type="bs_volume",
                resource_id=volume_id,
                project_id=resource.spec.project_id,
            )
        work.ask(transaction, "bs_volume", volume_id)
