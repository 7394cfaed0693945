"""Devices that come, go and change while a machine runs. Part of `driver`."""

from collections.abc import Callable
from typing import Any

from stratal.compute.domain import (
    Bus,
    CdRom,
    Chain,
    Disk,
    DiskState,
    Limits,
    MachineId,
    Nic,
    altering,
    rules,
    writing,
)
from stratal.compute.domain.definition import RbdImage
from stratal.compute.drivers.errors import (
    CannotPlug,
    ChainDiffers,
    DeviceExists,
    DeviceNotFound,
    JobFailed,
    MachineBusy,
)
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import Found, patient
from stratal.compute.drivers.libvirt.jobs import Jobs
from stratal.kernel.effects import Effect
from stratal.kernel.errors import Invalid, StratalError

_ATTACH = Effect("libvirt.attach")
_DETACH = Effect("libvirt.detach")
_MEDIUM = Effect("libvirt.medium")
_LINK = Effect("libvirt.link")
_LIMITS = Effect("libvirt.limits")
_RESIZE = Effect("libvirt.resize")
_PASSWORD = Effect("libvirt.password")

_UNPLUGGING = "already in the process of unplug"


class Devices(Jobs):
    @patient
    def attach_disk(self, machine: MachineId, disk: Disk) -> None:
        rules.check_disk(disk)
        found = self.live(machine)
        present = found.domain.disks.get(disk.target)
        if disk.target in found.domain.cd_roms or (present and present.chain[:1] != disk.chain[:1]):
            raise DeviceExists(machine=machine, device=disk.target)
        if present is None:
            _must_plug(machine, disk.target, disk.bus)
            self._give_keys_of(machine, disk.chain)
            self._attach(machine, disk.target, writing.disk(disk))

    @patient
    def detach_disk(self, machine: MachineId, target: str) -> None:
        found = self.live(machine)
        if target in found.domain.disks:
            self._detach(found, target)

    @patient
    def attach_nic(self, machine: MachineId, nic: Nic) -> None:
        rules.check_nic(nic)
        present = self.live(machine).domain.nics.get(nic.mac)
        if present is not None and present.tap != nic.tap:
            raise DeviceExists(machine=machine, device=nic.mac)
        if present is None:
            self._attach(machine, nic.mac, writing.nic(nic))

    @patient
    def detach_nic(self, machine: MachineId, mac: str) -> None:
        found = self.live(machine)
        if mac in found.domain.nics:
            self._detach(found, mac)

    @patient
    def attach_cd_rom(self, machine: MachineId, cd_rom: CdRom) -> None:
        rules.check_cd_rom(cd_rom)
        found = self.live(machine)
        present = found.domain.cd_roms.get(cd_rom.target)
        if cd_rom.target in found.domain.disks or (present and present.medium[:1] != cd_rom.medium[:1]):
            raise DeviceExists(machine=machine, device=cd_rom.target)
        if present is None:
            _must_plug(machine, cd_rom.target, cd_rom.bus)
            self._give_keys_of(machine, cd_rom.medium)
            self._attach(machine, cd_rom.target, writing.cd_rom(cd_rom))

    @patient
    def detach_cd_rom(self, machine: MachineId, target: str) -> None:
        found = self.live(machine)
        if target in found.domain.cd_roms:
            self._detach(found, target)

    @patient
    def change_medium(self, machine: MachineId, target: str, medium: Chain) -> None:
        rules.check_chain(f"cd_roms.{target}", medium)
        found = self.live(machine)
        present = found.domain.cd_roms.get(target)
        # The bus of the drive stays what it is, whatever is said here.
        xml = altering.with_medium(found.xml, CdRom(target=target, bus=Bus.SATA, medium=medium))
        if present is None or xml is None:
            raise DeviceNotFound(machine=machine, device=target)
        if present.medium == medium:
            return
        self._give_keys_of(machine, medium)
        # Forced: the guest may have locked the tray.
        flags = binding.module().VIR_DOMAIN_AFFECT_LIVE | binding.module().VIR_DOMAIN_DEVICE_MODIFY_FORCE
        with _MEDIUM:
            self.ask(
                machine,
                "changing a medium",
                lambda handle: handle.updateDeviceFlags(xml, flags),
                refused=lambda reason: ChainDiffers(machine=machine, device=target, reason=reason),
            )

    @patient
    def set_link(self, machine: MachineId, mac: str, *, up: bool) -> None:
        found = self.live(machine)
        present = found.domain.nics.get(mac)
        xml = altering.relinked(found.xml, mac, up=up)
        if present is None or xml is None:
            raise DeviceNotFound(machine=machine, device=mac)
        if present.link_up is not up:
            with _LINK:
                self._update(machine, mac, xml)

    @patient
    def set_limits(self, machine: MachineId, target: str, limits: Limits) -> None:
        rules.check_limits(f"disks.{target}", limits)
        if _disk(self.live(machine), target).limits == limits:
            return
        tune = {"total_bytes_sec": limits.bytes_per_second or 0, "total_iops_sec": limits.iops or 0}
        flags = binding.module().VIR_DOMAIN_AFFECT_LIVE
        with _LIMITS:
            self.ask(
                machine,
                "limiting a disk",
                lambda handle: handle.setBlockIoTune(target, tune, flags),
                refused=_busy(machine),
            )

    @patient
    def resize_disk(self, machine: MachineId, target: str, *, size_bytes: int) -> None:
        _disk(self.live(machine), target)
        with self.without_jobs(machine):
            present = self.ask(
                machine, "measuring a disk", lambda handle: int(handle.blockInfo(target, 0)[0])
            )
        if present == size_bytes:
            return
        if size_bytes < present:
            raise Invalid(field="size_bytes", reason=f"disk {target} has {present} bytes and can't shrink")
        flags = binding.module().VIR_DOMAIN_BLOCK_RESIZE_BYTES
        with _RESIZE:
            self.ask(
                machine,
                "growing a disk",
                lambda handle: handle.blockResize(target, size_bytes, flags),
                refused=lambda reason: JobFailed(
                    job="the growth", machine=machine, device=target, reason=reason
                ),
            )

    @patient
    def set_graphics_password(self, machine: MachineId, password: str) -> None:
        rules.check_password(password)
        self.live(machine)
        libvirt = binding.module()

        def change(handle: Any) -> None:
            # Read and written in one request: the present password is in it.
            for xml in altering.with_password(handle.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE), password):
                handle.updateDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

        with _PASSWORD:
            self.ask(
                machine,
                "changing the password of the consoles",
                change,
                refused=lambda reason: CannotPlug(machine=machine, device="graphics", reason=reason),
            )

    # What verbs share.

    def _give_keys_of(self, machine: MachineId, chain: Chain) -> None:
        for image in chain:
            if isinstance(image, RbdImage):
                self.give_key(machine, image.cluster)

    def _attach(self, machine: MachineId, device: str, xml: str) -> None:
        flags = binding.module().VIR_DOMAIN_AFFECT_LIVE
        with _ATTACH:
            self.ask(
                machine,
                "attaching a device",
                lambda handle: handle.attachDeviceFlags(xml, flags),
                refused=lambda reason: CannotPlug(machine=machine, device=device, reason=reason),
            )

    def _detach(self, found: Found, device: str) -> None:
        alias = found.domain.aliases[device]
        libvirt = binding.module()

        def detach(handle: Any) -> None:
            try:
                handle.detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)
            except Exception as error:
                gone = binding.code_of(error) == libvirt.VIR_ERR_DEVICE_MISSING
                if not gone and _UNPLUGGING not in binding.message_of(error):
                    raise

        with _DETACH:
            self.ask(
                found.machine,
                "detaching a device",
                detach,
                refused=lambda reason: CannotPlug(machine=found.machine, device=device, reason=reason),
            )

    def _update(self, machine: MachineId, device: str, xml: str) -> None:
        flags = binding.module().VIR_DOMAIN_AFFECT_LIVE
        self.ask(
            machine,
            "changing a device",
            lambda handle: handle.updateDeviceFlags(xml, flags),
            refused=lambda reason: CannotPlug(machine=machine, device=device, reason=reason),
        )


def _disk(found: Found, target: str) -> DiskState:
    disk = found.domain.disks.get(target)
    if disk is None:
        raise DeviceNotFound(machine=found.machine, device=target)
    return disk


def _must_plug(machine: MachineId, device: str, bus: Bus) -> None:
    if bus in (Bus.SATA, Bus.IDE):
        raise CannotPlug(machine=machine, device=device, reason=f"nothing is plugged in or out on {bus}")


def _busy(machine: MachineId) -> Callable[[str], StratalError]:
    return lambda reason: MachineBusy(machine=machine, reason=reason)
