"""All that is wanted of one machine, read in one transaction. Called by its reconciler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, or_, select

from stratal.compute import children, parts
from stratal.compute.cleanups import ThisNode
from stratal.compute.domain import MachineId
from stratal.compute.memories import MACHINE_MEMORY, MemoryState
from stratal.compute.parts import Part, PartKind
from stratal.compute.virtual_machine.model import (
    VIRTUAL_MACHINE,
    VirtualMachinePrivate,
    VirtualMachineSpec,
    VirtualMachineStatus,
    WantedPower,
)
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP
from stratal.compute.vm_snap.model import VM_SNAP
from stratal.kernel.prepared import Prepared
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage import VolumeFacts, volume_facts

_SNAPSHOTS: Final = Store(VM_SNAP)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A snapshot of the whole machine that is not made yet."""

    #: the guest is to be quiet
    quiesce: bool
    #: its memory is to be kept, and it is not known yet what became of that
    memory: bool


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
    #: snapshots of the whole machine that are not made yet, by their ids
    points: Mapping[int, Point]
    #: snapshots of it that are being deleted, whose memory is to go
    dropped: frozenset[int]
    #: the snapshot with whose memory the guest is to go on where it was; None: it boots
    resume: int | None
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
    [row] = transaction.rows(_PRIVATE, {"machine": resource.id})
    disks = children.disks(transaction, resource.id)
    private = VirtualMachinePrivate(**dict(zip(_PRIVATE_NAMES, row[1:], strict=True)))
    points, dropped = _points(transaction, resource.id)
    runs = resource.spec.power_state is WantedPower.RUNNING
    goes_back = runs and resource.spec.rollback_num != resource.status.rollback_num
    return Wanted(
        resource=resource,
        private=private,
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
        dropped=dropped,
        resume=private.resume_vm_snap_id if goes_back else None,
        noted=parts.all_of(transaction, resource.id),
        node_id=this_node(transaction),
        snapshot_num=_SNAPSHOTS.count_with_value(transaction, "vm_id", resource.id),
    )


def due_points(transaction: Transaction, vm_id: int) -> tuple[dict[int, Point], dict[int, int]]:
    """The snapshots of a machine that are not made yet, and which snapshot of a volume belongs to which."""
    points, _ = _points(transaction, vm_id)
    if not points:
        return {}, {}
    columns = VM_DISK_SNAP.tables.spec.c
    rows = transaction.execute(
        select(columns.bs_snap_id, columns.vm_snap_id).where(columns.vm_snap_id.in_(points))
    )
    return points, {row.bs_snap_id: row.vm_snap_id for row in rows}


def kept_disks(transaction: Transaction, vm_snap_id: int) -> dict[int, int]:
    """The volumes of a snapshot's disks, and the snapshot of each."""
    columns = VM_DISK_SNAP.tables.spec.c
    rows = transaction.execute(
        select(columns.bs_volume_id, columns.bs_snap_id).where(columns.vm_snap_id == vm_snap_id)
    )
    return {row.bs_volume_id: row.bs_snap_id for row in rows}


def rollback_num(transaction: Transaction, vm_id: int) -> int:
    """How often the machine was to be rolled back until now."""
    [row] = transaction.rows(_ROLLBACK_NUM, {"machine": vm_id})
    return int(row.rollback_num)


def _points(transaction: Transaction, vm_id: int) -> tuple[dict[int, Point], frozenset[int]]:
    """Those that are not made yet, and those that are being deleted and have memory."""
    rows = transaction.rows(_POINTS, {"machine": vm_id})
    points = {
        row.id: Point(quiesce=row.quiesce, memory=row.state == MemoryState.PENDING.value)
        for row in rows
        if row.deletion_begin is None
    }
    return points, frozenset(row.id for row in rows if row.deletion_begin is not None)


def _points_of_machine() -> Prepared:
    columns, state = VM_SNAP.tables.spec.c, MACHINE_MEMORY.c.state
    return Prepared(
        select(columns.id, columns.quiesce, columns.deletion_begin, state)
        .join_from(
            VM_SNAP.tables.spec, MACHINE_MEMORY, MACHINE_MEMORY.c.vm_snap_id == columns.id, isouter=True
        )
        .where(
            columns.vm_id == bindparam("machine"),
            columns.deleted_at.is_(None),
            or_(
                and_(columns.creation_finish.is_(None), columns.deletion_begin.is_(None)),
                and_(columns.deletion_begin.is_not(None), state != MemoryState.GONE.value),
            ),
        )
    )


_SPEC = VIRTUAL_MACHINE.tables.spec.c
_PRIVATE_NAMES = VirtualMachinePrivate.__struct_fields__
_PRIVATE = Prepared(
    select(_SPEC.uuid, *(_SPEC[name] for name in _PRIVATE_NAMES)).where(_SPEC.id == bindparam("machine"))
)
_ROLLBACK_NUM = Prepared(select(_SPEC.rollback_num).where(_SPEC.id == bindparam("machine")))
_POINTS = _points_of_machine()
