"""From what is wanted of a machine to what its hypervisor is told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stratal.compute import children
from stratal.compute.domain import (
    Bus,
    CacheMode,
    CdRom,
    Chain,
    Channel,
    CpuMode,
    CpuTopology,
    Disk,
    Firmware,
    Graphics,
    Limits,
    MachineDefinition,
    MachineId,
    Nic,
    NicModel,
)
from stratal.compute.guests.wanted import Wanted
from stratal.network import Port
from stratal.storage import VolumeFacts


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where files of machines go."""

    #: variables of UEFI, and what guests write to their serial ports
    state: Path
    #: the address that consoles listen at
    console_address: str = "127.0.0.1"
    #: ports that every guest has, by name, beside that of its agent
    channels: tuple[str, ...] = ()


def definition(
    wanted: Wanted,
    *,
    chains: Mapping[int, Chain],
    media: Mapping[int, Chain],
    ports: Mapping[int, Port],
    places: Places,
) -> MachineDefinition:
    """The machine with the disks, drives and interfaces that these are given for, by their ids."""
    spec = wanted.spec
    order = _boot_order(wanted)
    password = wanted.private.graphics_password if spec.graphics_auth_enabled else ""
    return MachineDefinition(
        machine=wanted.machine,
        name=spec.name,
        memory_bytes=spec.memory_mb * 2**20,
        cpu=CpuTopology(
            sockets=spec.socket_num,
            cores_per_socket=spec.core_num_per_socket,
            threads_per_core=spec.thread_num_per_core,
        ),
        cpu_mode=CpuMode(spec.cpu_mode),
        cpu_model=spec.cpu_model,
        firmware=Firmware(spec.bios),
        nvram=places.state / f"{wanted.machine}.nvram" if spec.bios is Firmware.UEFI else None,
        clock=spec.time_zone,
        disks=tuple(
            disk_of(
                disk,
                target=wanted.disk_targets[disk.id],
                chain=chains[disk.id],
                facts=wanted.volumes[disk.id],
                boot_order=order.get(("disk", disk.id)),
            )
            for disk in wanted.disks
            if disk.id in chains
        ),
        cd_roms=tuple(
            cd_rom_of(
                drive,
                target=wanted.cd_rom_targets[drive.id],
                medium=media[drive.id],
                boot_order=order.get(("cdrom", drive.id)),
            )
            for drive in wanted.cd_roms
            if drive.id in media
        ),
        nics=tuple(
            nic_of(nic, port=ports[nic.id], boot_order=order.get(("network", nic.id)))
            for nic in wanted.nics
            if nic.id in ports
        ),
        graphics=Graphics(
            spice=spec.graphics_spice_enabled,
            password=password or None,
            listen=places.console_address,
        ),
        channels=tuple(
            Channel(name=name, socket=places.state / f"{wanted.machine}.{number}")
            for number, name in enumerate(places.channels)
        ),
        console_log=console_log(places, wanted.machine),
    )


def console_log(places: Places, machine: MachineId) -> Path:
    """What a guest writes to its first serial port."""
    return places.state / f"{machine}.console.log"


def disk_of(
    disk: children.Disk, *, target: str, chain: Chain, facts: VolumeFacts, boot_order: int | None = None
) -> Disk:
    """The disk; the stricter of its own and its volume's limits holds."""
    return Disk(
        target=target,
        bus=Bus(disk.spec.bus),
        chain=chain,
        serial=facts.serial,
        cache=CacheMode(disk.spec.cache_mode),
        limits=limits_of(disk, facts),
        boot_order=boot_order,
    )


def limits_of(disk: children.Disk, facts: VolumeFacts) -> Limits:
    """The stricter of the disk's own limits and its volume's."""
    return Limits(
        iops=_stricter(disk.spec.max_total_iops, facts.max_total_iops),
        bytes_per_second=_stricter(disk.spec.max_total_bw_bps, facts.max_total_bw_bps),
    )


def cd_rom_of(drive: children.CdRom, *, target: str, medium: Chain, boot_order: int | None = None) -> CdRom:
    return CdRom(target=target, bus=Bus(drive.spec.bus), medium=medium, boot_order=boot_order)


def nic_of(nic: children.Nic, *, port: Port, boot_order: int | None = None) -> Nic:
    return Nic(
        mac=nic.spec.mac_address,
        tap=port.tap,
        model=NicModel(nic.spec.model),
        queues=nic.spec.queue_num,
        link_up=nic.spec.link_up,
        mtu=port.mtu,
        boot_order=boot_order,
    )


def _boot_order(wanted: Wanted) -> dict[tuple[str, int], int]:
    """The position of each device that is booted from: by sort as the machine says, within one by itself."""
    by_sort: dict[str, Sequence[int]] = {
        "disk": [disk.id for disk in sorted(wanted.disks, key=lambda each: not each.spec.boot)],
        "cdrom": [
            drive.id
            for drive in sorted(wanted.cd_roms, key=lambda each: (each.spec.boot_order or 2**31, each.id))
        ],
        "network": [nic.id for nic in wanted.nics],
    }
    devices = [(sort, id) for sort in wanted.spec.boot_device_order for id in by_sort.get(sort, ())]
    return {device: position for position, device in enumerate(devices, start=1)}


def _stricter(*limits: int) -> int | None:
    return min((limit for limit in limits if limit), default=None)
