"""The services of clean-up and migration jobs. Called by faces, and by the services whose requests make jobs.

A job says where something is still to be removed. Where nothing was ever put, there is no job.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from stratal.compute.jobs import CleanupReason, CleanupStage
from stratal.compute.machines import Machine
from stratal.compute.vm_cleanup_job.model import VM_CLEANUP_JOB, VmCleanupJobSpec, VmCleanupJobStatus
from stratal.compute.vm_disk_cleanup_job.model import (
    VM_DISK_CLEANUP_JOB,
    VmDiskCleanupJobSpec,
    VmDiskCleanupJobStatus,
)
from stratal.compute.vm_migration_job.model import (
    VM_MIGRATION_JOB,
    MigrationStage,
    VmMigrationJobSpec,
    VmMigrationJobStatus,
)
from stratal.compute.vm_nic_cleanup_job.model import (
    VM_NIC_CLEANUP_JOB,
    VmNicCleanupJobSpec,
    VmNicCleanupJobStatus,
)
from stratal.kernel.derived import DerivedService
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.transaction import Transaction

KEPT: Final = timedelta(days=1)
"""How long a job can be looked at after its end."""

_BATCH: Final = 500

ThisNode = Callable[[Transaction], int | None]
"""The id of the node that this process runs on."""


class Jobs:
    """The jobs of machines and their parts."""

    def __init__(self, catalogue: Catalogue, this_node: ThisNode) -> None:
        self._this_node = this_node
        self.machines: DerivedService[VmCleanupJobSpec, VmCleanupJobStatus] = DerivedService(
            VM_CLEANUP_JOB, catalogue
        )
        self.disks: DerivedService[VmDiskCleanupJobSpec, VmDiskCleanupJobStatus] = DerivedService(
            VM_DISK_CLEANUP_JOB, catalogue
        )
        self.nics: DerivedService[VmNicCleanupJobSpec, VmNicCleanupJobStatus] = DerivedService(
            VM_NIC_CLEANUP_JOB, catalogue
        )
        self.migrations: DerivedService[VmMigrationJobSpec, VmMigrationJobStatus] = DerivedService(
            VM_MIGRATION_JOB, catalogue
        )

    def clean_up_machine(self, transaction: Transaction, machine: Machine) -> None:
        """A job for what is to be removed of a machine that is being deleted."""
        self._clean_up(transaction, self.machines, machine, machine.spec.name, CleanupReason.DELETE)

    def clean_up_disk(
        self, transaction: Transaction, machine: Machine, id: int, name: str, reason: CleanupReason
    ) -> None:
        """A job for what is to be removed of a disk."""
        self._clean_up(transaction, self.disks, machine, name, reason, vm_disk_id=id)

    def clean_up_nic(
        self, transaction: Transaction, machine: Machine, id: int, name: str, reason: CleanupReason
    ) -> None:
        """A job for what is to be removed of a network interface."""
        self._clean_up(transaction, self.nics, machine, name, reason, vm_nic_id=id)

    def forget_finished(self, transaction: Transaction) -> int:
        """Begin to remove jobs that ended long ago, so many at a time. Returns how many."""
        count = 0
        for service, ended in (
            (self.machines, (CleanupStage.FINISHED, CleanupStage.FAILED)),
            (self.disks, (CleanupStage.FINISHED, CleanupStage.FAILED)),
            (self.nics, (CleanupStage.FINISHED, CleanupStage.FAILED)),
            (
                self.migrations,
                (MigrationStage.FINISHED, MigrationStage.FAILED, MigrationStage.CANCELLED),
            ),
        ):
            kind: AnyKind = service.kind
            spec, status = kind.tables.spec.c, kind.tables.status.c
            old = service.store.find(
                transaction,
                spec.deletion_begin.is_(None),
                status.stage.in_(ended),
                status.finished_at < transaction.now - KEPT,
                labels=False,
            )
            for job in old[: _BATCH - count]:
                service.drop(transaction, job.id)
                count += 1
        return count

    def _clean_up(
        self,
        transaction: Transaction,
        service: DerivedService[VmCleanupJobSpec, VmCleanupJobStatus]
        | DerivedService[VmDiskCleanupJobSpec, VmDiskCleanupJobStatus]
        | DerivedService[VmNicCleanupJobSpec, VmNicCleanupJobStatus],
        machine: Machine,
        name: str,
        reason: CleanupReason,
        **more: int,
    ) -> None:
        node_id = machine.status.node_id or self._this_node(transaction)
        if node_id is None:
            return
        service.add(
            transaction,
            {
                "name": name,
                "project_id": machine.spec.project_id,
                "vm_id": machine.id,
                "node_id": node_id,
                "reason": reason,
                **more,
            },
        )
