"""The declaration of the clean-up jobs of network interfaces. Called by the service and the faces.

A job is the visible half of a removal: of the tap device and what hangs on it, on one node. It does nothing
itself.
"""

from typing import Annotated

import msgspec

from stratal.compute.jobs import CleanupReason, CleanupStatus
from stratal.kernel.fields import TenantSpec
from stratal.kernel.kind import Kind, Reference


class VmNicCleanupJobSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is to be removed, and why."""

    vm_nic_id: Annotated[int, msgspec.Meta(description="What is being removed.")]
    vm_id: Annotated[int, msgspec.Meta(description="The virtual machine.")]
    node_id: Annotated[int, msgspec.Meta(description="The node where it is to be removed.")]
    reason: CleanupReason


class VmNicCleanupJobStatus(CleanupStatus, kw_only=True, omit_defaults=True):
    """How far the removal is."""


VM_NIC_CLEANUP_JOB = Kind(
    name="vm_nic_cleanup_job",
    plural="vm-nic-cleanup-jobs",
    type_name="VmNicCleanupJob",
    spec=VmNicCleanupJobSpec,
    status=VmNicCleanupJobStatus,
    references=(
        Reference(field="vm_id", kind="virtual_machine", weak=True),
        Reference(field="vm_nic_id", kind="vm_nic", weak=True),
    ),
)
