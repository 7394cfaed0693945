"""Says what became of a network interface. Called by the reconcile engine."""

import msgspec

from stratal.compute.part_reconcile import PartReconciler
from stratal.compute.parts import Part, PartKind
from stratal.compute.vm_nic.model import VM_NIC, VmNicSpec, VmNicStatus
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

Nic = Resource[VmNicSpec, VmNicStatus]


class VmNicReconciler(PartReconciler[VmNicSpec, VmNicStatus]):
    def __init__(self) -> None:
        super().__init__(VM_NIC, PartKind.NIC)

    def vm_id(self, resource: Nic) -> int:
        return resource.spec.vm_id

    def observe(self, transaction: Transaction, resource: Nic, part: Part) -> tuple[VmNicStatus, bool]:
        status = msgspec.structs.replace(
            resource.status,
            device=part.device,
            bridge_id=part.bridge_id,
            ip_addresses=list(part.ip_addresses),
            link_up=part.link_up,
            problem=part.problem,
        )
        return status, True
