"""What QEMU itself says about its disks, past libvirt."""

import json
from typing import Any

from stratal.compute.domain import MachineId
from stratal.compute.drivers.libvirt import LibvirtHypervisor, binding


def qmp(hypervisor: LibvirtHypervisor, machine: MachineId, command: str, **arguments: object) -> Any:
    """What QEMU itself answers."""
    request = json.dumps({"execute": command, "arguments": arguments})
    handle = hypervisor.get(machine).handle
    answer = json.loads(binding.qemu_module().qemuMonitorCommand(handle, request, 0))
    assert "error" not in answer, answer
    return answer["return"]


def chain_in_qemu(hypervisor: LibvirtHypervisor, machine: MachineId) -> list[str]:
    """Of the first disk: what QEMU has open, the topmost first."""
    for device in qmp(hypervisor, machine, "query-block"):
        if "inserted" in device:
            image = device["inserted"]["image"]
            names: list[str] = []
            while image:
                names.append(image["filename"])
                image = image.get("backing-image")
            return names
    raise AssertionError("no disk")
