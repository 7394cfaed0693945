"""The declaration of migration jobs. Called by the service and the faces.

A job is the visible half of a move: what it stands for is the node that its machine is to run on.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec

from stratal.kernel.fields import Status, TenantSpec, count_field
from stratal.kernel.kind import Kind, Reference


class MigrationType(StrEnum):
    LIVE = "live"
    COLD = "cold"
    FAILURE = "failure"


class MigrationStage(StrEnum):
    PENDING = "pending"
    PREPARING = "preparing"
    TRANSFERRING = "transferring"
    SWITCHING = "switching"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class VmMigrationJobSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is to be moved where."""

    vm_id: Annotated[int, msgspec.Meta(description="The virtual machine.")]
    type: MigrationType
    src_node_id: Annotated[int, msgspec.Meta(description="The node that it leaves.")]
    dst_node_id: Annotated[int | None, msgspec.Meta(description="The node that it is to run on.")] = None


class VmMigrationJobStatus(Status, kw_only=True, omit_defaults=True):
    """How far the move is."""

    #: the scheduler may have chosen for whoever did not
    not_compared: ClassVar[frozenset[str]] = frozenset({"dst_node_id"})

    stage: MigrationStage = msgspec.field(default_factory=lambda: MigrationStage.PENDING)
    progress: Annotated[int, msgspec.Meta(description="Percent.")] = count_field()
    dst_node_id: Annotated[int | None, msgspec.Meta(description="The node that was chosen.")] = None
    error_message: Annotated[str | None, msgspec.Meta(description="What keeps it up.")] = None
    finished_at: datetime | None = None


VM_MIGRATION_JOB = Kind(
    name="vm_migration_job",
    plural="vm-migration-jobs",
    type_name="VmMigrationJob",
    spec=VmMigrationJobSpec,
    status=VmMigrationJobStatus,
    references=(Reference(field="vm_id", kind="virtual_machine", weak=True),),
)
