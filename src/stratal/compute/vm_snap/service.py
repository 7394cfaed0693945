"""What may be asked of snapshots of virtual machines. Called by faces.

A snapshot is one moment of all disks because one transaction decides it: every disk's layer is frozen in the
graph at once. The reconcilers of disks and machines make it so, at one point in time for a guest that runs.
"""

from dataclasses import asdict
from typing import Any

from stratal.compute import memories, shape
from stratal.compute.machines import in_project_of, machine_for, machine_of
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.vm_cd_rom_snap.model import VM_CD_ROM_SNAP, VmCdRomSnapSpec, VmCdRomSnapStatus
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP, VmDiskSnapSpec, VmDiskSnapStatus
from stratal.compute.vm_nic_snap.model import VM_NIC_SNAP, VmNicSnapSpec, VmNicSnapStatus
from stratal.compute.vm_snap import memory
from stratal.compute.vm_snap.model import (
    FROZEN,
    VM_SNAP,
    MemoryShown,
    VmSnapCreate,
    VmSnapMemory,
    VmSnapSpec,
    VmSnapStatus,
    VmSnapUpdate,
)
from stratal.kernel import work
from stratal.kernel.access import Access
from stratal.kernel.derived import DerivedService
from stratal.kernel.errors import Conflict
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
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
        if body.memory:
            memories.expect(transaction, snapshot.id)
        self._keep(transaction, access, snapshot)
        return snapshot

    def new(self, transaction: Transaction, access: Access, body: VmSnapCreate) -> Change:
        machine = machine_for(transaction, access, body.vm_id)
        if body.memory:
            memory.check(transaction, machine, body)
        return {
            **{name: value for name, value in given(body).items() if name != "memory"},
            "vm_name": machine.spec.name,
            "vm_description": machine.spec.description,
            "vm_ip_addresses": machine.status.ip_addresses,
            "cpu_model": machine.spec.cpu_model,
            **{name: getattr(machine.spec, name) for name in FROZEN},
            **(memory.hardware(machine) if body.memory else {}),
        }

    def of_machine(self, transaction: Transaction, vm_id: int) -> list[Snapshot]:
        """The snapshots of a machine, those included that are being deleted."""
        return self.store.find(transaction, self.columns.vm_id == vm_id, labels=False)

    def frozen(self, transaction: Transaction, snapshot: Snapshot) -> dict[str, Any]:
        """What the machine was to be at a snapshot of it, by the columns of machines."""
        kept = {name: getattr(snapshot.spec, name) for name in FROZEN}
        return kept | {"cpu_model": self.store.private(transaction, snapshot.id, "cpu_model")}

    def before_delete(self, transaction: Transaction, access: Access, resource: Snapshot) -> None:
        self._check_not_gone_on_from(transaction, resource)
        if memories.of(transaction, resource.id) is not None:
            work.ask(transaction, VIRTUAL_MACHINE.name, resource.spec.vm_id)
        mine = {"vm_snap_id": resource.id}
        for disk in self.disks.of(transaction, **mine):
            self._bs_snaps.delete_with_machine(transaction, access, disk.spec.bs_snap_id)
        for service in (self.disks, self.nics, self.cd_roms):
            for part in service.of(transaction, **mine):
                service.drop(transaction, part.id)

    def memory_of(self, transaction: Transaction, access: Access, id: int) -> VmSnapMemory:
        """What became of the memory that a snapshot was to keep."""
        self.show(transaction, access, id)
        found = memories.of(transaction, id)
        if found is None:
            return VmSnapMemory(state=MemoryShown.NONE)
        return VmSnapMemory(
            state=MemoryShown(found.state.value), size_byte=found.size_byte, problem=found.problem
        )

    def _check_not_gone_on_from(self, transaction: Transaction, resource: Snapshot) -> None:
        """Raises Conflict while the machine is about to go on from its memory."""
        machine = machine_of(transaction, resource.spec.vm_id)
        if machine is None or machine.spec.rollback_num == machine.status.rollback_num:
            return
        if Store(VIRTUAL_MACHINE).private(transaction, machine.id, "resume_vm_snap_id") == resource.id:
            raise Conflict(
                reason=f"virtual_machine {machine.id} is about to go on from the memory of vm_snap"
                f" {resource.id}: wait until it has, or stop it"
            )

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
