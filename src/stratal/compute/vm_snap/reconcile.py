"""Says how far a snapshot of a machine is: it is there when those of all its disks are.

Called by the reconcile engine.
"""

from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import func, select

from stratal.compute import memories
from stratal.compute.memories import MemoryState
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.vm_cd_rom_snap.model import VM_CD_ROM_SNAP
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP
from stratal.compute.vm_nic_snap.model import VM_NIC_SNAP
from stratal.compute.vm_snap.model import VM_SNAP, VmSnapSpec, VmSnapStatus
from stratal.kernel import work
from stratal.kernel.kind import AnyKind
from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage import Storage

_WAIT: Final = timedelta(seconds=60)
"""How long to wait for the snapshots of the disks, which ask for a look when they are there or gone."""

_PARTS: Final[tuple[AnyKind, ...]] = (VM_DISK_SNAP, VM_NIC_SNAP, VM_CD_ROM_SNAP)

Snapshot = Resource[VmSnapSpec, VmSnapStatus]


class VmSnapReconciler:
    kind = VM_SNAP
    concurrency = 8

    def __init__(self, storage: Storage) -> None:
        self._store = Store(VM_SNAP)
        self._bs_snaps = storage.bs_snaps
        spec, status = VIRTUAL_MACHINE.tables.spec, VIRTUAL_MACHINE.tables.status
        self._count_clones = (
            select(func.count())
            .join_from(spec, status, spec.c.id == status.c.id)
            .where(spec.c.deleted_at.is_(None), ~status.c.flattened)
        )
        self._snap_of = spec.c.vm_snap_id

    def reconcile(self, resource: Snapshot, look: Look) -> Observed[VmSnapStatus]:
        status, settled = look.read(lambda tx: self._observe(tx, resource))
        return Observed(status=status, settled=settled, again_after=None if settled else _WAIT)

    def remove(self, resource: Snapshot, look: Look) -> Gone | StillRemoving[VmSnapStatus]:
        if look.read(lambda tx: self._has_memory(tx, resource.id)):
            look.write(lambda tx: work.ask(tx, VIRTUAL_MACHINE.name, resource.spec.vm_id))
            return StillRemoving(status=resource.status, again_after=_WAIT)
        if look.read(lambda tx: self._has_parts(tx, resource.id)):
            return StillRemoving(status=resource.status, again_after=_WAIT)
        look.write(lambda tx: memories.forget(tx, resource.id))
        return Gone()

    def _observe(self, transaction: Transaction, resource: Snapshot) -> tuple[VmSnapStatus, bool]:
        unmade = self._bs_snaps.store.count(
            transaction,
            self._bs_snaps.columns.vm_snap_id == resource.id,
            self._bs_snaps.columns.creation_finish.is_(None),
        )
        clones = transaction.execute(self._count_clones.where(self._snap_of == resource.id)).scalar_one()
        status = msgspec.structs.replace(
            resource.status,
            cloned_vm_num=clones,
            ip_addresses=self._store.private(transaction, resource.id, "vm_ip_addresses") or [],
        )
        made = not unmade and not self._waits_for_memory(transaction, resource.id)
        if made:
            status.vm_id = resource.spec.vm_id
        return status, made

    @staticmethod
    def _waits_for_memory(transaction: Transaction, id: int) -> bool:
        found = memories.of(transaction, id)
        return found is not None and found.state is MemoryState.PENDING

    @staticmethod
    def _has_memory(transaction: Transaction, id: int) -> bool:
        """Whether the machine's reconciler has not removed yet what the snapshot was to keep."""
        found = memories.of(transaction, id)
        return found is not None and found.state is not MemoryState.GONE

    def _has_parts(self, transaction: Transaction, id: int) -> bool:
        columns = self._bs_snaps.columns
        if self._bs_snaps.store.count(transaction, columns.vm_snap_id == id):
            return True
        return any(_count(transaction, Store(kind), id) for kind in _PARTS)


def _count(transaction: Transaction, store: Store[Any, Any], id: int) -> int:
    return store.count(transaction, store.kind.tables.spec.c.vm_snap_id == id)
