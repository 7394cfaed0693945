"""All that is wanted of one machine, read in one transaction. Called by its reconciler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from stratal.compute import children, parts
from stratal.compute.cleanups import ThisNode
from stratal.compute.domain import MachineId
from stratal.compute.parts import Part, PartKind
from stratal.compute.virtual_machine.model import (
    VIRTUAL_MACHINE,
    VirtualMachinePrivate,
    VirtualMachineSpec,
    VirtualMachineStatus,
)
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP
from stratal.compute.vm_snap.model import VM_SNAP
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage import VolumeFacts, volume_facts

_SNAPSHOTS: Final = Store(VM_SNAP)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A machine as it shall be."""

    resource: Resource[VirtualMachineSpec, VirtualMachineStatus]
    private: VirtualMachinePrivate
    machine: MachineId
    disks: list[children.Disk]
    nics: list[children.Nic]
    cd_roms: list[children.CdRom]
    #: places in the guest, by the ids of disks
    disk_targets: Mapping[int, str]
    #: places in the guest, by the ids of drives
    cd_rom_targets: Mapping[int, str]
    #: by the ids of disks
    volumes: Mapping[int, VolumeFacts]
    #: snapshots of the whole machine that are not made yet: whether each wants the guest to be quiet
    points: Mapping[int, bool]
    #: of those, which snapshot of a volume belongs to which
    point_of: Mapping[int, int]
    #: what was last noted of its parts
    noted: Mapping[tuple[PartKind, int], Part]
    #: the node of this process
    node_id: int | None
    #: how many snapshots of it there are, those included that are being deleted
    snapshot_num: int

    @property
    def id(self) -> int:
        return self.resource.id

    @property
    def spec(self) -> VirtualMachineSpec:
        return self.resource.spec


def load(
    transaction: Transaction,
    resource: Resource[VirtualMachineSpec, VirtualMachineStatus],
    this_node: ThisNode,
) -> Wanted:
    """Read it all. The spec is read anew: the one of the look may be older than the parts."""
    columns = VIRTUAL_MACHINE.tables.spec.c
    names = VirtualMachinePrivate.__struct_fields__
    row = transaction.execute(
        select(columns.uuid, *(columns[name] for name in names)).where(columns.id == resource.id)
    ).one()
    disks = children.disks(transaction, resource.id)
    points = _points(transaction, resource.id)
    return Wanted(
        resource=resource,
        private=VirtualMachinePrivate(**dict(zip(names, row[1:], strict=True))),
        machine=MachineId(row.uuid),
        disks=disks,
        nics=children.nics(transaction, resource.id),
        cd_roms=children.cd_roms(transaction, resource.id),
        disk_targets=children.disk_targets(transaction, resource.id),
        cd_rom_targets=children.cd_rom_targets(transaction, resource.id),
        volumes={
            disk.id: facts
            for disk in disks
            if (facts := volume_facts(transaction, disk.spec.bs_volume_id)) is not None
        },
        points=points,
        point_of=_parts_of(transaction, points),
        noted=parts.all_of(transaction, resource.id),
        node_id=this_node(transaction),
        snapshot_num=_SNAPSHOTS.count(transaction, VM_SNAP.tables.spec.c.vm_id == resource.id),
    )


def _points(transaction: Transaction, vm_id: int) -> dict[int, bool]:
    columns = VM_SNAP.tables.spec.c
    rows = transaction.execute(
        select(columns.id, columns.quiesce).where(
            columns.vm_id == vm_id,
            columns.creation_finish.is_(None),
            columns.deletion_begin.is_(None),
            columns.deleted_at.is_(None),
        )
    )
    return {row.id: row.quiesce for row in rows}


def _parts_of(transaction: Transaction, points: Mapping[int, bool]) -> dict[int, int]:
    if not points:
        return {}
    columns = VM_DISK_SNAP.tables.spec.c
    rows = transaction.execute(
        select(columns.bs_snap_id, columns.vm_snap_id).where(columns.vm_snap_id.in_(points))
    )
    return {row.bs_snap_id: row.vm_snap_id for row in rows}
