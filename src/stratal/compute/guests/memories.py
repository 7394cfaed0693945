"""The memory that snapshots of running guests keep. Called by the reconciler of machines.

It lies in a file of the snapshot's own, which a guest can go on from for as long as its disks hold what they
held then. What became of it is written down for the snapshot, see `stratal.compute.memories`.
"""

from collections.abc import Generator, Iterable, Set
from contextlib import contextmanager
from pathlib import Path

from stratal.compute import memories, shape
from stratal.compute.domain import Machine
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import MemoryNotKept
from stratal.compute.guests.defining import Places
from stratal.compute.guests.images import address_of
from stratal.compute.guests.wanted import Wanted, due_points, kept_disks
from stratal.compute.memories import Memory, MemoryState
from stratal.kernel.journal import Level, record_event
from stratal.kernel.reconcile import Look
from stratal.kernel.transaction import Transaction
from stratal.storage import LayerBusy, Lender

SUFFIX = ".memory"


class Memories:
    def __init__(self, hypervisor: Hypervisor, lender: Lender, places: Places) -> None:
        self._hypervisor = hypervisor
        self._lender = lender
        self._places = places

    def file(self, vm_snap_id: int) -> Path:
        return self._places.state / f"{vm_snap_id}{SUFFIX}"

    # -- keeping it ----------------------------------------------------------------------------------

    @contextmanager
    def keeping(
        self, look: Look, wanted: Wanted, machine: Machine, vm_snap_ids: list[int]
    ) -> Generator[Path | None]:
        """Where memory is to be written at an instant; None: nowhere. What came of it is written down."""
        if not vm_snap_ids:
            yield None
            return
        first, *others = vm_snap_ids
        strange = look.read(lambda tx: _devices_of(tx, first)) ^ _devices(machine)
        if strange:
            # it could not be gone on from: a device came or went while something kept the instant waiting
            self._lost(look, wanted, vm_snap_ids, f"its guest has another {min(strange)} by now")
            yield None
            return
        try:
            yield self.file(first)
        except MemoryNotKept as error:
            self._lost(look, wanted, vm_snap_ids, str(error))
            return
        self._kept(look, wanted, first)
        self._lost(look, wanted, others, f"it is that of vm_snap {first}, of the same instant")

    def refuse(self, look: Look, wanted: Wanted, vm_snap_ids: list[int], reason: str) -> None:
        """Let an instant go by without memory."""
        self._lost(look, wanted, vm_snap_ids, reason)

    def settle(self, look: Look, wanted: Wanted, *, still_due: Set[int]) -> None:
        """Of a guest that runs: see to memory whose instant has been, and whose writer was killed then.
        `still_due`: the snapshots of volumes whose instant is to come."""
        if not any(point.memory for point in wanted.points.values()):
            return
        points, point_of = look.read(lambda tx: due_points(tx, wanted.id))
        to_come = {point_of[each] for each in still_due if each in point_of}
        for id in wanted.points.keys() & points.keys() - to_come:
            if points[id].memory:
                self._settle(look, wanted, id)

    def ended(self, look: Look, wanted: Wanted) -> None:
        """Of a guest that has ended: what was not kept until now is lost."""
        if not any(point.memory for point in wanted.points.values()):
            return
        points, _ = look.read(lambda tx: due_points(tx, wanted.id))
        for id in [id for id, point in points.items() if point.memory]:
            look.check()
            if self._hypervisor.memory_bytes(self.file(id)) is None:
                # what was begun of it may be whole or not
                self._hypervisor.forget_memory(self.file(id))
                self._lost(look, wanted, [id], "its guest had ended before")
            else:
                self._kept(look, wanted, id)

    def _settle(self, look: Look, wanted: Wanted, vm_snap_id: int) -> None:
        look.check()
        if self._hypervisor.finish_memory(self.file(vm_snap_id)) is None:
            self._lost(look, wanted, [vm_snap_id], "its disks went on without it")
        else:
            self._kept(look, wanted, vm_snap_id)

    def _kept(self, look: Look, wanted: Wanted, vm_snap_id: int) -> None:
        size = self._hypervisor.memory_bytes(self.file(vm_snap_id))
        kept = Memory(state=MemoryState.KEPT, size_byte=size or 0)
        look.write(lambda tx: memories.note(tx, vm_snap_id, kept))

    def _lost(self, look: Look, wanted: Wanted, vm_snap_ids: Iterable[int], reason: str) -> None:
        def write(transaction: Transaction) -> None:
            for id in vm_snap_ids:
                memories.note(transaction, id, Memory(state=MemoryState.LOST, problem=reason))
                _tell(
                    transaction,
                    wanted,
                    "vm_snap_memory_lost",
                    f"vm_snap {id} of {wanted.spec.name} has no memory: {reason}",
                )

        look.write(write)

    # -- going on from it ----------------------------------------------------------------------------

    def to_resume(self, look: Look, wanted: Wanted) -> Path | None:
        """The memory that the guest goes on from, before it starts and after its disks were lent.

        None: it boots. That it does too where it went on already, wrote, and ended: then its disks are
        further than its memory.
        """
        id = wanted.resume
        if id is None:
            return None
        disks = {disk.spec.bs_volume_id: disk for disk in wanted.disks if disk.spec.deletion_begin is None}
        kept = look.read(lambda tx: kept_disks(tx, id))
        if disks.keys() == kept.keys() and all(
            self._lender.holds(look, volume_id, bs_snap_id) for volume_id, bs_snap_id in kept.items()
        ):
            return self.file(id)
        message = (
            f"{wanted.spec.name} boots: its disks are not those any more that vm_snap {id} has memory for"
        )
        look.write(lambda tx: _tell(tx, wanted, "virtual_machine_memory_passed_over", message))
        return None

    def left_behind(self, look: Look, wanted: Wanted, machine: Machine) -> bool:
        """Whether a guest that runs is not the one that went on from memory, but the one of before that."""
        id = wanted.resume
        if id is None:
            return False
        kept = look.read(lambda tx: kept_disks(tx, id))
        for disk in wanted.disks:
            if disk.spec.bs_volume_id in kept:
                state = machine.disks.get(wanted.disk_targets[disk.id])
                if state is None or not state.chain:
                    return True
                try:
                    self._lender.due(look, disk.spec.bs_volume_id, address_of(state.chain[0]))
                except LayerBusy:
                    return True
        return False

    # -- removing it ---------------------------------------------------------------------------------

    def drop(self, look: Look, wanted: Wanted) -> None:
        """Remove the memory of snapshots that are being deleted."""
        for id in wanted.dropped:
            look.check()
            self._hypervisor.forget_memory(self.file(id))
            look.write(lambda tx, id=id: memories.note(tx, id, Memory(state=MemoryState.GONE)))


def _devices_of(transaction: Transaction, vm_snap_id: int) -> set[str]:
    """What the guest had, as its snapshot says: disks and drives by their places, NICs by their addresses."""
    then = shape.of_snapshot(transaction, vm_snap_id)
    blocks = (*then.disks, *then.cd_roms)
    return {*(each.target for each in blocks), *(nic.mac_address for nic in then.nics)}


def _devices(machine: Machine) -> set[str]:
    return {*machine.disks, *machine.cd_roms, *machine.nics}


def _tell(transaction: Transaction, wanted: Wanted, event: str, message: str) -> None:
    record_event(
        transaction,
        event,
        level=Level.WARNING,
        message=message,
        resource_type="virtual_machine",
        resource_id=wanted.id,
        resource_name=wanted.spec.name,
        project_id=wanted.spec.project_id,
    )
