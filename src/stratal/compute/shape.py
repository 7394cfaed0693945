"""What belongs to a machine, as plain data: now, or when a snapshot was taken.

Called by the services: a snapshot keeps the shape of its machine, a clone and a rollback go by one.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, select

from stratal.compute.domain import Bus, CacheMode, NicModel
from stratal.compute.vm_cd_rom.model import VM_CD_ROM, DriveBus
from stratal.compute.vm_cd_rom_snap.model import VM_CD_ROM_SNAP
from stratal.compute.vm_disk.model import VM_DISK
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP
from stratal.compute.vm_nic.model import VM_NIC
from stratal.compute.vm_nic_snap.model import VM_NIC_SNAP
from stratal.kernel.transaction import Transaction


@dataclass(frozen=True, kw_only=True)
class DiskShape:
    vm_disk_id: int
    name: str
    bs_volume_id: int
    #: the snapshot that holds its data; None: the volume as it is now
    bs_snap_id: int | None
    bus: Bus
    boot: bool
    size_mb: int
    cache_mode: CacheMode
    delete_volume_with_vm: bool
    target: str


@dataclass(frozen=True, kw_only=True)
class NicShape:
    vm_nic_id: int
    name: str
    br_net_id: int
    mac_address: str
    model: NicModel
    link_up: bool
    queue_num: int
    ip_address: str | None
    in_bw_kbps: int
    out_bw_kbps: int


@dataclass(frozen=True, kw_only=True)
class CdRomShape:
    vm_cd_rom_id: int
    name: str
    vm_image_id: int | None
    bus: DriveBus
    boot_order: int | None
    target: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """All that belongs to a machine, each sort in the order in which it came."""

    disks: list[DiskShape]
    nics: list[NicShape]
    cd_roms: list[CdRomShape]


def of_machine(transaction: Transaction, vm_id: int) -> Shape:
    """What belongs to a machine now, without what is on its way out."""
    disks, nics, drives = VM_DISK.tables.spec, VM_NIC.tables.spec, VM_CD_ROM.tables.spec
    return Shape(
        disks=[
            DiskShape(bs_snap_id=None, **row)
            for row in _rows(transaction, disks, disks.c.vm_id == vm_id, DiskShape, id="vm_disk_id")
        ],
        nics=[
            NicShape(**row)
            for row in _rows(transaction, nics, nics.c.vm_id == vm_id, NicShape, id="vm_nic_id")
        ],
        cd_roms=[
            CdRomShape(**row)
            for row in _rows(transaction, drives, drives.c.vm_id == vm_id, CdRomShape, id="vm_cd_rom_id")
        ],
    )


def of_snapshot(transaction: Transaction, vm_snap_id: int) -> Shape:
    """What belonged to a machine when a snapshot of it was taken."""
    disks, nics, drives = VM_DISK_SNAP.tables.spec, VM_NIC_SNAP.tables.spec, VM_CD_ROM_SNAP.tables.spec
    return Shape(
        disks=[
            DiskShape(**row) for row in _rows(transaction, disks, disks.c.vm_snap_id == vm_snap_id, DiskShape)
        ],
        nics=[NicShape(**row) for row in _rows(transaction, nics, nics.c.vm_snap_id == vm_snap_id, NicShape)],
        cd_roms=[
            CdRomShape(**row)
            for row in _rows(transaction, drives, drives.c.vm_snap_id == vm_snap_id, CdRomShape)
        ],
    )


def _rows(
    transaction: Transaction,
    table: Table,
    where: ColumnElement[bool],
    shape: type[DiskShape] | type[NicShape] | type[CdRomShape],
    *,
    id: str = "",
) -> list[dict[str, Any]]:
    """The columns that the shape has; its own id stands under the name `id`, where one is given."""
    names = [name for name in shape.__dataclass_fields__ if name in table.c]
    columns: list[ColumnElement[Any]] = [table.c[name] for name in names]
    if id:
        columns.append(table.c.id.label(id))
    statement = select(*columns).where(where, table.c.deletion_begin.is_(None)).order_by(table.c.id)
    return [dict(row) for row in transaction.execute(statement).mappings()]
