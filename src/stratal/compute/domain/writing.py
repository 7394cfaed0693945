"""Writes the XML of libvirt's domains. Called by the libvirt driver; pure, and held by golden files.

The format: https://libvirt.org/formatdomain.html, as of libvirt 9.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

from stratal.compute.domain.definition import (
    Bus,
    CdRom,
    CephCluster,
    Chain,
    CpuMode,
    Disk,
    FileImage,
    Firmware,
    Graphics,
    Image,
    Limits,
    MachineDefinition,
    Nic,
)

Element = ElementTree.Element
_child = ElementTree.SubElement

NAMESPACE = "urn:stratal:machine:1"
"""Of the element in a domain's metadata that says that a Stratal made it, and which."""
HOLD_NAMESPACE = "urn:stratal:hold:1"
"""Of the element that says that a domain stands still for a point in time."""

SPARE_PORTS = 12
"""Free PCI Express ports of a Q35 board: so many virtio disks and NICs can be plugged in later."""

_VNC_PASSWORD_CHARACTERS = 8  # what its protocol's DES key takes; libvirt refuses more

ElementTree.register_namespace("stratal", NAMESPACE)
ElementTree.register_namespace("hold", HOLD_NAMESPACE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What the host brings to every machine."""

    kvm: bool
    #: the installation that machines are marked with
    owner: str
    #: OVMF's code, and the template of its variables
    uefi_code: Path | None = None
    uefi_variables: Path | None = None
    #: where sockets of guest agents go, if not where libvirt puts them, which may be too long a path
    sockets: Path | None = None


def domain(definition: MachineDefinition, platform: Platform) -> str:
    """The whole machine. It holds the password of its consoles."""
    root = Element("domain", type="kvm" if platform.kvm else "qemu")
    _text(root, "name", f"stratal-{definition.machine}")
    _text(root, "uuid", definition.machine)
    _text(root, "title", definition.name)
    mark = _child(_child(root, "metadata"), f"{{{NAMESPACE}}}machine")
    mark.set("owner", platform.owner)
    _text(root, "memory", str(definition.memory_bytes // 1024), unit="KiB")
    _text(root, "vcpu", str(definition.cpu.count))
    _operating_system(root, definition, platform)
    features = _child(root, "features")
    _child(features, "acpi")
    _child(features, "apic")
    _cpu(root, definition, platform)
    _clock(root, definition.clock)
    _text(root, "on_poweroff", "destroy")
    _text(root, "on_reboot", "restart")
    _text(root, "on_crash", "destroy")
    devices = _child(root, "devices")
    _controllers(devices, definition)
    for each in definition.disks:
        devices.append(_disk(each))
    for each in definition.cd_roms:
        devices.append(_cd_rom(each))
    for each in definition.nics:
        devices.append(_nic(each))
    _ports(devices, definition, platform)
    for each in graphics(definition.graphics):
        devices.append(each)
    video = _child(devices, "video")
    shown = definition.graphics.vnc or definition.graphics.spice
    _child(video, "model", type="vga" if shown else "none")
    if shown:
        _child(devices, "input", type="tablet", bus="usb")
    random = _child(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    _child(devices, "panic", model="isa")
    _child(devices, "memballoon", model="none")
    return text(root)


def disk(each: Disk) -> str:
    return text(_disk(each))


def cd_rom(each: CdRom) -> str:
    return text(_cd_rom(each))


def nic(each: Nic) -> str:
    return text(_nic(each))


def graphics(each: Graphics) -> Sequence[Element]:
    """The elements of the consoles, which hold the password."""
    found: list[Element] = []
    for kind, wanted in (("vnc", each.vnc), ("spice", each.spice)):
        if wanted:
            element = Element("graphics", type=kind, port="-1", autoport="yes")
            if each.password is not None:
                element.set("passwd", console_password(kind, each.password))
            _child(element, "listen", type="address", address=each.listen)
            found.append(element)
    return found


def console_password(kind: str, password: str) -> str:
    return password[:_VNC_PASSWORD_CHARACTERS] if kind == "vnc" else password


def snapshot(
    overlays: Sequence[tuple[str, FileImage]], memory_file: Path | None, others: Sequence[str]
) -> str:
    """The point in time that puts these overlays on these disks, and none on the `others`."""
    root = Element("domainsnapshot")
    if memory_file is None:
        _child(root, "memory", snapshot="no")
    else:
        _child(root, "memory", snapshot="external", file=str(memory_file))
    disks = _child(root, "disks")
    for target, overlay in overlays:
        element = _child(disks, "disk", name=target, snapshot="external", type="file")
        _child(element, "driver", type=overlay.format)
        _child(element, "source", file=str(overlay.path))
    for target in others:
        _child(disks, "disk", name=target, snapshot="no")
    return text(root)


def ceph_secret(cluster: CephCluster) -> str:
    """The definition of the secret that holds a Ceph user's key: never written to a file, never shown."""
    root = Element("secret", ephemeral="yes", private="yes")
    _text(root, "uuid", ceph_secret_id(cluster))
    usage = _child(root, "usage", type="ceph")
    _text(usage, "name", f"stratal {cluster.conf} {cluster.user}")
    return text(root)


def ceph_secret_id(cluster: CephCluster) -> str:
    return str(uuid5(NAMESPACE_URL, f"stratal:ceph:{cluster.conf}:{cluster.user}"))


def text(element: Element) -> str:
    ElementTree.indent(element)
    return ElementTree.tostring(element, encoding="unicode") + "\n"


def _operating_system(root: Element, definition: MachineDefinition, platform: Platform) -> None:
    system = _child(root, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="pc" if _has_ide(definition) else "q35")
    if definition.firmware is Firmware.UEFI:
        loader = _text(system, "loader", str(platform.uefi_code), readonly="yes", type="pflash")
        loader.set("secure", "no")
        _text(system, "nvram", str(definition.nvram), template=str(platform.uefi_variables))
    if definition.direct_boot is not None:
        _text(system, "kernel", str(definition.direct_boot.kernel))
        if definition.direct_boot.initramfs is not None:
            _text(system, "initrd", str(definition.direct_boot.initramfs))
        _text(system, "cmdline", definition.direct_boot.command_line)


def _cpu(root: Element, definition: MachineDefinition, platform: Platform) -> None:
    topology = definition.cpu
    if definition.cpu_mode is CpuMode.CUSTOM:
        cpu = _child(root, "cpu", mode="custom", match="exact", check="none")
        _text(cpu, "model", definition.cpu_model or "", fallback="forbid")
    elif platform.kvm:
        cpu = _child(root, "cpu", mode=definition.cpu_mode, check="none")
    else:
        cpu = _child(root, "cpu", mode="maximum", check="none")
    _child(
        cpu,
        "topology",
        sockets=str(topology.sockets),
        cores=str(topology.cores_per_socket),
        threads=str(topology.threads_per_core),
    )


def _clock(root: Element, clock: str) -> None:
    if clock in ("utc", "localtime"):
        element = _child(root, "clock", offset=clock)
    else:
        element = _child(root, "clock", offset="timezone", timezone=clock)
    # What libvirt's own tools set for guests in general: late ticks of the clock chip are made up for.
    _child(element, "timer", name="rtc", tickpolicy="catchup")
    _child(element, "timer", name="pit", tickpolicy="delay")
    _child(element, "timer", name="hpet", present="no")


def _controllers(devices: Element, definition: MachineDefinition) -> None:
    if not _has_ide(definition):
        _child(devices, "controller", type="pci", model="pcie-root")
        slots = sum(each.bus is Bus.VIRTIO for each in definition.disks) + len(definition.nics)
        # SCSI, USB, virtio serial and the random number generator take one each.
        for _ in range(slots + 4 + SPARE_PORTS):
            _child(devices, "controller", type="pci", model="pcie-root-port")
    _child(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    _child(devices, "controller", type="usb", index="0", model="qemu-xhci")
    _child(devices, "controller", type="virtio-serial", index="0")


def _has_ide(definition: MachineDefinition) -> bool:
    return any(each.bus is Bus.IDE for each in (*definition.disks, *definition.cd_roms))


def _ports(devices: Element, definition: MachineDefinition, platform: Platform) -> None:
    if definition.console_log is not None:
        serial = _child(devices, "serial", type="file")
        _child(serial, "source", path=str(definition.console_log), append="on")
        _child(serial, "target", port="0")
    if definition.agent:
        agent = _child(devices, "channel", type="unix")
        if platform.sockets is not None:
            path = platform.sockets / f"{definition.machine}.agent"
            _child(agent, "source", mode="bind", path=str(path))
        _child(agent, "target", type="virtio", name="org.qemu.guest_agent.0")
    for each in definition.channels:
        channel = _child(devices, "channel", type="unix")
        _child(channel, "source", mode="bind", path=str(each.socket))
        _child(channel, "target", type="virtio", name=each.name)


def _disk(each: Disk) -> Element:
    element = _block("disk", each.chain)
    driver = element.find("driver")
    assert driver is not None
    driver.set("cache", each.cache)
    driver.set("discard", "unmap")
    # A full or silent place stops the guest, which can go on later, in place of ruining its file systems.
    driver.set("error_policy", "stop")
    driver.set("rerror_policy", "report")
    _child(element, "target", dev=each.target, bus=each.bus)
    limits(element, each.limits)
    if each.read_only:
        _child(element, "readonly")
    if each.serial is not None:
        _text(element, "serial", each.serial)
    _boot(element, each.boot_order)
    return element


def _cd_rom(each: CdRom) -> Element:
    element = _block("cdrom", each.medium)
    _child(element, "target", dev=each.target, bus=each.bus)
    _child(element, "readonly")
    _boot(element, each.boot_order)
    return element


def _block(device: str, chain: Chain) -> Element:
    """A disk or drive with its whole chain, so that nothing is ever probed."""
    kind = "file" if not chain or isinstance(chain[0], FileImage) else "network"
    element = Element("disk", type=kind, device=device)
    _child(element, "driver", name="qemu", type=_format(chain[0]) if chain else "raw")
    if not chain:
        return element
    _source(element, chain[0])
    at = element
    for image in chain[1:]:
        at = _child(at, "backingStore", type="file" if isinstance(image, FileImage) else "network")
        _child(at, "format", type=_format(image))
        _source(at, image)
    if _format(chain[-1]) != "raw":
        _child(at, "backingStore")
    return element


def _format(image: Image) -> str:
    return image.format if isinstance(image, FileImage) else "raw"


def _source(element: Element, image: Image) -> None:
    if isinstance(image, FileImage):
        _child(element, "source", file=str(image.path))
        return
    path = [image.pool, image.namespace, image.image] if image.namespace else [image.pool, image.image]
    source = _child(element, "source", protocol="rbd", name="/".join(path))
    if image.snapshot is not None:
        _child(source, "snapshot", name=image.snapshot)
    _child(source, "config", file=str(image.cluster.conf))
    if image.cluster.keyring is not None:
        auth = _child(source, "auth", username=image.cluster.user)
        _child(auth, "secret", type="ceph", uuid=ceph_secret_id(image.cluster))


def limits(element: Element, each: Limits) -> None:
    if each.iops is None and each.bytes_per_second is None:
        return
    tune = _child(element, "iotune")
    if each.bytes_per_second is not None:
        _text(tune, "total_bytes_sec", str(each.bytes_per_second))
    if each.iops is not None:
        _text(tune, "total_iops_sec", str(each.iops))


def _nic(each: Nic) -> Element:
    element = Element("interface", type="ethernet")
    _child(element, "mac", address=each.mac)
    _child(element, "target", dev=each.tap, managed="no")
    _child(element, "model", type=each.model)
    if each.queues > 1:
        _child(element, "driver", queues=str(each.queues))
    if each.mtu is not None:
        _child(element, "mtu", size=str(each.mtu))
    _child(element, "link", state="up" if each.link_up else "down")
    _boot(element, each.boot_order)
    return element


def _boot(element: Element, order: int | None) -> None:
    if order is not None:
        _child(element, "boot", order=str(order))


def _text(parent: Element, tag: str, content: str, **attributes: str) -> Element:
    element = _child(parent, tag, attributes)
    element.text = content
    return element
