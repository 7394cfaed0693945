"""The declaration of the clean-up jobs of virtual machines. Called by the service and the faces.

A job is the visible half of a removal: of the domain, its console and its definition, on one node. It does
nothing itself.
"""

from typing import Annotated

import msgspec

from stratal.compute.jobs import CleanupReason, CleanupStatus
from stratal.kernel.fields import TenantSpec
from stratal.kernel.kind import Kind, Reference


class VmCleanupJobSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is to be removed, and why."""

    vm_id: Annotated[int, msgspec.Meta(description="The virtual machine that is being removed.")]
    node_id: Annotated[int, msgspec.Meta(description="The node where it is to be removed.")]
    reason: CleanupReason


class VmCleanupJobStatus(CleanupStatus, kw_only=True, omit_defaults=True):
    """How far the removal is."""


VM_CLEANUP_JOB = Kind(
    name="vm_cleanup_job",
    plural="vm-cleanup-jobs",
    type_name="VmCleanupJob",
    spec=VmCleanupJobSpec,
    status=VmCleanupJobStatus,
    references=(Reference(field="vm_id", kind="virtual_machine", weak=True),),
)
