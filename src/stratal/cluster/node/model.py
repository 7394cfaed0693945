"""The declaration of nodes. Called by the service, the reconciler and the faces."""

from datetime import datetime
from typing import Annotated

import msgspec

from stratal.kernel.fields import Id, Spec, Status, UpdateSpec
from stratal.kernel.kind import Kind, Reference

Address = Annotated[str, msgspec.Meta(max_length=45, description="An IPv4 or IPv6 address.")]
RoleSddcAdmin = Annotated[bool, msgspec.Meta(description="Runs the control plane.")]
RoleSddcServer = Annotated[bool, msgspec.Meta(description="Runs virtual machines.")]
RoleSdsAdmin = Annotated[bool, msgspec.Meta(description="Manages the storage cluster.")]
RoleSdsMonitor = Annotated[bool, msgspec.Meta(description="Runs a monitor of the storage cluster.")]
RoleSdsServer = Annotated[bool, msgspec.Meta(description="Holds disks of the storage cluster.")]
Maintained = Annotated[bool, msgspec.Meta(description="In maintenance: nothing new is placed here.")]
Unrecoverable = Annotated[
    bool, msgspec.Meta(description="Declared lost by an operator, so that it can be removed without itself.")
]


ChassisId = Annotated[Id, msgspec.Meta(description="The chassis that the node is in.")]


class NodeSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a node."""

    admin_ip: Annotated[str, msgspec.Meta(description="Management address.")]
    storage_public_ip: Annotated[
        str | None, msgspec.Meta(description="Address in the front network of storage.")
    ] = None
    storage_private_ip: Annotated[
        str | None, msgspec.Meta(description="Address in the back network of storage.")
    ] = None
    role_sddc_admin: RoleSddcAdmin
    role_sddc_server: RoleSddcServer
    role_sds_admin: RoleSdsAdmin
    role_sds_monitor: RoleSdsMonitor
    role_sds_server: RoleSdsServer
    chassis_id: ChassisId | None = None
    maintained: Maintained
    unrecoverable: Unrecoverable


class NodeRegistration(msgspec.Struct, kw_only=True):
    """How a process knows its node again, even after somebody gave the node another name."""

    registered_as: str | None = None


class NodeStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a node, by the process that runs on it."""

    up: Annotated[bool, msgspec.Meta(description="Whether its process reports.")] = msgspec.field(
        default_factory=bool
    )
    hostname: str | None = None
    system_uuid: Annotated[
        str | None, msgspec.Meta(description="UUID of the machine, as its firmware tells.")
    ] = None
    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    arch: Annotated[str | None, msgspec.Meta(description="Such as x86_64 or aarch64.")] = None
    cpu_model: str | None = None
    cpu_num: Annotated[int | None, msgspec.Meta(description="Logical CPUs.")] = None
    physical_cpu_num: Annotated[int | None, msgspec.Meta(description="Sockets.")] = None
    memory_mb: Annotated[int | None, msgspec.Meta(description="Memory in MiB.")] = None
    boot_at: datetime | None = None
    iommu_enabled: bool | None = None
    numa_enabled: Annotated[
        bool | None, msgspec.Meta(description="Whether there is more than one NUMA node.")
    ] = None
    sds_host_id: Annotated[int | None, msgspec.Meta(description="Its id in the storage cluster.")] = None
    sds_placement_node_id: Annotated[
        int | None, msgspec.Meta(description="Its CRUSH bucket in the storage cluster.")
    ] = None
    vm_num: Annotated[int | None, msgspec.Meta(description="Virtual machines that run here.")] = None
    allocated_cpu_num: Annotated[int | None, msgspec.Meta(description="CPUs promised to them.")] = None
    allocated_memory_mb: Annotated[
        int | None, msgspec.Meta(description="Memory promised to them, in MiB.")
    ] = None


class NodeUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a node."""

    chassis_id: ChassisId | msgspec.UnsetType | None = msgspec.UNSET
    storage_public_ip: Address | msgspec.UnsetType | None = msgspec.UNSET
    storage_private_ip: Address | msgspec.UnsetType | None = msgspec.UNSET
    role_sddc_admin: RoleSddcAdmin | msgspec.UnsetType = msgspec.UNSET
    role_sddc_server: RoleSddcServer | msgspec.UnsetType = msgspec.UNSET
    role_sds_admin: RoleSdsAdmin | msgspec.UnsetType = msgspec.UNSET
    role_sds_monitor: RoleSdsMonitor | msgspec.UnsetType = msgspec.UNSET
    role_sds_server: RoleSdsServer | msgspec.UnsetType = msgspec.UNSET
    maintained: Maintained | msgspec.UnsetType = msgspec.UNSET
    unrecoverable: Unrecoverable | msgspec.UnsetType = msgspec.UNSET


NODE = Kind(
    name="node",
    plural="nodes",
    type_name="Node",
    spec=NodeSpec,
    status=NodeStatus,
    private=NodeRegistration,
    references=(Reference(field="chassis_id", kind="chassis"),),
    unique=(("name",),),
    indexes=(("admin_ip",),),
)
