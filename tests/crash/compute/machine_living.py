"""Doing the deeds of a life of machines in an installation, and waiting for rest."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from machine_deeds import CLUSTER, LIFE, Deed

from compute_installation import ComputeInstallation
from storage_installation import AnyResource, AnyService, eventually
from stratal.kernel.state import State

_SECONDS = 90.0
_STABLE = 3
"""How many looks in a row must find everything at rest: the next step of a guest may be due in a moment."""


class Living:
    """Does the deeds. `say` is told of each before and after it is done."""

    def __init__(self, here: ComputeInstallation, say: Callable[[str], None]) -> None:
        self._here = here
        self._say = say

    def live(self) -> None:
        for phase in LIFE:
            for deed in phase:
                text = msgspec.json.encode(deed).decode()
                self._say(f"asked {text}")
                self._perform(deed)
                self._say(f"acknowledged {text}")
            rest(self._here)

    def _perform(self, deed: Deed) -> None:
        here = self._here
        match deed.what:
            case "create":
                disk = {"size_mb": 1, "bs_policy_id": here.default_policy, "delete_volume_with_vm": True}
                nic = {"br_net_id": network(here)}
                here.ask_for_machine(
                    deed.name,
                    memory_mb=32,
                    vm_disks=[{"name": "root", **disk}, {"name": "data", **disk}],
                    vm_nics=[nic],
                    vm_cd_roms=[{}],
                )
            case "clone":
                here.ask_for_copy(name=deed.name, vm_snap_id=called(here, here.moments, deed.of).id)
            case "snapshot":
                here.create(here.moments, name=deed.name, vm_id=called(here, here.machines, deed.of).id)
            case "keep":
                machine = called(here, here.machines, deed.of)
                here.create(here.moments, name=deed.name, vm_id=machine.id, memory=True)
            case "drop":
                here.delete(here.moments, called(here, here.moments, deed.name).id)
            case "erase":
                self._without_snapshots(deed)
                here.delete(here.machines, called(here, here.machines, deed.name).id)
            case _:
                self._change(deed, called(here, here.machines, deed.name))

    def _change(self, deed: Deed, machine: AnyResource) -> None:
        here, id = self._here, machine.id
        match deed.what:
            case "start" | "flatten":
                here.act(here.machines, id, deed.what)
            case "stop" | "reboot":
                here.act(here.machines, id, deed.what, force=True)
            case "rollback" | "resume":
                here.act(here.machines, id, "rollback", vm_snap_id=called(here, here.moments, deed.of).id)
            case "write":
                disk = here.disks_of(id)[deed.disk]
                here.active(here.disks, disk.id, _SECONDS)
                here.active(here.volumes, disk.spec.bs_volume_id, _SECONDS)
                here.write(disk.spec.bs_volume_id, deed.at * CLUSTER, deed.letter.encode() * CLUSTER)
            case "grow":
                here.update(here.disks, here.disks_of(id)[deed.disk].id, size_mb=2)
            case "plug":
                policy = here.default_policy
                here.create(here.disks, name="plugged", vm_id=id, size_mb=1, bs_policy_id=policy)
            case "unplug":
                here.delete(here.disks, here.disks_of(id)[-1].id)
            case "plug_nic":
                here.create(here.nics, name="plugged", vm_id=id, br_net_id=network(here))
            case "unplug_nic":
                here.delete(here.nics, here.of(here.nics, vm_id=id)[-1].id)
            case _:
                raise ValueError(deed.what)

    def _without_snapshots(self, deed: Deed) -> None:
        """A machine goes with its volumes, which go when no snapshot is left of them."""
        here = self._here
        machine = called(here, here.machines, deed.name)
        volumes = [disk.spec.bs_volume_id for disk in here.disks_of(machine.id)]
        eventually(lambda: not any(here.of(here.snaps, bs_volume_id=each) for each in volumes), _SECONDS)


def called(here: ComputeInstallation, service: AnyService, name: str) -> AnyResource:
    """What is there of a name and not on its way out."""
    [found] = [each for each in live(here, service) if each.spec.name == name]
    return found


def live(here: ComputeInstallation, service: AnyService) -> list[AnyResource]:
    where = service.columns.deletion_begin.is_(None)
    return here.database.read(lambda tx: service.store.find(tx, where))


def network(here: ComputeInstallation) -> int:
    """The one network, made when it is first needed."""
    found = live(here, here.network.br_nets)
    return found[0].id if found else here.network_id()


def services(here: ComputeInstallation) -> list[AnyService]:
    """Whatever a machine consists of and comes from."""
    return [
        here.machines,
        here.disks,
        here.nics,
        here.drives,
        here.moments,
        here.volumes,
        here.snaps,
    ]


def rest(here: ComputeInstallation, seconds: float = _SECONDS) -> None:
    """Wait until everything is as it is wanted, and nothing is left to do."""
    deadline = time.monotonic() + seconds
    calm = 0
    while calm < _STABLE:
        restless = unsettled(here)
        calm = 0 if restless else calm + 1
        assert time.monotonic() < deadline, restless
        time.sleep(0.02)
        if not restless:
            here.at_rest(max(1.0, deadline - time.monotonic()))


def unsettled(here: ComputeInstallation) -> list[Any]:
    """What is not yet as it is wanted, as clients see it."""
    found: list[Any] = []
    for service in services(here):
        for each in here.database.read(lambda tx, service=service: service.store.find(tx)):
            if each.state.state is not State.ACTIVE or each.spec.deletion_begin is not None:
                found.append((service.kind.name, each.id, each.state, each.status))
    for machine in live(here, here.machines):
        if machine.status.power_state != machine.spec.power_state:
            found.append((machine.spec.name, machine.status.power_state, machine.status.problem))
    return found
