"""The declaration of snapshots of virtual machines. Called by the service, the reconciler and the faces.

The reference documents this kind to the letter: nine fields of metadata, 27 of the spec, eight of the
status. What else is to be known of a snapshot stands in private columns.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.compute.domain import CpuMode, Firmware
from stratal.compute.virtual_machine.model import WantedPower
from stratal.kernel.fields import (
    CreateSpec,
    Id,
    Status,
    StringSlice,
    TenantSpec,
    UpdateSpec,
    count_field,
    list_field,
)
from stratal.kernel.kind import Kind, Reference

MachineId = Annotated[Id, msgspec.Meta(description="The virtual machine.")]


class VmSnapSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a snapshot, and what its machine was to be at that moment."""

    vm_id: MachineId
    vm_name: Annotated[str, msgspec.Meta(description="The machine's name then.")]
    vm_description: Annotated[str, msgspec.Meta(description="The machine's description then.")]
    bios: Firmware
    boot_device_order: StringSlice
    core_num_per_socket: int
    cpu_mode: CpuMode
    cpu_num: int
    graphics_auth_enabled: bool
    graphics_spice_enabled: bool
    ha_enabled: bool
    memory_mb: int
    power_state: WantedPower
    socket_num: int
    thread_num_per_core: int
    time_zone: str


class VmSnapPrivate(msgspec.Struct, kw_only=True):
    """What no answer shows."""

    #: the guest's file systems are to be frozen around the moment
    quiesce: bool = False
    #: the addresses that the guest had
    vm_ip_addresses: list[str] = msgspec.field(default_factory=list[str])
    #: the model of the processor that the guest saw, where its mode was custom
    cpu_model: str | None = None


class VmSnapStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a snapshot."""

    cloned_vm_num: Annotated[
        int, msgspec.Meta(description="Machines that were cloned from it and not flattened.")
    ] = count_field()
    ip_addresses: Annotated[list[str], msgspec.Meta(description="The addresses that the guest had.")] = (
        list_field()
    )
    vm_id: Annotated[int | None, msgspec.Meta(description="The machine, once all its disks are kept.")] = None


class VmSnapCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new snapshot."""

    vm_id: MachineId
    quiesce: Annotated[
        bool, msgspec.Meta(description="Freeze the guest's file systems around it, through its agent.")
    ] = False
    memory: Annotated[
        bool,
        msgspec.Meta(
            description="Keep the memory of the running guest too, so that it can go on from this instant."
        ),
    ] = False


class MemoryShown(StrEnum):
    """What became of the memory that a snapshot was to keep."""

    NONE = "none"
    PENDING = "pending"
    KEPT = "kept"
    LOST = "lost"
    GONE = "gone"


class VmSnapMemory(msgspec.Struct, kw_only=True):
    """The memory in a snapshot, which its own representation has no field for."""

    state: Annotated[
        MemoryShown,
        msgspec.Meta(
            description="What became of it: none was asked for; pending; kept; lost, as problem says;"
            " gone with its snapshot."
        ),
    ]
    size_byte: Annotated[int, msgspec.Meta(description="Bytes that it takes.")] = 0
    problem: Annotated[str | None, msgspec.Meta(description="Why it could not be kept.")] = None


class VmSnapUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a snapshot: its name and its description."""


VM_SNAP = Kind(
    name="vm_snap",
    plural="vm-snaps",
    type_name="VmSnap",
    spec=VmSnapSpec,
    status=VmSnapStatus,
    private=VmSnapPrivate,
    # weak: a machine takes its snapshots with it
    references=(Reference(field="vm_id", kind="virtual_machine", weak=True),),
)

FROZEN = (
    "bios",
    "boot_device_order",
    "core_num_per_socket",
    "cpu_mode",
    "cpu_num",
    "graphics_auth_enabled",
    "graphics_spice_enabled",
    "ha_enabled",
    "memory_mb",
    "power_state",
    "socket_num",
    "thread_num_per_core",
    "time_zone",
)
"""What of a machine's spec a snapshot keeps, by the same names."""
