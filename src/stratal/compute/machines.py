"""What the services of parts and snapshots ask of the machine that they belong to."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from stratal.compute.domain import PowerState
from stratal.compute.virtual_machine.model import (
    VIRTUAL_MACHINE,
    VirtualMachineSpec,
    VirtualMachineStatus,
    WantedPower,
)
from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction

Machine = Resource[VirtualMachineSpec, VirtualMachineStatus]

_MACHINES = Store(VIRTUAL_MACHINE)


def machine_for(transaction: Transaction, access: Access, id: int) -> Machine:
    """The machine that something is made for, locked, so that such requests take turns.

    Raises Invalid where the caller can't know of it, Conflict while it is being deleted.
    """
    machine = _MACHINES.get(transaction, id, lock=True, labels=False)
    if machine is None or (access.reach is not Reach.ALL and machine.spec.project_id != access.project_id):
        raise Invalid(field="spec.vm_id", reason=f"there is no virtual_machine {id}")
    if machine.spec.deletion_begin is not None:
        raise Conflict(reason=f"virtual_machine {id} is being deleted")
    return machine


def machine_of(transaction: Transaction, id: int) -> Machine | None:
    """The machine that something belongs to; None where it is gone."""
    return _MACHINES.get(transaction, id, labels=False)


def in_project_of(access: Access, machine: Machine) -> Access:
    """The caller, as one who works in the machine's project: what belongs to a machine belongs there too."""
    return replace(access, project_id=machine.spec.project_id)


def is_stopped(machine: Machine) -> bool:
    """Whether it does not run and is not to run."""
    alive = machine.status.power_state in (PowerState.RUNNING, PowerState.PAUSED)
    return machine.spec.power_state is WantedPower.STOPPED and not alive


def check_stopped(machine: Machine, what: str) -> None:
    """Raises Conflict unless the machine does not run and is not to run."""
    if not is_stopped(machine):
        raise Conflict(reason=f"virtual_machine {machine.id} must be stopped to {what}")


@contextmanager
def within(path: str) -> Generator[None]:
    """Let a refused value be called by its place in the whole body: `spec.x` becomes `<path>.x`."""
    try:
        yield
    except Invalid as error:
        named: Any = error.fields.get("field")
        if type(error) is not Invalid or not isinstance(named, str) or not named.startswith("spec."):
            raise
        raise Invalid(field=f"{path}.{named.removeprefix('spec.')}", reason=error.fields["reason"]) from error
