"""What may be asked of snapshots of virtual machines. Called by faces.

A snapshot is one moment of all disks because one transaction decides it: every disk's layer is frozen in the
graph at once. The reconcilers of disks and machines make it so, at one point in time for a guest that runs.
"""

from dataclasses import asdict
from typing import Any

from stratal.compute import shape
from stratal.compute.machines import in_project_of, machine_for
from stratal.compute.vm_cd_rom_snap.model import VM_CD_ROM_SNAP, VmCdRomSnapSpec, VmCdRomSnapStatus
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP, VmDiskSnapSpec, VmDiskSnapStatus
from stratal.compute.vm_nic_snap.model import VM_NIC_SNAP, VmNicSnapSpec, VmNicSnapStatus
from stratal.compute.vm_snap.model import (
    FROZEN,
    VM_SNAP,
    VmSnapCreate,
    VmSnapSpec,
    VmSnapStatus,
    VmSnapUpdate,
)
from stratal.kernel.access import Access
from stratal.kernel.derived import DerivedService
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage import BsSnapOfMachine, Storage

Snapshot = Resource[VmSnapSpec, VmSnapStatus]


class VmSnapService(ResourceService[VmSnapSpec, VmSnapStatus]):
    create_body = VmSnapCreate
    update_body = VmSnapUpdate

    def __init__(self, catalogue: Catalogue, storage: Storage) -> None:
        super().__init__(VM_SNAP, catalogue)
        self._bs_snaps = storage.bs_snaps
        self.disks: DerivedService[VmDiskSnapSpec, VmDiskSnapStatus] = DerivedService(VM_DISK_SNAP, catalogue)
        self.nics: DerivedService[VmNicSnapSpec, VmNicSnapStatus] = DerivedService(VM_NIC_SNAP, catalogue)
        self.cd_roms: DerivedService[VmCdRomSnapSpec, VmCdRomSnapStatus] = DerivedService(
            VM_CD_ROM_SNAP, catalogue
        )

    def create(self, transaction: Transaction, access: Access, body: Any) -> Snapshot:
        """A snapshot of all disks of a machine at the moment of this transaction, and of what it is."""
        machine = machine_for(transaction, access, body.vm_id)
        access = in_project_of(access, machine)
        snapshot = super().create(transaction, access, body)
        self._keep(transaction, access, snapshot)
        return snapshot

    def new(self, transaction: Transaction, access: Access, body: VmSnapCreate) -> Change:
        machine = machine_for(transaction, access, body.vm_id)
        return {
            **given(body),
            "vm_name": machine.spec.name,
            "vm_description": machine.spec.description,
            "vm_ip_addresses": machine.status.ip_addresses,
            "cpu_model": machine.spec.cpu_model,
            **{name: getattr(machine.spec, name) for name in FROZEN},
        }

    def of_machine(self, transaction: Transaction, vm_id: int) -> list[Snapshot]:
        """The snapshots of a machine, those included that are being deleted."""
        return self.store.find(transaction, self.columns.vm_id == vm_id, labels=False)

    def frozen(self, transaction: Transaction, snapshot: Snapshot) -> dict[str, Any]:
        """What the machine was to be at a snapshot of it, by the columns of machines."""
        kept = {name: getattr(snapshot.spec, name) for name in FROZEN}
        return kept | {"cpu_model": self.store.private(transaction, snapshot.id, "cpu_model")}

    def before_delete(self, transaction: Transaction, access: Access, resource: Snapshot) -> None:
        mine = {"vm_snap_id": resource.id}
        for disk in self.disks.of(transaction, **mine):
            self._bs_snaps.delete_with_machine(transaction, access, disk.spec.bs_snap_id)
        for service in (self.disks, self.nics, self.cd_roms):
            for part in service.of(transaction, **mine):
                service.drop(transaction, part.id)

    def _keep(self, transaction: Transaction, access: Access, snapshot: Snapshot) -> None:
        """Write down what belongs to the machine, and freeze all its disks in the graph."""
        now = shape.of_machine(transaction, snapshot.spec.vm_id)
        common = {"vm_snap_id": snapshot.id, "project_id": snapshot.spec.project_id}
        for disk in now.disks:
            body = BsSnapOfMachine(
                name=snapshot.spec.name, bs_volume_id=disk.bs_volume_id, vm_snap_id=snapshot.id
            )
            kept = self._bs_snaps.create(transaction, access, body)
            self.disks.add(transaction, {**asdict(disk), **common, "bs_snap_id": kept.id})
        for nic in now.nics:
            self.nics.add(transaction, {**asdict(nic), **common})
        for drive in now.cd_roms:
            self.cd_roms.add(transaction, {**asdict(drive), **common})
