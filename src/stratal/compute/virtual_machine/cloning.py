"""Machines that start as another one: what a clone is made of. Called by the service of machines.

Its volumes are made here, linked to what they come from; the machine and its parts are then created like any
others. A clone has a UUID and hardware addresses of its own.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from stratal.compute import shape
from stratal.compute.machines import Machine, in_project_of, machine_for, machine_of
from stratal.compute.shape import CdRomShape, DiskShape, NicShape
from stratal.compute.virtual_machine.bodies import VirtualMachineClone, VirtualMachineCreate
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.virtual_machine.parts import Prepared, part_name
from stratal.compute.vm_cd_rom.model import NewCdRom
from stratal.compute.vm_cd_rom.service import VmCdRomService
from stratal.compute.vm_disk.model import NewDisk
from stratal.compute.vm_disk.volumes import DiskVolumes
from stratal.compute.vm_nic.model import NewNic
from stratal.compute.vm_snap.model import FROZEN, VmSnapSpec, VmSnapStatus
from stratal.compute.vm_snap.service import VmSnapService
from stratal.kernel.access import Access
from stratal.kernel.errors import Invalid, NotFound
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction

Snapshot = Resource[VmSnapSpec, VmSnapStatus]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a machine is cloned from."""

    machine: Machine
    #: None: the machine itself, as it is now
    snapshot: Snapshot | None
    #: the caller, working in the source's project
    access: Access


class Cloning:
    def __init__(self, snaps: VmSnapService, cd_roms: VmCdRomService, volumes: DiskVolumes) -> None:
        self._snaps = snaps
        self._cd_roms = cd_roms
        self._volumes = volumes
        self._machines = Store(VIRTUAL_MACHINE)

    def source_of(self, transaction: Transaction, access: Access, body: VirtualMachineClone) -> Source:
        """What to clone. Raises Invalid for what the caller can't know of, Conflict for what is going."""
        if (body.vm_snap_id is msgspec.UNSET) == (body.vm_id is msgspec.UNSET):
            raise Invalid(field="spec.vm_snap_id", reason="is needed, or vm_id in its place")
        if isinstance(body.vm_id, int):
            machine = machine_for(transaction, access, body.vm_id)
            return Source(machine=machine, snapshot=None, access=in_project_of(access, machine))
        snapshot = self._snapshot(transaction, access, body)
        machine = machine_of(transaction, snapshot.spec.vm_id)
        if machine is None:
            raise NotFound(kind="virtual_machine", id=snapshot.spec.vm_id)
        return Source(machine=machine, snapshot=snapshot, access=in_project_of(access, machine))

    def copy_of(self, transaction: Transaction, source: Source, body: VirtualMachineClone) -> Prepared:
        """The machine to be created. Its volumes are there already."""
        if source.snapshot is None:
            kept = {name: getattr(source.machine.spec, name) for name in (*FROZEN, "cpu_model")}
        else:
            kept = self._snaps.frozen(transaction, source.snapshot)
        password = self._machines.private(transaction, source.machine.id, "graphics_password")
        copy: dict[str, Any] = {
            **kept,
            "name": body.name,
            "description": body.description,
            "power_state": body.power_state,
            "os_release_id": source.machine.spec.os_release_id,
            "vm_snap_id": None if source.snapshot is None else source.snapshot.id,
            "flattened": body.flatten,
            "reboot_num": 0,
            "rollback_num": 0,
            "graphics_password": password,
            "graphics_password_num": int(bool(password)),
            "stop_forced": False,
            "reboot_forced": False,
        }
        if source.snapshot is None:
            parts = shape.of_machine(transaction, source.machine.id)
        else:
            parts = shape.of_snapshot(transaction, source.snapshot.id)
        wanted = VirtualMachineCreate(
            name=body.name,
            memory_mb=kept["memory_mb"],
            vm_disks=[
                self._disk(transaction, source, disk, body, part_name(body.name, "disk", index))
                for index, disk in enumerate(parts.disks)
            ],
            vm_nics=[_nic(nic) for nic in parts.nics],
            vm_cd_roms=[self._drive(transaction, drive) for drive in parts.cd_roms],
        )
        return Prepared(
            body=wanted,
            copy=copy,
            disk_targets=[disk.target for disk in parts.disks],
            cd_rom_targets=[drive.target for drive in parts.cd_roms],
        )

    def _disk(
        self,
        transaction: Transaction,
        source: Source,
        disk: DiskShape,
        body: VirtualMachineClone,
        name: str,
    ) -> NewDisk:
        """A disk of the clone, whose volume is made here."""
        how: dict[str, Any] = {"name": name, "flatten": body.flatten}
        if disk.bs_snap_id is None:
            volume_id = self._volumes.clone_of_volume(transaction, source.access, disk.bs_volume_id, **how)
        else:
            volume_id = self._volumes.clone_of_snapshot(transaction, source.access, disk.bs_snap_id, **how)
        return NewDisk(
            name=name,
            bs_volume_id=volume_id,
            bus=disk.bus,
            boot=disk.boot,
            cache_mode=disk.cache_mode,
            delete_volume_with_vm=True,
        )

    def _drive(self, transaction: Transaction, drive: CdRomShape) -> NewCdRom:
        """A drive of the clone; with an empty tray where the image is gone."""
        has_image = drive.vm_image_id is not None and self._cd_roms.has_image(transaction, drive.vm_image_id)
        return NewCdRom(
            vm_image_id=drive.vm_image_id if has_image else None, bus=drive.bus, boot_order=drive.boot_order
        )

    def _snapshot(self, transaction: Transaction, access: Access, body: VirtualMachineClone) -> Snapshot:
        wanted = body.vm_snap_id if isinstance(body.vm_snap_id, int) else 0
        try:
            return self._snaps.changeable(transaction, access, wanted)
        except NotFound:
            raise Invalid(field="spec.vm_snap_id", reason=f"there is no vm_snap {wanted}") from None


def _nic(nic: NicShape) -> NewNic:
    """An interface of the clone, which gets a hardware address and addresses of its own."""
    return NewNic(
        br_net_id=nic.br_net_id,
        model=nic.model,
        link_up=nic.link_up,
        queue_num=nic.queue_num,
        in_bw_kbps=nic.in_bw_kbps,
        out_bw_kbps=nic.out_bw_kbps,
    )
