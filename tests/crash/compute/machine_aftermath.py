"""What must be there after a life of machines was cut short, whatever runs them. Called by the suites."""

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from machine_deeds import CLUSTER, Deed, Machine, World
from machine_living import live, rest, services
from sqlalchemy import select

from compute_installation import ComputeInstallation
from storage_installation import AnyResource, AnyService, eventually
from stratal.compute.domain import MachineId
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import MachineBusy
from stratal.compute.guests.images import address_of
from stratal.kernel.work import WORK

_MIB = 2**20


def check(here: ComputeInstallation, world: World, open_deed: Deed | None) -> None:
    """With no other means than an engine: all acknowledged deeds were done, and nothing is left over of any.

    Erases everything in the end.
    """
    _reset_guests_that_keep_devices(here)
    rest(here)
    possible = [world] if open_deed is None else [world, world.after(open_deed)]
    _check_guests(here)
    running = {each.spec.name: each.status.power_state == "running" for each in live(here, here.machines)}
    _stop_everything(here)
    found = _found(here, running)
    if open_deed is not None and open_deed.what == "write":
        found = _with_whole_cluster(found, world, open_deed)
    assert found in possible, (open_deed, found, possible)
    _check_layers(here)
    erase_everything(here)


def _reset_guests_that_keep_devices(here: ComputeInstallation) -> None:
    """A guest with no system gives back what it is asked for when it is reset."""
    leaving = [
        part.spec.vm_id
        for service in (here.disks, here.nics)
        for part in here.database.read(lambda tx, service=service: service.store.find(tx))
        if part.spec.deletion_begin is not None
    ]
    for machine in live(here, here.machines):
        if machine.id in leaving and machine.spec.power_state == "running":
            here.act(here.machines, machine.id, "reboot", force=True)


def _check_guests(here: ComputeInstallation) -> None:
    """The hypervisor and the network have what the specs say, and nothing else."""
    hypervisor, driver = here.outside.hypervisor, here.driver()
    machines = {_uuid(each): each for each in live(here, here.machines)}
    seen = hypervisor.survey()
    assert set(seen) <= set(machines)
    alive = {uuid for uuid, guest in seen.items() if guest.alive}
    assert alive == {uuid for uuid, each in machines.items() if each.spec.power_state == "running"}
    ports: set[int] = set()
    for uuid in alive:
        machine, guest = machines[uuid], seen[uuid]
        assert machine.status.problem is None
        assert not guest.held
        assert guest.power_state == "running"
        # what a merge of the life before left in QEMU is brought to its end beside all else
        sizes = eventually(lambda uuid=uuid: _sizes_in_peace(hypervisor, uuid), 30.0)
        disks = {disk.status.device: disk for disk in here.disks_of(machine.id)}
        assert set(guest.disks) == set(disks)
        for target, disk in disks.items():
            assert (disk.status.attached, disk.status.problem) == (True, None)
            assert disk.status.size_mb == disk.spec.size_mb
            assert sizes[target] in (0, disk.spec.size_mb * _MIB)  # 0: simulated, and never resized
            layer = driver.layer_at(address_of(guest.disks[target].chain[0]))
            assert layer == here.layer_of(here.volumes, disk.spec.bs_volume_id)
        nics = here.of(here.nics, vm_id=machine.id)
        assert set(guest.nics) == {nic.spec.mac_address for nic in nics}
        assert len(guest.cd_roms) == 1
        ports |= {nic.id for nic in nics}
    assert here.outside.network.survey().ports == ports


def _sizes_in_peace(hypervisor: Hypervisor, machine: MachineId) -> Mapping[str, int] | None:
    """The sizes of a guest's disks, while nothing is being merged under it."""
    if hypervisor.jobs(machine):
        return None
    with suppress(MachineBusy):
        return hypervisor.disk_sizes(machine)
    return None


def _uuid(machine: AnyResource) -> MachineId:
    return MachineId(machine.status.uuid)


def _stop_everything(here: ComputeInstallation) -> None:
    """Nobody but us has a disk open then."""
    for machine in live(here, here.machines):
        if machine.spec.power_state == "running":
            here.act(here.machines, machine.id, "stop", force=True)
    rest(here)


def _found(here: ComputeInstallation, running: dict[str, bool]) -> World:
    machines = {
        machine.spec.name: Machine(
            running=running[machine.spec.name],
            disks=tuple(
                _letters(here, here.volumes, disk.spec.bs_volume_id) for disk in here.disks_of(machine.id)
            ),
            nics=len(here.of(here.nics, vm_id=machine.id)),
        )
        for machine in live(here, here.machines)
    }
    snapshots = {
        moment.spec.name: tuple(
            _letters(here, here.snaps, disk.spec.bs_snap_id)
            for disk in here.of(here.compute.vm_snaps.disks, vm_snap_id=moment.id)
        )
        for moment in live(here, here.moments)
    }
    return World(machines, snapshots)


def _with_whole_cluster(found: World, world: World, deed: Deed) -> World:
    """A write that was not acknowledged may be there in part, and nowhere else."""
    machine, kept = found.machines[deed.name], world.machines[deed.name]
    disks = list(machine.disks)
    old = disks[deed.disk]
    disks[deed.disk] = old[: deed.at] + kept.disks[deed.disk][deed.at] + old[deed.at + 1 :]
    return World({**found.machines, deed.name: replace(machine, disks=tuple(disks))}, found.snapshots)


def _letters(here: ComputeInstallation, service: AnyService, id: int) -> str:
    """The letter in each cluster; a dot where it is empty, a question mark where it is mixed."""
    content = here.read(service, id)
    clusters = (set(content[at : at + CLUSTER]) for at in range(0, len(content), CLUSTER))
    return "".join("?" if len(each) > 1 else chr(each.pop() or ord(".")) for each in clusters)


def _check_layers(here: ComputeInstallation) -> None:
    here.storage.reclaim()
    driver = here.driver()
    survey = driver.survey()
    assert survey.leftovers == ()
    assert set(survey.layers) == here.stored_layers()
    for layer in survey.layers:
        report = driver.check(layer)
        assert report.sound, report
    leased = select(WORK).where(WORK.c.owner.is_not(None))
    eventually(lambda: not here.database.read(lambda tx: tx.execute(leased).fetchall()))


def erase_everything(here: ComputeInstallation) -> None:
    """By clients' means; nothing is left then, here and outside."""
    for service in (here.moments, here.machines, here.volumes, here.network.br_nets):
        for each in live(here, service):
            here.delete(service, each.id)
        eventually(lambda service=service: not _rows(here, service), 60.0)
        if service is here.machines:  # volumes that went with their machines are on their way out
            rest(here)
    assert list(itertools.chain(*(_rows(here, one) for one in services(here)))) == []
    eventually(lambda: not here.stored_layers())
    assert here.outside.hypervisor.survey() == {}
    network = here.outside.network.survey()
    assert (network.ports, network.bridges) == (frozenset(), frozenset())
    here.storage.reclaim()
    survey = here.driver().survey()
    assert (tuple(survey.layers), survey.leftovers) == ((), ())


def _rows(here: ComputeInstallation, service: AnyService) -> list[object]:
    return here.database.read(lambda tx: service.store.find(tx))
