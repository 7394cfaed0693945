"""Finding a place in a guest for a new disk or CD-ROM drive. Called by the services of both.

The caller holds the lock of the machine.
"""

from collections.abc import Collection

from stratal.compute import children
from stratal.compute.vm_disk.targets import MOST_CD_ROMS, MOST_DISKS, MOST_ON_BUS, first_free
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.transaction import Transaction


def place_for(
    transaction: Transaction, vm_id: int, bus: str, *, wish: str = "", leaving: Collection[int] = ()
) -> str:
    """A free place on this bus; `wish` where that is free. `leaving` names a disk that gives its place up.

    Raises Invalid when the bus is full.
    """
    disks = {each.id: each for each in children.disks(transaction, vm_id) if each.id not in leaving}
    drives = children.cd_roms(transaction, vm_id)
    on_bus = sum(each.spec.bus == bus for each in [*disks.values(), *drives])
    if on_bus >= MOST_ON_BUS.get(bus, MOST_DISKS + MOST_CD_ROMS):
        raise Invalid(
            field="spec.bus",
            reason=f"the bus {bus} of virtual_machine {vm_id} has room for {MOST_ON_BUS[bus]} devices",
        )
    targets = children.disk_targets(transaction, vm_id)
    taken = {targets[id] for id in disks} | set(children.cd_rom_targets(transaction, vm_id).values())
    return wish if wish and wish not in taken else first_free(bus, taken)


def check_room_for_disk(transaction: Transaction, vm_id: int) -> None:
    """Raises Conflict when the machine has as many disks as it can have."""
    if len(children.disks(transaction, vm_id)) >= MOST_DISKS:
        raise Conflict(reason=f"virtual_machine {vm_id} has {MOST_DISKS} disks, which is as many as go")


def check_room_for_cd_rom(transaction: Transaction, vm_id: int) -> None:
    """Raises Conflict when the machine has as many CD-ROM drives as it can have."""
    if len(children.cd_roms(transaction, vm_id)) >= MOST_CD_ROMS:
        raise Conflict(
            reason=f"virtual_machine {vm_id} has {MOST_CD_ROMS} CD-ROM drives, which is as many as go"
        )
