"""What a machine is to be: the input of hypervisor drivers. Built by the reconcilers of compute."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NewType

MachineId = NewType("MachineId", str)
"""A UUID in its canonical text form, chosen by the caller; the guest sees it as its system's UUID."""


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


class CpuMode(StrEnum):
    """What processor the guest sees. Where the machine is emulated (TCG), the first two mean all that the
    emulator has."""

    HOST_PASSTHROUGH = "host-passthrough"
    HOST_MODEL = "host-model"
    #: the model that the definition names
    CUSTOM = "custom"


class Bus(StrEnum):
    VIRTIO = "virtio"
    SCSI = "scsi"
    SATA = "sata"
    #: only on an i440FX board, which a machine with any IDE device gets in place of Q35
    IDE = "ide"


class CacheMode(StrEnum):
    NONE = "none"
    WRITEBACK = "writeback"
    WRITETHROUGH = "writethrough"


class NicModel(StrEnum):
    VIRTIO = "virtio"
    E1000 = "e1000"
    E1000E = "e1000e"
    RTL8139 = "rtl8139"


@dataclass(frozen=True, kw_only=True, slots=True)
class CephCluster:
    """How QEMU reaches a Ceph cluster."""

    #: ceph.conf
    conf: Path
    #: the part of `client.<user>`
    user: str
    #: the file that holds the user's key, which is never written anywhere else; None where the cluster asks
    #: for no key
    keyring: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileImage:
    """One file of a backing chain."""

    #: absolute
    path: Path
    #: qcow2 or raw; always stated, never probed
    format: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RbdImage:
    """An image of a Ceph pool. What it was cloned from is the cluster's affair."""

    cluster: CephCluster = field(compare=False)
    pool: str
    namespace: str = ""
    image: str
    #: read this snapshot of it
    snapshot: str | None = None


Image = FileImage | RbdImage

Chain = tuple[Image, ...]
"""A whole backing chain, the layer that is written to first, the root last. Empty: no medium."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of reads and writes together; None is no limit."""

    iops: int | None = None
    bytes_per_second: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    #: the name of the slot: vda (virtio), sda (scsi, sata), hda (ide); unique in the machine
    target: str
    bus: Bus
    chain: Chain
    #: what the guest reads as the disk's serial number
    serial: str | None = None
    read_only: bool = False
    cache: CacheMode = CacheMode.NONE
    limits: Limits = Limits()
    #: position in the order of boot devices, from 1, unique in the machine; None: not booted from
    boot_order: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CdRom:
    #: as `Disk.target`, of the bus scsi, sata or ide
    target: str
    bus: Bus
    medium: Chain = ()
    boot_order: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Nic:
    #: lower case, with colons; unique in the machine
    mac: str
    #: an existing tap device, made for this NIC and left alone when the machine ends
    tap: str
    model: NicModel = NicModel.VIRTIO
    #: pairs of queues; more than one need a tap made for several
    queues: int = 1
    link_up: bool = True
    mtu: int | None = None
    boot_order: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Graphics:
    """Consoles; ports are chosen at each start, see `GraphicsPorts`."""

    vnc: bool = True
    spice: bool = False
    #: asked by all of them; at most 8 characters count for VNC. None: no password
    password: str | None = field(default=None, repr=False)
    listen: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """A virtio serial port between a program in the guest and a socket of the host."""

    #: what the guest finds under /dev/virtio-ports
    name: str
    #: of the Unix socket that the hypervisor listens at
    socket: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectBoot:
    """Boot a kernel of the host's files instead of what the disks hold."""

    kernel: Path
    initramfs: Path | None = None
    command_line: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuTopology:
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1

    @property
    def count(self) -> int:
        return self.sockets * self.cores_per_socket * self.threads_per_core


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineDefinition:
    """All of a machine. What is wrong with one, `rules.check` says; every driver asks it."""

    machine: MachineId
    #: for people who look at the hypervisor itself; need not be unique
    name: str
    memory_bytes: int
    cpu: CpuTopology = CpuTopology()
    cpu_mode: CpuMode = CpuMode.HOST_PASSTHROUGH
    #: for `CpuMode.CUSTOM`, by the name that libvirt has for it
    cpu_model: str | None = None
    firmware: Firmware = Firmware.BIOS
    #: where UEFI keeps its variables: made from a template at the first start, gone with `remove`
    nvram: Path | None = None
    #: what the hardware clock shows: utc, localtime or the name of a time zone (Europe/Vienna)
    clock: str = "utc"
    disks: tuple[Disk, ...] = ()
    cd_roms: tuple[CdRom, ...] = ()
    nics: tuple[Nic, ...] = ()
    graphics: Graphics = Graphics()
    #: a channel for the QEMU guest agent
    agent: bool = True
    channels: tuple[Channel, ...] = ()
    #: what the guest writes to its first serial port is appended here
    console_log: Path | None = None
    direct_boot: DirectBoot | None = None
