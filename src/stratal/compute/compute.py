"""The compute domain put together. Called by the composition root and by faces."""

from collections.abc import Callable, Mapping

from stratal.compute.cleanup_reconcile import CleanupReconciler
from stratal.compute.cleanups import Jobs, ThisNode
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.virtual_machine.passwords import Decrypt
from stratal.compute.virtual_machine.service import VirtualMachineService
from stratal.compute.vm_cd_rom.model import VM_CD_ROM
from stratal.compute.vm_cd_rom.reconcile import VmCdRomReconciler
from stratal.compute.vm_cd_rom.service import VmCdRomService
from stratal.compute.vm_cd_rom_snap.model import VM_CD_ROM_SNAP
from stratal.compute.vm_cleanup_job.model import VM_CLEANUP_JOB
from stratal.compute.vm_disk.model import VM_DISK
from stratal.compute.vm_disk.reconcile import VmDiskReconciler
from stratal.compute.vm_disk.service import VmDiskService
from stratal.compute.vm_disk.volumes import DiskVolumes
from stratal.compute.vm_disk_cleanup_job.model import VM_DISK_CLEANUP_JOB
from stratal.compute.vm_disk_snap.model import VM_DISK_SNAP
from stratal.compute.vm_disk_snap.reconcile import VmDiskSnapReconciler
from stratal.compute.vm_migration_job.model import VM_MIGRATION_JOB
from stratal.compute.vm_nic.model import VM_NIC
from stratal.compute.vm_nic.reconcile import VmNicReconciler
from stratal.compute.vm_nic.service import CheckAddress, VmNicService
from stratal.compute.vm_nic_cleanup_job.model import VM_NIC_CLEANUP_JOB
from stratal.compute.vm_nic_snap.model import VM_NIC_SNAP
from stratal.compute.vm_scheduling_rule.model import VM_SCHEDULING_RULE
from stratal.compute.vm_scheduling_rule.reconcile import VmSchedulingRuleReconciler
from stratal.compute.vm_scheduling_rule.service import VmSchedulingRuleService
from stratal.compute.vm_snap.model import VM_SNAP
from stratal.compute.vm_snap.reconcile import VmSnapReconciler
from stratal.compute.vm_snap.service import VmSnapService
from stratal.kernel.database import Database
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.reconcile import AnyReconciler, RecordReconciler
from stratal.storage import Storage

KINDS: tuple[AnyKind, ...] = (
    VIRTUAL_MACHINE,
    VM_DISK,
    VM_NIC,
    VM_CD_ROM,
    VM_SNAP,
    VM_DISK_SNAP,
    VM_NIC_SNAP,
    VM_CD_ROM_SNAP,
    VM_SCHEDULING_RULE,
    VM_CLEANUP_JOB,
    VM_DISK_CLEANUP_JOB,
    VM_NIC_CLEANUP_JOB,
    VM_MIGRATION_JOB,
)


class Compute:
    """The services of virtual machines and all that belongs to them, and the reconcilers of all but machines.

    `this_node` tells which node this process runs on, `decrypt` reads what was encrypted with an RSA key,
    `check_address` knows what addresses networks keep for interfaces. The storage that is given answers to
    `use_of`: see there. `reconcilers` wants the one of machines, which needs a hypervisor.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        storage: Storage,
        *,
        this_node: ThisNode,
        decrypt: Decrypt,
        check_address: CheckAddress,
    ) -> None:
        self._database = database
        self._storage = storage
        self.jobs = Jobs(catalogue, this_node)
        self.vm_disks = VmDiskService(catalogue, storage, self.jobs)
        self.vm_nics = VmNicService(catalogue, self.jobs, check_address)
        self.vm_cd_roms = VmCdRomService(catalogue, storage)
        self.vm_snaps = VmSnapService(catalogue, storage)
        self.vm_scheduling_rules = VmSchedulingRuleService(catalogue)
        self.virtual_machines = VirtualMachineService(
            catalogue,
            database,
            disks=self.vm_disks,
            nics=self.vm_nics,
            cd_roms=self.vm_cd_roms,
            snaps=self.vm_snaps,
            volumes=DiskVolumes(storage),
            jobs=self.jobs,
            decrypt=decrypt,
        )

    def reconcilers(self, machines: AnyReconciler) -> list[AnyReconciler]:
        """All reconcilers of compute, with that of machines."""
        return [
            machines,
            VmDiskReconciler(self._storage),
            VmNicReconciler(),
            VmCdRomReconciler(),
            VmSnapReconciler(self._storage),
            VmDiskSnapReconciler(self._storage),
            RecordReconciler(VM_NIC_SNAP),
            RecordReconciler(VM_CD_ROM_SNAP),
            VmSchedulingRuleReconciler(),
            CleanupReconciler(VM_CLEANUP_JOB, VIRTUAL_MACHINE, "vm_id"),
            CleanupReconciler(VM_DISK_CLEANUP_JOB, VM_DISK, "vm_disk_id"),
            CleanupReconciler(VM_NIC_CLEANUP_JOB, VM_NIC, "vm_nic_id"),
            RecordReconciler(VM_MIGRATION_JOB),
        ]

    @property
    def chores(self) -> Mapping[str, Callable[[], object]]:
        """What is to be done now and then."""
        return {
            "forget_finished_vm_jobs": lambda: self._database.write(self.jobs.forget_finished),
        }
