"""What belongs to a machine: its disks, network interfaces and CD-ROM drives.

Called by the services and reconcilers of compute. All of these say also what is being deleted, since a guest
may still have it; `spec.deletion_begin` tells.
"""

from sqlalchemy import bindparam, select

from stratal.compute.vm_cd_rom.model import VM_CD_ROM, VmCdRomSpec, VmCdRomStatus
from stratal.compute.vm_disk.model import VM_DISK, VmDiskSpec, VmDiskStatus
from stratal.compute.vm_nic.model import VM_NIC, VmNicSpec, VmNicStatus
from stratal.kernel.kind import AnyKind
from stratal.kernel.prepared import Prepared
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction

Disk = Resource[VmDiskSpec, VmDiskStatus]
Nic = Resource[VmNicSpec, VmNicStatus]
CdRom = Resource[VmCdRomSpec, VmCdRomStatus]

_DISKS, _NICS, _CD_ROMS = Store(VM_DISK), Store(VM_NIC), Store(VM_CD_ROM)


def disks(transaction: Transaction, vm_id: int) -> list[Disk]:
    """The disks of a machine, in the order in which they came."""
    return _DISKS.with_value(transaction, "vm_id", vm_id)


def nics(transaction: Transaction, vm_id: int) -> list[Nic]:
    """The network interfaces of a machine, in the order in which they came."""
    return _NICS.with_value(transaction, "vm_id", vm_id)


def cd_roms(transaction: Transaction, vm_id: int) -> list[CdRom]:
    """The CD-ROM drives of a machine, in the order in which they came."""
    return _CD_ROMS.with_value(transaction, "vm_id", vm_id)


def disk_targets(transaction: Transaction, vm_id: int) -> dict[int, str]:
    """The places of a machine's disks in the guest (vda), by the disks' ids."""
    return _targets(transaction, VM_DISK, vm_id)


def cd_rom_targets(transaction: Transaction, vm_id: int) -> dict[int, str]:
    """The places of a machine's CD-ROM drives in the guest (sda), by the drives' ids."""
    return _targets(transaction, VM_CD_ROM, vm_id)


def _targets(transaction: Transaction, kind: AnyKind, vm_id: int) -> dict[int, str]:
    return {row.id: row.target for row in transaction.rows(_TARGETS[kind.name], {"machine": vm_id})}


def _targets_of(kind: AnyKind) -> Prepared:
    columns = kind.tables.spec.c
    mine = (columns.vm_id == bindparam("machine"), columns.deleted_at.is_(None))
    return Prepared(select(columns.id, columns.target).where(*mine))


_TARGETS = {kind.name: _targets_of(kind) for kind in (VM_DISK, VM_CD_ROM)}
