"""Machines as they are wanted and as they are seen, made up without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stratal.compute.children import CdRom, Disk, Nic
from stratal.compute.domain import (
    Bus,
    CacheMode,
    Cause,
    Chain,
    CpuMode,
    DiskState,
    FileImage,
    Firmware,
    Limits,
    Machine,
    MachineId,
    NicModel,
    NicState,
    PowerState,
)
from stratal.compute.guests.wanted import Wanted
from stratal.compute.virtual_machine.model import (
    VIRTUAL_MACHINE,
    VirtualMachinePrivate,
    VirtualMachineSpec,
    VirtualMachineStatus,
    WantedPower,
)
from stratal.compute.vm_cd_rom.model import VM_CD_ROM, DriveBus, VmCdRomSpec, VmCdRomStatus
from stratal.compute.vm_disk.model import VM_DISK, VmDiskSpec, VmDiskStatus
from stratal.compute.vm_nic.model import VM_NIC, VmNicSpec, VmNicStatus
from stratal.kernel.store import Resource
from stratal.storage import VolumeFacts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = MachineId("0b0e6a0c-8a54-4c0e-9d3e-5f6f0a1b2c3d")
FACTS = VolumeFacts(serial="serial", size_mb=1, max_total_iops=0, max_total_bw_bps=0, flattened=True)


def base(id: int) -> dict[str, Any]:
    return {"id": id, "etag": "etag", "created_at": NOW, "updated_at": NOW}


def spec_base(id: int, name: str) -> dict[str, Any]:
    return {**base(id), "name": name, "description": "", "project_id": 1, "creation_finish": NOW}


def disk(id: int, **spec: Any) -> Disk:
    wanted: dict[str, Any] = {
        **spec_base(id, f"disk-{id}"),
        "vm_id": 1,
        "bs_volume_id": 100 + id,
        "bus": Bus.VIRTIO,
        "boot": False,
        "size_mb": 1,
        "cache_mode": CacheMode.NONE,
        "max_total_iops": 0,
        "max_total_bw_bps": 0,
        "delete_volume_with_vm": True,
        **spec,
    }
    return Resource(
        kind=VM_DISK,
        spec=VmDiskSpec(**wanted),
        status=VmDiskStatus(**base(id)),
        irreconcilable=[],
        labels=[],
    )


def drive(id: int, **spec: Any) -> CdRom:
    wanted: dict[str, Any] = {**spec_base(id, f"drive-{id}"), "vm_id": 1, "bus": DriveBus.SATA, **spec}
    return Resource(
        kind=VM_CD_ROM,
        spec=VmCdRomSpec(**wanted),
        status=VmCdRomStatus(**base(id)),
        irreconcilable=[],
        labels=[],
    )


def nic(id: int, **spec: Any) -> Nic:
    wanted: dict[str, Any] = {
        **spec_base(id, f"nic-{id}"),
        "vm_id": 1,
        "br_net_id": 1,
        "mac_address": f"02:00:00:00:00:{id:02x}",
        "model": NicModel.VIRTIO,
        "link_up": True,
        "queue_num": 1,
        "in_bw_kbps": 0,
        "out_bw_kbps": 0,
        **spec,
    }
    return Resource(
        kind=VM_NIC, spec=VmNicSpec(**wanted), status=VmNicStatus(**base(id)), irreconcilable=[], labels=[]
    )


def wanted(
    *,
    disks: tuple[Disk, ...] = (),
    nics: tuple[Nic, ...] = (),
    cd_roms: tuple[CdRom, ...] = (),
    private: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
    **spec: Any,
) -> Wanted:
    """A machine that is wanted running; `changes` are of what is wanted beside its spec."""
    columns: dict[str, Any] = {
        **spec_base(1, "web"),
        "bios": Firmware.BIOS,
        "boot_device_order": ["disk", "cdrom", "network"],
        "socket_num": 1,
        "core_num_per_socket": 1,
        "thread_num_per_core": 1,
        "cpu_num": 1,
        "cpu_mode": CpuMode.HOST_MODEL,
        "memory_mb": 512,
        "ha_enabled": False,
        "graphics_auth_enabled": False,
        "graphics_spice_enabled": False,
        "power_state": WantedPower.RUNNING,
        "time_zone": "utc",
        "flattened": True,
        "reboot_num": 0,
        "rollback_num": 0,
        **spec,
    }
    resource = Resource(
        kind=VIRTUAL_MACHINE,
        spec=VirtualMachineSpec(**columns),
        status=VirtualMachineStatus(**base(1)),
        irreconcilable=[],
        labels=[],
    )
    made = Wanted(
        resource=resource,
        private=VirtualMachinePrivate(**(private or {})),
        machine=MACHINE,
        disks=list(disks),
        nics=list(nics),
        cd_roms=list(cd_roms),
        disk_targets={each.id: f"vd{chr(ord('a') + number)}" for number, each in enumerate(disks)},
        cd_rom_targets={each.id: f"sd{chr(ord('a') + number)}" for number, each in enumerate(cd_roms)},
        volumes={each.id: FACTS for each in disks},
        points={},
        dropped=frozenset(),
        resume=None,
        noted={},
        node_id=1,
        snapshot_num=0,
    )
    return replace(made, **(changes or {}))


def with_status(machine: Wanted, **status: Any) -> Wanted:
    """The machine, of which this was observed last."""
    resource = replace(machine.resource, status=msgspec.structs.replace(machine.resource.status, **status))
    return replace(machine, resource=resource)


def chain(name: str) -> Chain:
    return (FileImage(path=Path("/images", name), format="qcow2"),)


def seen(machine: Wanted, *, power_state: PowerState = PowerState.RUNNING, **fields: Any) -> Machine:
    """The guest of this machine, with all that it is to have."""
    found: dict[str, Any] = {
        "machine": machine.machine,
        "name": "web",
        "power_state": power_state,
        "cause": Cause.REQUESTED,
        "cpus": 1,
        "memory_bytes": 512 * 2**20,
        "disks": {
            target: DiskState(
                target=target, chain=chain(target), serial="serial", read_only=False, limits=Limits()
            )
            for target in machine.disk_targets.values()
        },
        "nics": {
            each.spec.mac_address: NicState(mac=each.spec.mac_address, tap=f"tap{each.id}", link_up=True)
            for each in machine.nics
        },
        **fields,
    }
    return Machine(**found)
