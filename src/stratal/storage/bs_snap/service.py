"""What may be asked of snapshots. Called by faces.

A snapshot may be deleted whatever was cloned from it: its layer stays, hidden, for as long as it is needed.
"""

from dataclasses import replace
from typing import Any

from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_snap.model import BS_SNAP, BsSnapCreate, BsSnapSpec, BsSnapStatus, BsSnapUpdate
from stratal.storage.bs_volume.model import BS_VOLUME, BsVolumeSpec, BsVolumeStatus
from stratal.storage.layers import NameKind
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.rows import name_of
from stratal.storage.tree.waking import leave_to_tree

Snapshot = Resource[BsSnapSpec, BsSnapStatus]


class BsSnapService(ResourceService[BsSnapSpec, BsSnapStatus]):
    create_body = BsSnapCreate
    update_body = BsSnapUpdate

    def __init__(self, catalogue: Catalogue, disks: Disks) -> None:
        super().__init__(BS_SNAP, catalogue)
        self._disks = disks
        self._volumes = Store(BS_VOLUME)

    def create(self, transaction: Transaction, access: Access, body: Any) -> Snapshot:
        """A snapshot of what the volume holds at the moment of this transaction."""
        volume = self._volume(transaction, access, body.bs_volume_id)
        # an administrator's snapshot of a project's volume is the project's, which could not delete the
        # volume otherwise
        access = replace(access, project_id=volume.spec.project_id)
        snapshot = super().create(transaction, access, body)
        self._disks.snapshot(
            transaction, name_of(NameKind.HEAD, volume.id), name_of(NameKind.SNAPSHOT, snapshot.id)
        )
        leave_to_tree(transaction, snapshot)
        return snapshot

    def new(self, transaction: Transaction, access: Access, body: BsSnapCreate) -> Change:
        volume = self._volume(transaction, access, body.bs_volume_id)
        return {
            **given(body),
            "bs_policy_id": volume.spec.bs_policy_id,
            "pool_id": volume.spec.pool_id,
            "size_mb": volume.spec.size_mb,
        }

    def before_delete(self, transaction: Transaction, access: Access, resource: Snapshot) -> None:
        if resource.spec.vm_snap_id is not None:
            raise Conflict(
                reason=f"bs_snap {resource.id} is a part of vm_snap {resource.spec.vm_snap_id}: delete that"
            )

    def delete_with_machine(self, transaction: Transaction, access: Access, id: int) -> None:
        """Begin the deletion of a snapshot as a part of that of a virtual machine's. Idempotent."""
        snapshot = self.store.get(transaction, id, lock=True, labels=False)
        if snapshot is not None and snapshot.spec.deletion_begin is None:
            self._check_unreferenced(transaction, id)
            self.store.mark(transaction, id, {"deletion_begin": transaction.now})
            self.acted(transaction, access, snapshot, "delete", {})

    def _volume(
        self, transaction: Transaction, access: Access, id: int
    ) -> Resource[BsVolumeSpec, BsVolumeStatus]:
        """A volume that the caller may use, locked, so that its size stays. Raises Invalid and Conflict."""
        volume = self._volumes.get(transaction, id, lock=True, labels=False)
        self._check_references(transaction, access, {"bs_volume_id": id})
        if volume is None:
            raise Invalid(field="spec.bs_volume_id", reason=f"there is no bs_volume {id}")
        return volume
