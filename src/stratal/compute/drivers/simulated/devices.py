"""Devices of simulated machines that come, go and change. Part of `driver`."""

from dataclasses import replace

from stratal.compute.domain import (
    Bus,
    CdRom,
    Chain,
    Disk,
    Limits,
    MachineId,
    Nic,
    rules,
)
from stratal.compute.drivers.contract import Happening
from stratal.compute.drivers.errors import (
    CannotPlug,
    DeviceExists,
    DeviceNotFound,
)
from stratal.compute.drivers.simulated.access import Access
from stratal.compute.drivers.simulated.world import disk_of
from stratal.kernel.errors import Invalid


class Devices(Access):
    def attach_disk(self, machine: MachineId, disk: Disk) -> None:
        rules.check_disk(disk)
        with self.effect("attach", machine, Happening.DEVICE):
            held = self.live(machine)
            present = held.disks.get(disk.target)
            if disk.target in held.cd_roms or (present and present.chain[0] != disk.chain[0]):
                raise DeviceExists(machine=machine, device=disk.target)
            if present is None:
                _must_plug(machine, disk.target, disk.bus)
                held.disks[disk.target] = disk

    def detach_disk(self, machine: MachineId, target: str) -> None:
        with self.effect("detach", machine, Happening.DEVICE):
            held = self.live(machine)
            disk = held.disks.get(target)
            if disk is None:
                return
            _must_plug(machine, target, disk.bus)
            if self.world.guest_of(machine).gives_devices_back:
                held.disks.pop(target)
                held.jobs.pop(target, None)
                held.sizes.pop(target, None)

    def attach_nic(self, machine: MachineId, nic: Nic) -> None:
        rules.check_nic(nic)
        with self.effect("attach", machine, Happening.DEVICE):
            present = self.live(machine).nics.setdefault(nic.mac, nic)
            if present.tap != nic.tap:
                raise DeviceExists(machine=machine, device=nic.mac)

    def detach_nic(self, machine: MachineId, mac: str) -> None:
        with self.effect("detach", machine, Happening.DEVICE):
            held = self.live(machine)
            if self.world.guest_of(machine).gives_devices_back:
                held.nics.pop(mac, None)

    def attach_cd_rom(self, machine: MachineId, cd_rom: CdRom) -> None:
        rules.check_cd_rom(cd_rom)
        with self.effect("attach", machine, Happening.DEVICE):
            held = self.live(machine)
            present = held.cd_roms.get(cd_rom.target)
            if cd_rom.target in held.disks or (present and present.medium[:1] != cd_rom.medium[:1]):
                raise DeviceExists(machine=machine, device=cd_rom.target)
            if present is None:
                _must_plug(machine, cd_rom.target, cd_rom.bus)
                held.cd_roms[cd_rom.target] = cd_rom

    def detach_cd_rom(self, machine: MachineId, target: str) -> None:
        with self.effect("detach", machine, Happening.DEVICE):
            held = self.live(machine)
            cd_rom = held.cd_roms.get(target)
            if cd_rom is None:
                return
            _must_plug(machine, target, cd_rom.bus)
            if self.world.guest_of(machine).gives_devices_back:
                held.cd_roms.pop(target)

    def change_medium(self, machine: MachineId, target: str, medium: Chain) -> None:
        rules.check_chain(f"cd_roms.{target}", medium)
        with self.effect("change", machine, Happening.DEVICE):
            held = self.live(machine)
            if target not in held.cd_roms:
                raise DeviceNotFound(machine=machine, device=target)
            held.cd_roms[target] = replace(held.cd_roms[target], medium=medium)

    def set_link(self, machine: MachineId, mac: str, *, up: bool) -> None:
        with self.effect("change", machine, Happening.DEVICE):
            held = self.live(machine)
            if mac not in held.nics:
                raise DeviceNotFound(machine=machine, device=mac)
            held.nics[mac] = replace(held.nics[mac], link_up=up)

    def set_limits(self, machine: MachineId, target: str, limits: Limits) -> None:
        with self.effect("change", machine, Happening.DEVICE):
            held = self.live(machine)
            held.disks[target] = replace(disk_of(held, machine, target), limits=limits)

    def resize_disk(self, machine: MachineId, target: str, *, size_bytes: int) -> None:
        with self.effect("change", machine, Happening.DISK):
            held = self.live(machine)
            disk_of(held, machine, target)
            if size_bytes < held.sizes.get(target, 0):
                raise Invalid(field="size_bytes", reason="a disk can't shrink")
            held.sizes[target] = size_bytes

    def set_graphics_password(self, machine: MachineId, password: str) -> None:
        rules.check_password(password)
        with self.effect("change", machine, Happening.DEVICE):
            held = self.live(machine)
            if held.password is None:
                raise CannotPlug(
                    machine=machine, device="graphics", reason="its consoles ask for no password"
                )
            held.password = password


def _must_plug(machine: MachineId, device: str, bus: Bus) -> None:
    if bus in (Bus.SATA, Bus.IDE):
        raise CannotPlug(machine=machine, device=device, reason=f"nothing is plugged in or out on {bus}")
