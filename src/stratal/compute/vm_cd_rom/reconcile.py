"""Says what became of a CD-ROM drive. Called by the reconcile engine."""

import msgspec

from stratal.compute.part_reconcile import PartReconciler
from stratal.compute.parts import Part, PartKind
from stratal.compute.vm_cd_rom.model import VM_CD_ROM, VmCdRomSpec, VmCdRomStatus
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

CdRom = Resource[VmCdRomSpec, VmCdRomStatus]


class VmCdRomReconciler(PartReconciler[VmCdRomSpec, VmCdRomStatus]):
    def __init__(self) -> None:
        super().__init__(VM_CD_ROM, PartKind.CD_ROM)

    def vm_id(self, resource: CdRom) -> int:
        return resource.spec.vm_id

    def observe(self, transaction: Transaction, resource: CdRom, part: Part) -> tuple[VmCdRomStatus, bool]:
        status = msgspec.structs.replace(
            resource.status, device=part.device, inserted=part.inserted, problem=part.problem
        )
        return status, True
