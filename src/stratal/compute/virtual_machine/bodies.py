"""What clients say of virtual machines. Called by the service and the faces."""

from typing import Annotated

import msgspec

from stratal.compute.domain import CpuMode, Firmware
from stratal.compute.virtual_machine.model import (
    AuthEnabled,
    Bios,
    BootDevice,
    BootOrder,
    CoreNum,
    CpuModel,
    CpuNum,
    HaEnabled,
    MemoryMb,
    Mode,
    NodeId,
    OsReleaseId,
    Power,
    SocketNum,
    SpiceEnabled,
    ThreadNum,
    TimeZone,
    WantedPower,
)
from stratal.compute.vm_cd_rom.model import NewCdRom
from stratal.compute.vm_disk.model import NewDisk
from stratal.compute.vm_nic.model import NewNic
from stratal.kernel.fields import NO_NUL, ActionSpec, CreateSpec, Id, UpdateSpec

ClearPassword = Annotated[
    str,
    msgspec.Meta(
        max_length=1024,
        description="What consoles ask for: up to 8 printable ASCII characters, all that VNC looks at."
        " In clear: only for a connection that is encrypted.",
    ),
]
EncryptedPassword = Annotated[
    str,
    msgspec.Meta(
        max_length=2048, description="Base64 of the password encrypted with the public key `rsa_key_id`."
    ),
]
RsaKeyId = Annotated[str, msgspec.Meta(max_length=64, pattern=NO_NUL, description="From POST /rsa-keys/.")]
SnapshotId = Annotated[Id, msgspec.Meta(description="A snapshot of a virtual machine.")]
Force = Annotated[
    bool, msgspec.Meta(description="Without asking the guest, as if the plug was pulled or reset pressed.")
]


def _default_boot_order() -> list[BootDevice]:
    return [BootDevice.DISK, BootDevice.CDROM, BootDevice.NETWORK]


class VirtualMachineCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new virtual machine. What is left out of its topology follows from the rest."""

    bios: Bios = Firmware.BIOS
    boot_device_order: BootOrder = msgspec.field(default_factory=_default_boot_order)
    socket_num: SocketNum | msgspec.UnsetType = msgspec.UNSET
    core_num_per_socket: CoreNum | msgspec.UnsetType = msgspec.UNSET
    thread_num_per_core: ThreadNum | msgspec.UnsetType = msgspec.UNSET
    cpu_num: CpuNum | msgspec.UnsetType = msgspec.UNSET
    cpu_mode: Mode = CpuMode.HOST_MODEL
    cpu_model: CpuModel | None = None
    memory_mb: MemoryMb
    ha_enabled: HaEnabled = False
    graphics_auth_enabled: AuthEnabled = False
    graphics_spice_enabled: SpiceEnabled = False
    graphics_password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_graphics_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET
    power_state: Power = WantedPower.STOPPED
    time_zone: TimeZone = "utc"
    node_id: NodeId | None = None
    os_release_id: OsReleaseId | None = None
    vm_disks: Annotated[list[NewDisk], msgspec.Meta(max_length=32)] = msgspec.field(
        default_factory=list[NewDisk]
    )
    vm_nics: Annotated[list[NewNic], msgspec.Meta(max_length=16)] = msgspec.field(
        default_factory=list[NewNic]
    )
    vm_cd_roms: Annotated[list[NewCdRom], msgspec.Meta(max_length=4)] = msgspec.field(
        default_factory=list[NewCdRom]
    )


class VirtualMachineUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change. What a running guest cannot follow takes effect when it boots next."""

    boot_device_order: BootOrder | msgspec.UnsetType = msgspec.UNSET
    socket_num: SocketNum | msgspec.UnsetType = msgspec.UNSET
    core_num_per_socket: CoreNum | msgspec.UnsetType = msgspec.UNSET
    thread_num_per_core: ThreadNum | msgspec.UnsetType = msgspec.UNSET
    cpu_num: CpuNum | msgspec.UnsetType = msgspec.UNSET
    cpu_mode: Mode | msgspec.UnsetType = msgspec.UNSET
    cpu_model: CpuModel | msgspec.UnsetType | None = msgspec.UNSET
    memory_mb: MemoryMb | msgspec.UnsetType = msgspec.UNSET
    ha_enabled: HaEnabled | msgspec.UnsetType = msgspec.UNSET
    graphics_auth_enabled: AuthEnabled | msgspec.UnsetType = msgspec.UNSET
    graphics_spice_enabled: SpiceEnabled | msgspec.UnsetType = msgspec.UNSET
    graphics_password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_graphics_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET
    time_zone: TimeZone | msgspec.UnsetType = msgspec.UNSET


class VirtualMachineClone(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a machine that starts as a snapshot is, or as another machine is now."""

    vm_snap_id: SnapshotId | msgspec.UnsetType = msgspec.UNSET
    vm_id: Annotated[Id, msgspec.Meta(description="A virtual machine.")] | msgspec.UnsetType = msgspec.UNSET
    flatten: Annotated[bool, msgspec.Meta(description="Whether to copy, so that nothing stays shared.")] = (
        False
    )
    power_state: Power = WantedPower.STOPPED


class VirtualMachineStart(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Where it is to run, if that matters."""

    node_id: NodeId | msgspec.UnsetType = msgspec.UNSET


class VirtualMachineStop(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """How it is to stop."""

    force: Force = False


class VirtualMachineReboot(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """How it is to reboot."""

    force: Force = False


class VirtualMachineMigrate(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Where it is to go."""

    node_id: NodeId | msgspec.UnsetType = msgspec.UNSET


class VirtualMachineFlatten(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Nothing is needed."""


class VirtualMachineRollback(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Where a machine goes back to."""

    vm_snap_id: SnapshotId
    memory: Annotated[
        bool | None,
        msgspec.Meta(
            description="Whether the guest goes on from the snapshot's memory, also while it runs, or is left"
            " stopped. It goes on where there is memory, unless this says otherwise."
        ),
    ] = None


class VerifyGraphicsPassword(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """A password, in clear or encrypted."""

    password: ClearPassword | msgspec.UnsetType = msgspec.UNSET
    encrypted_password: EncryptedPassword | msgspec.UnsetType = msgspec.UNSET
    rsa_key_id: RsaKeyId | msgspec.UnsetType = msgspec.UNSET
