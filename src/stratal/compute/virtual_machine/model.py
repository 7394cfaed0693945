"""The declaration of virtual machines. Called by the service, the reconciler and the faces.

What a running guest was booted with stands in the status under the name that it has in the spec: a field
that was changed since is `irreconcilable` until the next boot.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

import msgspec

from stratal.compute.domain import AgentState, CpuMode, Firmware, PowerState
from stratal.kernel.fields import Id, Status, StringSlice, TenantSpec, count_field, list_field
from stratal.kernel.kind import Kind, Reference

MOST_CPUS: Final = 255
LEAST_MEMORY_MB: Final = 16
MOST_MEMORY_MB: Final = 16 * 2**20
"""16 TiB."""


class WantedPower(StrEnum):
    """What a machine can be asked to be."""

    RUNNING = "running"
    STOPPED = "stopped"


class BootDevice(StrEnum):
    """What a guest boots from."""

    DISK = "disk"
    CDROM = "cdrom"
    NETWORK = "network"


Cpus = Annotated[int, msgspec.Meta(ge=1, le=MOST_CPUS)]
Bios = Annotated[Firmware, msgspec.Meta(description="The firmware.")]
BootOrder = Annotated[
    list[BootDevice],
    msgspec.Meta(min_length=1, max_length=3, description="What is tried first stands first."),
]
SocketNum = Annotated[Cpus, msgspec.Meta(description="Processor sockets.")]
CoreNum = Annotated[Cpus, msgspec.Meta(description="Cores in each socket.")]
ThreadNum = Annotated[Cpus, msgspec.Meta(description="Threads of each core.")]
CpuNum = Annotated[Cpus, msgspec.Meta(description="Processors in all: sockets times cores times threads.")]
Mode = Annotated[CpuMode, msgspec.Meta(description="What processor the guest sees.")]
CpuModel = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$(?!\n)",
        description="The model of the processor, for the mode custom: such as Nehalem or EPYC.",
    ),
]
MemoryMb = Annotated[int, msgspec.Meta(ge=LEAST_MEMORY_MB, le=MOST_MEMORY_MB, description="Memory in MiB.")]
HaEnabled = Annotated[
    bool, msgspec.Meta(description="Whether it is started on another node when its own one fails.")
]
AuthEnabled = Annotated[bool, msgspec.Meta(description="Whether the console asks for a password.")]
SpiceEnabled = Annotated[bool, msgspec.Meta(description="Whether there is SPICE beside VNC.")]
Power = Annotated[WantedPower, msgspec.Meta(description="Whether it is to run.")]
TimeZone = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        description="What the guest's clock shows: utc, localtime, or the name of a time zone.",
    ),
]
NodeId = Annotated[Id, msgspec.Meta(description="The node that it is to run on.")]
OsReleaseId = Annotated[Id, msgspec.Meta(description="The guest's operating system.")]


class VirtualMachineSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a virtual machine."""

    bios: Bios
    boot_device_order: StringSlice
    socket_num: SocketNum
    core_num_per_socket: CoreNum
    thread_num_per_core: ThreadNum
    cpu_num: CpuNum
    cpu_mode: Mode
    cpu_model: CpuModel | None = None
    memory_mb: MemoryMb
    ha_enabled: HaEnabled
    graphics_auth_enabled: AuthEnabled
    graphics_spice_enabled: SpiceEnabled
    power_state: Power
    time_zone: TimeZone
    node_id: NodeId | None = None
    os_release_id: OsReleaseId | None = None
    vm_snap_id: Annotated[
        int | None, msgspec.Meta(description="The snapshot that it was cloned from, which may be gone.")
    ] = None
    flattened: Annotated[bool, msgspec.Meta(description="Whether its disks share nothing with others.")]
    reboot_num: Annotated[int, msgspec.Meta(description="How often it was to be rebooted.")]
    rollback_vm_snap_id: Annotated[
        int | None, msgspec.Meta(description="The snapshot that it was rolled back to last.")
    ] = None
    rollback_num: Annotated[int, msgspec.Meta(description="How often it was to be rolled back.")]


class VirtualMachinePrivate(msgspec.Struct, kw_only=True):
    """What no answer shows."""

    #: what the consoles ask for; empty: nothing was set
    graphics_password: str = ""
    #: counts the changes of the password, so that the reconciler can tell whether QEMU has the newest
    graphics_password_num: int = 0
    #: the stop that is wanted pulls the plug at once
    stop_forced: bool = False
    #: the reboot that is wanted presses reset
    reboot_forced: bool = False
    #: the snapshot whose memory the rollback that is wanted ends with; None: it ends with a stopped machine
    resume_vm_snap_id: int | None = None


class VirtualMachineStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a virtual machine."""

    #: a machine that may run anywhere runs somewhere
    not_compared: ClassVar[frozenset[str]] = frozenset({"node_id"})

    power_state: Annotated[PowerState, msgspec.Meta(description="Whether it runs.")] = msgspec.field(
        default_factory=lambda: PowerState.STOPPED
    )
    node_id: Annotated[int | None, msgspec.Meta(description="The node that it runs on.")] = None
    ip_addresses: Annotated[
        list[str], msgspec.Meta(description="The guest's addresses, as its agent or network tells.")
    ] = list_field()
    uuid: Annotated[str | None, msgspec.Meta(description="Its UUID, which the guest sees too.")] = None
    graphics_port: Annotated[int | None, msgspec.Meta(description="TCP port of VNC.")] = None
    spice_port: Annotated[int | None, msgspec.Meta(description="TCP port of SPICE.")] = None
    guest_agent_state: AgentState | None = None
    accelerator: Annotated[
        str | None, msgspec.Meta(description="kvm, or tcg where the processor is emulated.")
    ] = None
    # what the running guest was booted with, or what the next boot will take
    bios: Firmware | None = None
    boot_device_order: list[str] = list_field()
    socket_num: int = count_field()
    core_num_per_socket: int = count_field()
    thread_num_per_core: int = count_field()
    cpu_num: int = count_field()
    cpu_mode: CpuMode | None = None
    cpu_model: str | None = None
    memory_mb: int = count_field()
    graphics_auth_enabled: bool = msgspec.field(default_factory=bool)
    graphics_spice_enabled: bool = msgspec.field(default_factory=bool)
    time_zone: str | None = None
    flattened: Annotated[
        bool, msgspec.Meta(description="Whether the flattening that is wanted was done.")
    ] = msgspec.field(default_factory=bool)
    reboot_num: Annotated[int, msgspec.Meta(description="How often it was rebooted.")] = count_field()
    rollback_num: Annotated[int, msgspec.Meta(description="How often it was rolled back.")] = count_field()
    vm_disk_num: int = count_field()
    vm_nic_num: int = count_field()
    vm_cd_rom_num: int = count_field()
    vm_snap_num: int = count_field()
    problem: Annotated[str | None, msgspec.Meta(description="What keeps it from being as it shall.")] = None


VIRTUAL_MACHINE = Kind(
    name="virtual_machine",
    plural="virtual-machines",
    type_name="VirtualMachine",
    spec=VirtualMachineSpec,
    status=VirtualMachineStatus,
    private=VirtualMachinePrivate,
    references=(
        Reference(field="node_id", kind="node"),
        Reference(field="os_release_id", kind="os_release", weak=True),
        Reference(field="vm_snap_id", kind="vm_snap", weak=True),
    ),
)
