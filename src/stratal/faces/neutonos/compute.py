"""The endpoints of virtual machines, with those that are not made from a service's declaration."""

import asyncio
from http import HTTPStatus

from stratal.compute import Compute, VerifyGraphicsPassword, VirtualMachineClone, VmSnapMemory
from stratal.faces.neutonos.endpoint import Answer, Call, Endpoint, reading, writing
from stratal.faces.neutonos.resources import resource
from stratal.faces.neutonos.wire import item, item_type
from stratal.kernel.errors import Invalid
from stratal.kernel.transaction import Transaction

MACHINES = "Virtual machines"
SNAPSHOTS = "Snapshots of virtual machines"


class WrongPassword(Invalid):
    """What was given is not what the consoles ask for, or cannot be read."""

    code = "wrong_password"


def compute_endpoints(compute: Compute) -> list[Endpoint]:
    machines, jobs, snaps = compute.virtual_machines, compute.jobs, compute.vm_snaps
    kind = machines.kind

    def clone(transaction: Transaction, call: Call) -> Answer:
        return item(machines.clone(transaction, call.access, call.body))

    def memory(transaction: Transaction, call: Call) -> Answer:
        return snaps.memory_of(transaction, call.access, call.id)

    async def verify(call: Call) -> Answer:
        if not await asyncio.to_thread(machines.verify_password, call.access, call.id, call.body):
            raise WrongPassword(
                field="spec.password", reason="is not what the consoles of the machine ask for"
            )

    return [
        *resource(machines, MACHINES),
        Endpoint(
            method="POST",
            path="/virtual-machines/:clone",
            resource_type=kind.name,
            profile=kind.profile,
            verb="clone",
            summary="Create a virtual machine that starts as a snapshot or another one is",
            tag=MACHINES,
            body=VirtualMachineClone,
            answer=item_type(kind),
            status=HTTPStatus.ACCEPTED,
            run=writing(clone),
        ),
        Endpoint(
            method="POST",
            path="/virtual-machines/{id}/:verify-gpasswd",
            resource_type=kind.name,
            profile=kind.profile,
            verb="verify-gpasswd",
            summary="Check the password that the consoles of a virtual machine ask for",
            tag=MACHINES,
            body=VerifyGraphicsPassword,
            answer=None,
            run=verify,
        ),
        *resource(compute.vm_disks, MACHINES),
        *resource(compute.vm_nics, MACHINES),
        *resource(compute.vm_cd_roms, MACHINES),
        *resource(compute.vm_scheduling_rules, MACHINES),
        *resource(jobs.machines, MACHINES),
        *resource(jobs.disks, MACHINES),
        *resource(jobs.nics, MACHINES),
        *resource(jobs.migrations, MACHINES),
        *resource(snaps, SNAPSHOTS),
        Endpoint(
            method="GET",
            path="/vm-snaps/{id}/memory",
            resource_type=snaps.kind.name,
            profile=snaps.kind.profile,
            verb="show",
            summary="Show what became of the memory that a snapshot was to keep, and what it takes",
            tag=SNAPSHOTS,
            answer=VmSnapMemory,
            run=reading(memory),
        ),
        *resource(snaps.disks, SNAPSHOTS),
        *resource(snaps.nics, SNAPSHOTS),
        *resource(snaps.cd_roms, SNAPSHOTS),
    ]
