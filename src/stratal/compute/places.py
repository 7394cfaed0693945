"""Which places in a guest are taken, and finding one for a new disk or CD-ROM drive.

Called by the services of both. The caller holds the lock of the machine.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from stratal.compute.vm_cd_rom.model import VM_CD_ROM
from stratal.compute.vm_disk.model import VM_DISK
from stratal.compute.vm_disk.targets import MOST_CD_ROMS, MOST_DISKS, MOST_ON_BUS, first_free
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.kind import AnyKind
from stratal.kernel.transaction import Transaction


@dataclass(frozen=True, kw_only=True)
class DevicePlaces:
    """The places of a machine: bus and target of each device, by its id; also of what is being deleted."""

    vm_id: int
    disks: Mapping[int, tuple[str, str]]
    cd_roms: Mapping[int, tuple[str, str]]

    def free(self, bus: str, *, wish: str = "", leaving: Collection[int] = ()) -> str:
        """A free place on this bus; `wish` where that is free. `leaving` names disks that give theirs up.

        Raises Invalid when the bus is full.
        """
        devices = [place for id, place in self.disks.items() if id not in leaving]
        devices += self.cd_roms.values()
        if sum(on == bus for on, _ in devices) >= MOST_ON_BUS.get(bus, MOST_DISKS + MOST_CD_ROMS):
            raise Invalid(
                field="spec.bus",
                reason=f"bus {bus} of virtual_machine {self.vm_id} has room for {MOST_ON_BUS[bus]} devices",
            )
        taken = {target for _, target in devices}
        return wish if wish and wish not in taken else first_free(bus, taken)

    def check_room_for_disk(self) -> None:
        """Raises Conflict when the machine has as many disks as it can have."""
        if len(self.disks) >= MOST_DISKS:
            raise Conflict(
                reason=f"virtual_machine {self.vm_id} has {MOST_DISKS} disks, which is as many as go"
            )

    def check_room_for_cd_rom(self) -> None:
        """Raises Conflict when the machine has as many CD-ROM drives as it can have."""
        if len(self.cd_roms) >= MOST_CD_ROMS:
            raise Conflict(
                reason=f"virtual_machine {self.vm_id} has {MOST_CD_ROMS} drives, which is as many as go"
            )


def places_of(transaction: Transaction, vm_id: int) -> DevicePlaces:
    """The places of a machine as they are now."""
    return DevicePlaces(
        vm_id=vm_id,
        disks=_places(transaction, VM_DISK, vm_id),
        cd_roms=_places(transaction, VM_CD_ROM, vm_id),
    )


def _places(transaction: Transaction, kind: AnyKind, vm_id: int) -> dict[int, tuple[str, str]]:
    columns = kind.tables.spec.c
    statement = select(columns.id, columns.bus, columns.target).where(
        columns.vm_id == vm_id, columns.deleted_at.is_(None)
    )
    return {row.id: (row.bus, row.target) for row in transaction.execute(statement)}
