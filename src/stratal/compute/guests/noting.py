"""From what was seen of a machine to what is written down of its parts and its status. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from stratal.compute import children
from stratal.compute.domain import AgentState, Machine, PowerState
from stratal.compute.guests.wanted import Wanted
from stratal.compute.parts import Part, PartKind
from stratal.compute.virtual_machine.model import VirtualMachineSpec, VirtualMachineStatus, WantedPower

MIB = 2**20

BOOTED = (
    "bios",
    "boot_device_order",
    "socket_num",
    "core_num_per_socket",
    "thread_num_per_core",
    "cpu_num",
    "cpu_mode",
    "cpu_model",
    "memory_mb",
    "graphics_auth_enabled",
    "graphics_spice_enabled",
    "time_zone",
)
"""What a running guest keeps from its boot."""


def parts_of(
    wanted: Wanted,
    machine: Machine | None,
    *,
    sizes: Mapping[str, int],
    ports: Mapping[int, int | None],
    addresses: Mapping[int, tuple[str, ...]],
    problems: Mapping[tuple[PartKind, int], str],
    settled: bool,
) -> list[Part]:
    """What is to be noted of every part. `machine` of None, or one without a process: the guest has none.

    `settled`: the guest is as it is wanted, so that what it does not have it will not get.
    """
    alive = machine if machine is not None and machine.alive else None
    return [
        *(_disk(wanted, disk, alive, sizes, problems, settled=settled) for disk in wanted.disks),
        *(_drive(wanted, drive, alive, problems, settled=settled) for drive in wanted.cd_roms),
        *(
            _nic(nic, alive, ports, addresses.get(nic.id, ()), problems, settled=settled)
            for nic in wanted.nics
        ),
    ]


def _disk(
    wanted: Wanted,
    disk: children.Disk,
    alive: Machine | None,
    sizes: Mapping[str, int],
    problems: Mapping[tuple[PartKind, int], str],
    *,
    settled: bool,
) -> Part:
    target = wanted.disk_targets[disk.id]
    leaving = disk.spec.deletion_begin is not None
    attached = alive is not None and target in alive.disks
    return Part(
        kind=PartKind.DISK,
        id=disk.id,
        attached=attached,
        settled=settled and attached == (alive is not None and not leaving),
        released=leaving and not attached,
        device=target,
        size_mb=sizes[target] // MIB if attached and target in sizes else None,
        problem=problems.get((PartKind.DISK, disk.id)),
    )


def _drive(
    wanted: Wanted,
    drive: children.CdRom,
    alive: Machine | None,
    problems: Mapping[tuple[PartKind, int], str],
    *,
    settled: bool,
) -> Part:
    target = wanted.cd_rom_targets[drive.id]
    state = alive.cd_roms.get(target) if alive is not None else None
    leaving = drive.spec.deletion_begin is not None
    return Part(
        kind=PartKind.CD_ROM,
        id=drive.id,
        attached=state is not None,
        settled=settled and (state is not None) == (alive is not None and not leaving),
        released=leaving and state is None,
        device=target,
        inserted=state is not None and bool(state.medium),
        problem=problems.get((PartKind.CD_ROM, drive.id)),
    )


def _nic(
    nic: children.Nic,
    alive: Machine | None,
    ports: Mapping[int, int | None],
    addresses: tuple[str, ...],
    problems: Mapping[tuple[PartKind, int], str],
    *,
    settled: bool,
) -> Part:
    state = alive.nics.get(nic.spec.mac_address) if alive is not None else None
    leaving = nic.spec.deletion_begin is not None
    return Part(
        kind=PartKind.NIC,
        id=nic.id,
        attached=state is not None,
        settled=settled and (state is not None) == (alive is not None and not leaving),
        released=leaving and state is None,
        device=state.tap if state is not None else None,
        link_up=state is not None and state.link_up,
        bridge_id=ports.get(nic.id),
        ip_addresses=addresses,
        problem=problems.get((PartKind.NIC, nic.id)),
    )


def status_of(
    wanted: Wanted,
    machine: Machine | None,
    *,
    node_id: int | None,
    accelerator: str,
    booted: bool,
    addresses: Mapping[int, tuple[str, ...]],
) -> VirtualMachineStatus:
    """The status as far as it follows from a look. `booted`: the guest was started from this very spec."""
    before, spec = wanted.resource.status, wanted.spec
    alive = machine is not None and machine.alive
    status = msgspec.structs.replace(
        before,
        uuid=wanted.machine,
        power_state=_power_state(spec, machine),
        node_id=node_id if alive else None,
        accelerator=accelerator if alive else None,
        graphics_port=machine.graphics.vnc if machine is not None and alive else None,
        spice_port=machine.graphics.spice if machine is not None and alive else None,
        guest_agent_state=(machine.agent if machine is not None and alive else AgentState.DISCONNECTED),
        ip_addresses=sorted({each for found in addresses.values() for each in found}) if alive else [],
        vm_disk_num=sum(each.spec.deletion_begin is None for each in wanted.disks),
        vm_nic_num=sum(each.spec.deletion_begin is None for each in wanted.nics),
        vm_snap_num=wanted.snapshot_num,
        vm_cd_rom_num=sum(each.spec.deletion_begin is None for each in wanted.cd_roms),
        flattened=spec.flattened and all(facts.flattened for facts in wanted.volumes.values()),
        problem=None,
    )
    if booted or not alive:
        status = msgspec.structs.replace(
            status, **{name: getattr(spec, name) for name in BOOTED}, reboot_num=spec.reboot_num
        )
    if booted or (not alive and wanted.resume is None):
        status = msgspec.structs.replace(status, rollback_num=spec.rollback_num)
    return status


def _power_state(spec: VirtualMachineSpec, machine: Machine | None) -> PowerState:
    """A guest that crashed, and is to be stopped, is."""
    if machine is None or (spec.power_state is WantedPower.STOPPED and not machine.alive):
        return PowerState.STOPPED
    return machine.power_state


def irreconcilable(spec: VirtualMachineSpec, status: VirtualMachineStatus) -> dict[str, str]:
    """What the running guest keeps until its next boot, each with the reason."""
    return dict.fromkeys(_differing(spec, status), "the guest keeps it until it is stopped and started")


def _differing(spec: VirtualMachineSpec, status: VirtualMachineStatus) -> Iterator[str]:
    for name in BOOTED:
        if getattr(spec, name) != getattr(status, name):
            yield name
