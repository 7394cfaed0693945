"""What no definition of a machine may hold. Called by every hypervisor driver before it acts.

Users never see these errors when services check their bodies well: they guard XML, paths and names against
whatever slipped through.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from stratal.compute.domain.definition import (
    Bus,
    CdRom,
    Chain,
    CpuMode,
    Disk,
    FileImage,
    Limits,
    MachineDefinition,
    Nic,
    RbdImage,
)
from stratal.kernel.errors import Invalid

_PREFIXES = {Bus.VIRTIO: "vd", Bus.SCSI: "sd", Bus.SATA: "sd", Bus.IDE: "hd"}
_IDE_TARGETS = frozenset({"hda", "hdb", "hdc", "hdd"})
_TARGET = re.compile(r"(?:vd|sd|hd)[a-z]{1,2}")
_MAC = re.compile(r"[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_CHANNEL = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_WORD = re.compile(r"[A-Za-z0-9_.:+-]{1,128}")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_RBD_PART = re.compile(r"[^/@\x00-\x1f\x7f]{1,200}")
_FORMATS = frozenset({"qcow2", "raw"})
_MOST_SOCKET_BYTES = 107  # sun_path


def check(definition: MachineDefinition) -> None:
    """Raise Invalid, naming the field, unless a hypervisor may get the definition."""
    check_machine(definition.machine)
    text("name", definition.name)
    _require(1 <= len(definition.name) <= 255, "name", "must have 1 to 255 characters")
    _require(definition.memory_bytes >= 2**20, "memory_bytes", "must be at least a MiB")
    _require(definition.memory_bytes % 2**20 == 0, "memory_bytes", "must be whole MiB")
    cpu = definition.cpu
    _require(
        min(cpu.sockets, cpu.cores_per_socket, cpu.threads_per_core) >= 1, "cpu", "no part of it may be 0"
    )
    _require(cpu.count <= 255, "cpu", "at most 255 CPUs are possible")
    if definition.cpu_mode is CpuMode.CUSTOM:
        _require(
            definition.cpu_model is not None and bool(_WORD.fullmatch(definition.cpu_model)),
            "cpu_model",
            "must name a model, as cpu_mode is custom",
        )
    _require(bool(_ZONE.fullmatch(definition.clock)), "clock", "must be utc, localtime or a time zone's name")
    if definition.nvram is not None:
        path("nvram", definition.nvram)
    if definition.console_log is not None:
        path("console_log", definition.console_log)
    if definition.direct_boot is not None:
        path("direct_boot.kernel", definition.direct_boot.kernel)
        if definition.direct_boot.initramfs is not None:
            path("direct_boot.initramfs", definition.direct_boot.initramfs)
        text("direct_boot.command_line", definition.direct_boot.command_line)
    check_password(definition.graphics.password)
    for channel in definition.channels:
        _require(bool(_CHANNEL.fullmatch(channel.name)), "channels", "the name must be a plain word")
        check_socket("channels", channel.socket)
    for disk in definition.disks:
        check_disk(disk)
    for cd_rom in definition.cd_roms:
        check_cd_rom(cd_rom)
    for nic in definition.nics:
        check_nic(nic)
    devices = [*definition.disks, *definition.cd_roms]
    _differ("disks", "target", (each.target for each in devices))
    _differ("nics", "mac", (each.mac for each in definition.nics))
    _differ("channels", "name", (each.name for each in definition.channels))
    bootable = [*devices, *definition.nics]
    _differ("disks", "boot_order", (each.boot_order for each in bootable if each.boot_order is not None))


def check_machine(machine: str) -> None:
    """Raise Invalid unless it is a UUID in its canonical form."""
    try:
        canonical = str(UUID(machine)) == machine
    except ValueError:
        canonical = False
    _require(canonical, "machine", "must be a UUID in lower case")


def check_disk(disk: Disk) -> None:
    where = f"disks.{disk.target}"
    _target(where, disk.target, disk.bus)
    _require(bool(disk.chain), where, "needs a chain")
    check_chain(where, disk.chain)
    if disk.serial is not None:
        # 20 bytes are what virtio and SATA have for it.
        _require(
            bool(re.fullmatch(r"[A-Za-z0-9_.-]{1,36}", disk.serial)), where, "the serial is no plain word"
        )
    _require(disk.boot_order is None or disk.boot_order >= 1, where, "boot_order starts at 1")
    check_limits(where, disk.limits)


def check_limits(where: str, limits: Limits) -> None:
    for limit in (limits.iops, limits.bytes_per_second):
        _require(limit is None or 1 <= limit < 2**60, where, "a limit must be positive")


def check_cd_rom(cd_rom: CdRom) -> None:
    where = f"cd_roms.{cd_rom.target}"
    _require(cd_rom.bus is not Bus.VIRTIO, where, "there are no virtio CD-ROM drives")
    _target(where, cd_rom.target, cd_rom.bus)
    check_chain(where, cd_rom.medium)
    _require(cd_rom.boot_order is None or cd_rom.boot_order >= 1, where, "boot_order starts at 1")


def check_nic(nic: Nic) -> None:
    where = f"nics.{nic.mac}"
    _require(bool(_MAC.fullmatch(nic.mac)), "nics", "the MAC address must be a unicast one in lower case")
    _require(bool(_DEVICE.fullmatch(nic.tap)), where, "the tap must be a device's name")
    _require(1 <= nic.queues <= 256, where, "must have 1 to 256 queues")
    _require(nic.mtu is None or 68 <= nic.mtu <= 65535, where, "the MTU is out of range")
    _require(nic.boot_order is None or nic.boot_order >= 1, where, "boot_order starts at 1")


def check_chain(where: str, chain: Chain) -> None:
    for image in chain:
        if isinstance(image, FileImage):
            path(where, image.path)
            _require(image.format in _FORMATS, where, "the format must be qcow2 or raw")
        else:
            _check_rbd(where, image)
    for image in chain[:-1]:
        _require(
            isinstance(image, FileImage) and image.format == "qcow2", where, "only qcow2 files have a backing"
        )


def check_password(password: str | None) -> None:
    if password is not None:
        text("graphics.password", password)
        _require(1 <= len(password) <= 64, "graphics.password", "must have 1 to 64 characters")


def check_socket(where: str, socket: Path) -> None:
    path(where, socket)
    _require(len(bytes(socket)) <= _MOST_SOCKET_BYTES, where, "a socket's path has at most 107 bytes")


def path(where: str, value: Path) -> None:
    text(where, str(value))
    _require(value.is_absolute() and ".." not in value.parts, where, "must be an absolute path")


def text(where: str, value: str) -> None:
    """Raise Invalid where XML could not hold the text, or a line of a log would be broken by it."""
    good = value.isprintable() and all(not 0xD800 <= ord(each) <= 0xDFFF for each in value)
    _require(good, where, "holds characters that can't be printed")


def _check_rbd(where: str, image: RbdImage) -> None:
    path(where, image.cluster.conf)
    if image.cluster.keyring is not None:
        path(where, image.cluster.keyring)
    _require(bool(_WORD.fullmatch(image.cluster.user)), where, "the Ceph user must be a plain word")
    for part in (image.pool, image.namespace or "x", image.image, image.snapshot or "x"):
        # libvirt parts options of rbd at colons and the like; what Stratal makes holds none of these.
        good = bool(_RBD_PART.fullmatch(part)) and not set(part) & set(':=;\\"')
        _require(good, where, "holds a name that an RBD image can't have")


def _target(where: str, target: str, bus: Bus) -> None:
    good = bool(_TARGET.fullmatch(target)) and target.startswith(_PREFIXES[bus])
    _require(good, where, f"must be named like {_PREFIXES[bus]}a on the bus {bus}")
    _require(bus is not Bus.IDE or target in _IDE_TARGETS, where, "there are four places on the bus ide")


def _differ(field: str, what: str, values: Iterable[object]) -> None:
    seen = list(values)
    _require(len(set(seen)) == len(seen), field, f"two have the same {what}")


def _require(good: bool, field: str, reason: str) -> None:
    if not good:
        raise Invalid(field=field, reason=reason)
