"""The disks, interfaces and drives that come and go with their machine. Called by the service of machines."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stratal.compute import children
from stratal.compute.machines import Machine, within
from stratal.compute.virtual_machine.bodies import VirtualMachineCreate, VirtualMachineUpdate
from stratal.compute.vm_cd_rom.model import NewCdRom, VmCdRomCreate
from stratal.compute.vm_cd_rom.service import VmCdRomService
from stratal.compute.vm_disk.model import NewDisk, VmDiskCreate
from stratal.compute.vm_disk.service import VmDiskService
from stratal.compute.vm_nic.model import NewNic, VmNicCreate
from stratal.compute.vm_nic.service import VmNicService
from stratal.kernel.access import Access
from stratal.kernel.fields import given
from stratal.kernel.transaction import Transaction

_MOST_NAME = 255


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, with the console's password in clear; None: it carried none."""

    body: VirtualMachineCreate | VirtualMachineUpdate
    password: str | None = msgspec.field(default=None)
    #: for a machine that is made after another one: its columns as they are
    copy: Mapping[str, Any] | None = None
    #: the places in the guest of the disks and drives of the body, where they are known already
    disk_targets: Sequence[str] = ()
    cd_rom_targets: Sequence[str] = ()

    def __repr__(self) -> str:
        """Without the password."""
        return f"Prepared({type(self.body).__name__})"


def add_parts(
    transaction: Transaction,
    access: Access,
    machine: Machine,
    prepared: Prepared,
    *,
    disks: VmDiskService,
    nics: VmNicService,
    cd_roms: VmCdRomService,
) -> None:
    """Make all that belongs to a new machine. What is refused is called by its place in the body."""
    body = prepared.body
    if not isinstance(body, VirtualMachineCreate):
        return
    for index, disk in enumerate(body.vm_disks):
        wish = prepared.disk_targets[index] if prepared.disk_targets else ""
        with within(f"spec.vm_disks[{index}]"):
            disks.create(transaction, access, VmDiskCreate(**_named(machine, disk, "disk", index)), wish=wish)
    for index, nic in enumerate(body.vm_nics):
        with within(f"spec.vm_nics[{index}]"):
            nics.create(transaction, access, VmNicCreate(**_named(machine, nic, "nic", index)))
    for index, drive in enumerate(body.vm_cd_roms):
        wish = prepared.cd_rom_targets[index] if prepared.cd_rom_targets else ""
        with within(f"spec.vm_cd_roms[{index}]"):
            cd_roms.create(
                transaction, access, VmCdRomCreate(**_named(machine, drive, "cd-rom", index)), wish=wish
            )


def remove_parts(
    transaction: Transaction,
    access: Access,
    machine: Machine,
    *,
    disks: VmDiskService,
    nics: VmNicService,
    cd_roms: VmCdRomService,
) -> None:
    """Begin the deletion of all that belongs to a machine that is being deleted."""
    for disk in children.disks(transaction, machine.id):
        disks.delete(transaction, access, disk.id, with_machine=True)
    for nic in children.nics(transaction, machine.id):
        nics.delete(transaction, access, nic.id, with_machine=True)
    for drive in children.cd_roms(transaction, machine.id):
        cd_roms.delete(transaction, access, drive.id)


def part_name(machine_name: str, what: str, index: int) -> str:
    """What a part is called that nobody gave a name."""
    ending = f"-{what}-{index + 1}"
    return machine_name[: _MOST_NAME - len(ending)] + ending


def _named(machine: Machine, part: NewDisk | NewNic | NewCdRom, what: str, index: int) -> dict[str, Any]:
    return {"name": part_name(machine.spec.name, what, index), **given(part), "vm_id": machine.id}
