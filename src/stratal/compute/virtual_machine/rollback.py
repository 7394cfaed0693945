"""Letting a machine be again what it was at a snapshot. Called by the service of machines.

The machine has afterwards the disks, interfaces and drives of then. Disks that came since are detached, and
their volumes stay; what was taken out since is put back. A network or an image that is gone meanwhile does
not stand in the way: its interface is left out, its tray stays empty, and an event says so.
"""

from typing import Any

from stratal.compute import children, memories, shape
from stratal.compute.machines import Machine, check_stopped, is_stopped
from stratal.compute.memories import MemoryState
from stratal.compute.shape import CdRomShape, DiskShape, NicShape, Shape
from stratal.compute.virtual_machine.model import WantedPower
from stratal.compute.vm_cd_rom.model import VmCdRomCreate
from stratal.compute.vm_cd_rom.service import VmCdRomService
from stratal.compute.vm_disk.model import VmDiskCreate
from stratal.compute.vm_disk.service import VmDiskService
from stratal.compute.vm_disk.volumes import DiskVolumes
from stratal.compute.vm_nic.service import VmNicService
from stratal.compute.vm_snap.service import Snapshot, VmSnapService
from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.journal import Level, record_event
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction


class Rollback:
    def __init__(
        self,
        disks: VmDiskService,
        nics: VmNicService,
        cd_roms: VmCdRomService,
        snaps: VmSnapService,
        volumes: DiskVolumes,
    ) -> None:
        self._disks, self._nics, self._cd_roms = disks, nics, cd_roms
        self._snaps = snaps
        self._volumes = volumes

    def carry_out(
        self,
        transaction: Transaction,
        access: Access,
        machine: Machine,
        vm_snap_id: int,
        *,
        memory: bool | None,
    ) -> dict[str, Any]:
        """Roll back all disks and put back all parts. Returns the columns of the machine as they were.

        With the snapshot's memory the guest goes on from there, and one that runs is ended for it. Without,
        the machine must be stopped and stays so, whatever it was then. `memory` of None: where there is any.
        """
        snapshot = self._snapshot(transaction, access, machine, vm_snap_id)
        resumes = self._resumes(transaction, snapshot, wished=memory)
        ends_guest = resumes and not is_stopped(machine)
        if ends_guest:
            self._check_calm(transaction, machine)
        else:
            check_stopped(machine, "be rolled back")
        then = shape.of_snapshot(transaction, snapshot.id)
        self._roll_disks_back(transaction, access, machine, then.disks, ends_guest=ends_guest)
        self._put_nics_back(transaction, access, machine, then.nics)
        self._put_drives_back(transaction, access, machine, then.cd_roms)
        self._disks.note_sharing(transaction, machine.id)
        frozen = self._snaps.frozen(transaction, snapshot)
        if not resumes:
            return frozen | {"power_state": WantedPower.STOPPED, "resume_vm_snap_id": None}
        self._check_fits(transaction, machine, then)
        return frozen | {
            "power_state": WantedPower.RUNNING,
            "stop_forced": False,
            "resume_vm_snap_id": snapshot.id,
        }

    @staticmethod
    def _resumes(transaction: Transaction, snapshot: Snapshot, *, wished: bool | None) -> bool:
        """Whether the guest goes on from memory. Raises Conflict where it is to, and there is none."""
        found = memories.of(transaction, snapshot.id)
        if wished is False or (wished is None and (found is None or found.state is MemoryState.LOST)):
            return False  # of memory that was lost an event has told
        if found is not None and found.state is MemoryState.KEPT:
            return True
        why = "it was not asked for" if found is None else found.problem or "it is not kept yet"
        raise Conflict(reason=f"vm_snap {snapshot.id} has no memory to go on from: {why}")

    def _check_calm(self, transaction: Transaction, machine: Machine) -> None:
        """Raises Conflict while a snapshot of the running machine is being made."""
        columns = self._snaps.columns
        unmade = self._snaps.store.find(
            transaction, columns.vm_id == machine.id, columns.creation_finish.is_(None), labels=False
        )
        if unmade:
            raise Conflict(
                reason=f"vm_snap {unmade[0].id} of virtual_machine {machine.id} is still being made:"
                " wait until it is there"
            )

    @staticmethod
    def _check_fits(transaction: Transaction, machine: Machine, then: Shape) -> None:
        """Raises Conflict where the machine could not have the devices again that its memory knows of."""
        now = shape.of_machine(transaction, machine.id)
        if differing := _devices(now) ^ _devices(then):
            raise Conflict(
                reason=f"virtual_machine {machine.id} can't go on from memory, since it can't have"
                f" {min(differing)} as it had then: go back without memory"
            )

    def _snapshot(self, transaction: Transaction, access: Access, machine: Machine, id: int) -> Snapshot:
        try:
            snapshot = self._snaps.changeable(transaction, access, id)
        except NotFound:
            raise Invalid(field="spec.vm_snap_id", reason=f"there is no vm_snap {id}") from None
        if snapshot.spec.vm_id != machine.id:
            raise Invalid(
                field="spec.vm_snap_id",
                reason=f"vm_snap {id} is not a snapshot of virtual_machine {machine.id}",
            )
        return snapshot

    def _roll_disks_back(
        self,
        transaction: Transaction,
        access: Access,
        machine: Machine,
        then: list[DiskShape],
        *,
        ends_guest: bool,
    ) -> None:
        now = {
            disk.spec.bs_volume_id: disk
            for disk in children.disks(transaction, machine.id)
            if disk.spec.deletion_begin is None
        }
        kept = {disk.bs_volume_id for disk in then}
        for volume_id, disk in now.items():
            if volume_id not in kept:
                self._disks.delete(transaction, access, disk.id)
        for disk in then:
            found = now.get(disk.bs_volume_id)
            if found is not None:
                self._disks.restore(
                    transaction, access, found, bus=disk.bus, boot=disk.boot, target=disk.target
                )
            else:
                body = VmDiskCreate(
                    name=disk.name,
                    vm_id=machine.id,
                    bs_volume_id=disk.bs_volume_id,
                    bus=disk.bus,
                    boot=disk.boot,
                    cache_mode=disk.cache_mode,
                    delete_volume_with_vm=disk.delete_volume_with_vm,
                )
                self._disks.create(transaction, access, body, wish=disk.target)
            if disk.bs_snap_id is not None:
                self._volumes.rollback(
                    transaction, access, disk.bs_volume_id, disk.bs_snap_id, ends_guest=ends_guest
                )

    def _put_nics_back(
        self, transaction: Transaction, access: Access, machine: Machine, then: list[NicShape]
    ) -> None:
        now = {
            nic.id: nic for nic in children.nics(transaction, machine.id) if nic.spec.deletion_begin is None
        }
        for id in now.keys() - {nic.vm_nic_id for nic in then}:
            self._nics.delete(transaction, access, id)
        networks: Store[Any, Any] = Store(self._nics.catalogue["br_net"])
        for nic in then:
            network = networks.get(transaction, nic.br_net_id, labels=False)
            found = now.get(nic.vm_nic_id)
            if network is None or network.spec.deletion_begin is not None:
                if found is None:
                    self._tell(transaction, machine, f"{nic.name}: br_net {nic.br_net_id} is gone")
            elif found is not None:
                self._nics.restore(transaction, access, found, nic)
            else:
                self._nics.put_back(transaction, access, machine.id, nic)

    def _put_drives_back(
        self, transaction: Transaction, access: Access, machine: Machine, then: list[CdRomShape]
    ) -> None:
        now = {
            drive.id: drive
            for drive in children.cd_roms(transaction, machine.id)
            if drive.spec.deletion_begin is None
        }
        for id in now.keys() - {drive.vm_cd_rom_id for drive in then}:
            self._cd_roms.delete(transaction, access, id)
        for drive in then:
            image_id = drive.vm_image_id
            if image_id is not None and not self._cd_roms.has_image(transaction, image_id):
                self._tell(transaction, machine, f"{drive.name}: vm_image {image_id} is gone")
                image_id = None
            found = now.get(drive.vm_cd_rom_id)
            if found is not None:
                self._cd_roms.restore(
                    transaction,
                    access,
                    found,
                    bus=drive.bus,
                    vm_image_id=image_id,
                    boot_order=drive.boot_order,
                    target=drive.target,
                )
            else:
                body = VmCdRomCreate(
                    name=drive.name,
                    vm_id=machine.id,
                    vm_image_id=image_id,
                    bus=drive.bus,
                    boot_order=drive.boot_order,
                )
                self._cd_roms.create(transaction, access, body, wish=drive.target)

    @staticmethod
    def _tell(transaction: Transaction, machine: Machine, what: str) -> None:
        record_event(
            transaction,
            "virtual_machine_rolled_back_in_part",
            level=Level.WARNING,
            message=f"{machine.spec.name} was rolled back without {what}",
            resource_type="virtual_machine",
            resource_id=machine.id,
            resource_name=machine.spec.name,
            project_id=machine.spec.project_id,
        )


def _devices(shape: Shape) -> set[str]:
    """What the memory of a guest knows of its devices."""
    return {
        *(f"disk {disk.target} of bs_volume {disk.bs_volume_id}" for disk in shape.disks),
        *(f"drive {drive.target} with vm_image {drive.vm_image_id or 'none'}" for drive in shape.cd_roms),
        *(f"interface {nic.mac_address}" for nic in shape.nics),
    }
