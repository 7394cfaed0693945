"""When a snapshot can keep the memory of its machine. Called by the service.

What a guest goes on from has the devices that it had then: so they must all be there, and none on its way.
"""

from typing import Any

from stratal.compute import children, parts
from stratal.compute.domain import PowerState
from stratal.compute.guests.noting import BOOTED
from stratal.compute.machines import Machine
from stratal.compute.parts import PartKind
from stratal.compute.virtual_machine.model import WantedPower
from stratal.compute.vm_snap.model import VmSnapCreate
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.transaction import Transaction

_ALIVE = (PowerState.RUNNING, PowerState.PAUSED)


def check(transaction: Transaction, machine: Machine, body: VmSnapCreate) -> None:
    """Raises Invalid or Conflict where the memory of a machine cannot be kept now."""
    if body.quiesce:
        raise Invalid(field="spec.memory", reason="is of no use of a guest that is frozen: leave quiesce out")
    this = f"virtual_machine {machine.id}"
    if machine.spec.power_state is not WantedPower.RUNNING or machine.status.power_state not in _ALIVE:
        raise Conflict(reason=f"{this} must run for its memory to be kept")
    if machine.spec.rollback_num != machine.status.rollback_num:
        raise Conflict(reason=f"{this} is being rolled back: wait until it has been")
    disks = children.disks(transaction, machine.id)
    if not disks:
        raise Conflict(reason=f"{this} has no disk: a snapshot keeps memory beside disks")
    seen = parts.all_of(transaction, machine.id)
    devices: list[tuple[PartKind, Any]] = [
        *((PartKind.DISK, disk) for disk in disks),
        *((PartKind.NIC, nic) for nic in children.nics(transaction, machine.id)),
        *((PartKind.CD_ROM, drive) for drive in children.cd_roms(transaction, machine.id)),
    ]
    for kind, device in devices:
        part = seen.get((kind, device.id))
        if device.spec.deletion_begin is not None:
            raise Conflict(reason=f"{kind} {device.id} is on its way out of {this}: wait until it is gone")
        if part is None or not part.attached:
            raise Conflict(reason=f"{kind} {device.id} is not in the guest of {this}, or not yet")


def hardware(machine: Machine) -> dict[str, Any]:
    """What a running guest was booted with, which is what it goes on with: what was changed since waits."""
    return {name: getattr(machine.status, name) for name in BOOTED}
