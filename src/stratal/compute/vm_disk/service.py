"""What may be asked of the disks of virtual machines. Called by faces, and by the services of machines.

A disk is a volume in a machine: what is asked of the disk's size and speed is asked of the volume, by the
same code as if it had been asked of that.
"""

from typing import Any

import msgspec

from stratal.compute import children
from stratal.compute.cleanups import Jobs
from stratal.compute.jobs import CleanupReason
from stratal.compute.machines import check_stopped, in_project_of, machine_for, machine_of
from stratal.compute.places import places_of
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.vm_disk.model import VM_DISK, VmDiskCreate, VmDiskSpec, VmDiskStatus, VmDiskUpdate
from stratal.compute.vm_disk.volumes import DiskVolumes
from stratal.kernel import work
from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage import Storage

Disk = Resource[VmDiskSpec, VmDiskStatus]


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A new disk, and its place in the guest."""

    body: VmDiskCreate
    target: str
    #: the machine has no other disk
    first: bool


class VmDiskService(ResourceService[VmDiskSpec, VmDiskStatus]):
    create_body = VmDiskCreate
    update_body = VmDiskUpdate

    def __init__(self, catalogue: Catalogue, storage: Storage, jobs: Jobs) -> None:
        super().__init__(VM_DISK, catalogue)
        self._volumes = DiskVolumes(storage)
        self._jobs = jobs
        self._machines = Store(VIRTUAL_MACHINE)

    def create(self, transaction: Transaction, access: Access, body: Any, *, wish: str = "") -> Disk:
        """A new disk; in the place `wish` of the guest where that is free."""
        machine = machine_for(transaction, access, body.vm_id)
        places = places_of(transaction, machine.id)
        places.check_room_for_disk()
        placed = _Placed(body=body, target=places.free(body.bus, wish=wish), first=not places.disks)
        disk = super().create(transaction, in_project_of(access, machine), placed)
        if disk.spec.boot and places.disks:
            self._boot_from(transaction, access, disk)
        if machine.spec.flattened and not self._volumes.are_flattened(transaction, [disk.spec.bs_volume_id]):
            self._note_sharing(transaction, machine.id, flattened=False)
        return disk

    def new(self, transaction: Transaction, access: Access, body: Any) -> Change:
        placed: _Placed = body
        body = placed.body
        volume, made = self._volumes.volume_for(transaction, access, body)
        self._check_free(transaction, volume.id)
        spec: dict[str, Any] = {
            "boot": placed.first,
            "bs_policy_id": volume.spec.bs_policy_id,
            "delete_volume_with_vm": made,
            **given(body),
            "bs_volume_id": volume.id,
            "vm_image_id": volume.spec.vm_image_id,
            "target": placed.target,
            "takes_volume": False,
        }
        return spec | self._volumes.facts(volume)

    def changed(self, transaction: Transaction, access: Access, resource: Disk, body: VmDiskUpdate) -> Change:
        spec = given(body)
        if body.bus is not msgspec.UNSET and body.bus is not resource.spec.bus:
            machine = machine_for(transaction, access, resource.spec.vm_id)
            check_stopped(machine, "put a disk on another bus")
            spec["target"] = places_of(transaction, machine.id).free(body.bus, leaving=[resource.id])
        if body.boot is True:
            self._boot_from(transaction, access, resource)
        spec |= self._volumes.change(transaction, access, resource.spec.bs_volume_id, body)
        return spec

    def restore(
        self, transaction: Transaction, access: Access, disk: Disk, *, bus: str, boot: bool, target: str
    ) -> None:
        """Let a disk of a stopped machine hang where it hung once."""
        if disk.spec.bus != bus:
            places = places_of(transaction, disk.spec.vm_id)
            target = places.free(bus, wish=target, leaving=[disk.id])
            self.change(transaction, access, disk, "update", {"bus": bus, "target": target})
        if boot and not disk.spec.boot:
            self._boot_from(transaction, access, disk)
        if boot != disk.spec.boot:
            self.change(transaction, access, disk, "update", {"boot": boot})

    def delete(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        if_match: str | None = None,
        with_machine: bool = False,
    ) -> Disk:
        """Begin to detach a disk. Its volume stays, unless its machine goes too and the disk says so."""
        disk = self.show(transaction, access, id, lock=True)
        machine = machine_of(transaction, disk.spec.vm_id)
        if disk.spec.deletion_begin is None and machine is not None:
            reason = CleanupReason.DELETE if with_machine else CleanupReason.DETACH
            self._jobs.clean_up_disk(transaction, machine, id, disk.spec.name, reason)
            if with_machine and disk.spec.delete_volume_with_vm:
                self._volumes.check_deletable(transaction, disk.spec.bs_volume_id)
                self.store.mark(transaction, id, {"takes_volume": True})
        return super().delete(transaction, access, id, if_match=if_match)

    def note_sharing(self, transaction: Transaction, vm_id: int) -> None:
        """Write down of a machine whether all its disks are to share nothing, since one came or went back."""
        volumes = [disk.spec.bs_volume_id for disk in children.disks(transaction, vm_id)]
        flattened = self._volumes.are_flattened(transaction, volumes)
        machine = machine_of(transaction, vm_id)
        if machine is not None and machine.spec.flattened != flattened:
            self._note_sharing(transaction, vm_id, flattened=flattened)

    def _note_sharing(self, transaction: Transaction, vm_id: int, *, flattened: bool) -> None:
        self._machines.mark(transaction, vm_id, {"flattened": flattened})
        work.ask(transaction, VIRTUAL_MACHINE.name, vm_id)

    def _boot_from(self, transaction: Transaction, access: Access, disk: Disk) -> None:
        """Let the guest boot from this disk and no other."""
        for other in children.disks(transaction, disk.spec.vm_id):
            if other.id != disk.id and other.spec.boot and other.spec.deletion_begin is None:
                self.change(transaction, access, other, "update", {"boot": False})

    def _check_free(self, transaction: Transaction, volume_id: int) -> None:
        """Raises Conflict while the volume is in any machine, even in one that is about to let it go."""
        for disk in self.store.find(transaction, self.columns.bs_volume_id == volume_id, labels=False):
            state = "is still being detached from" if disk.spec.deletion_begin else "belongs to"
            raise Conflict(
                reason=f"bs_volume {volume_id} is vm_disk {disk.id}, which {state}"
                f" virtual_machine {disk.spec.vm_id}"
            )
