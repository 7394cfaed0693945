"""The declaration of the clean-up jobs of disks. Called by the service and the faces.

A job is the visible half of a removal: of the disk in the guest, on one node. It does nothing itself.
"""

from typing import Annotated

import msgspec

from stratal.compute.jobs import CleanupReason, CleanupStatus
from stratal.kernel.fields import TenantSpec
from stratal.kernel.kind import Kind, Reference


class VmDiskCleanupJobSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is to be removed, and why."""

    vm_disk_id: Annotated[int, msgspec.Meta(description="What is being removed.")]
    vm_id: Annotated[int, msgspec.Meta(description="The virtual machine.")]
    node_id: Annotated[int, msgspec.Meta(description="The node where it is to be removed.")]
    reason: CleanupReason


class VmDiskCleanupJobStatus(CleanupStatus, kw_only=True, omit_defaults=True):
    """How far the removal is."""


VM_DISK_CLEANUP_JOB = Kind(
    name="vm_disk_cleanup_job",
    plural="vm-disk-cleanup-jobs",
    type_name="VmDiskCleanupJob",
    spec=VmDiskCleanupJobSpec,
    status=VmDiskCleanupJobStatus,
    references=(
        Reference(field="vm_id", kind="virtual_machine", weak=True),
        Reference(field="vm_disk_id", kind="vm_disk", weak=True),
    ),
)
