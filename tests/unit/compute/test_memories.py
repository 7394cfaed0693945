"""Snapshots that keep the memory of a guest, and going on from them. All is simulated."""

from dataclasses import replace
from pathlib import Path

import pytest

from compute_installation import ComputeInstallation, running
from storage_installation import ADMIN, AnyResource, eventually
from stratal.compute import memories
from stratal.compute.domain import Machine, MachineId
from stratal.compute.drivers.errors import SnapshotFailed, StartFailed
from stratal.compute.drivers.simulated import World
from stratal.compute.vm_snap.model import MemoryShown, VmSnapMemory
from stratal.kernel.errors import Conflict, Invalid
from stratal.storage.drivers.simulated import SimulatedDriver


def no_room() -> Exception:
    return SnapshotFailed(machine="x", reason="there is no room")


def does_not_start() -> Exception:
    return StartFailed(machine="x", reason="a test")


def a_running_machine(here: ComputeInstallation, *, disks: int = 2) -> AnyResource:
    """With an interface and a drive, all of which its guest has."""
    machine = here.with_disks(
        *([1] * disks), vm_nics=[{"br_net_id": here.network_id()}], vm_cd_roms=[{}], power_state="running"
    )
    for service in (here.disks, here.nics, here.drives):
        for part in here.of(service, vm_id=machine.id):
            here.active(service, part.id)
    return machine


def boot_of(here: ComputeInstallation, machine: AnyResource) -> str:
    """Another one with each boot."""
    return here.world.machines[uuid_of(here, machine)].boot_id


def uuid_of(here: ComputeInstallation, machine: AnyResource) -> MachineId:
    return MachineId(here.show(here.machines, machine.id).status.uuid)


def seen(here: ComputeInstallation, machine: AnyResource) -> Machine | None:
    return here.outside.hypervisor.observe(uuid_of(here, machine))


def memory_of(here: ComputeInstallation, moment: AnyResource) -> VmSnapMemory:
    return here.database.read(lambda tx: here.compute.vm_snaps.memory_of(tx, ADMIN, moment.id))


def go_back(here: ComputeInstallation, machine: AnyResource, moment: AnyResource, **spec: object) -> None:
    here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id, **spec)


def until_back(here: ComputeInstallation, machine: AnyResource, times: int = 1) -> AnyResource:
    eventually(lambda: here.show(here.machines, machine.id).status.rollback_num == times)
    return here.active(here.machines, machine.id)


def test_a_snapshot_keeps_memory_where_it_is_asked_for(anywhere: ComputeInstallation) -> None:
    machine = a_running_machine(anywhere)
    moment = anywhere.moment(machine.id, "with", memory=True)
    assert memory_of(anywhere, moment) == VmSnapMemory(state=MemoryShown.KEPT, size_byte=512 * 2**20)
    without = anywhere.moment(machine.id, "without")
    assert memory_of(anywhere, without) == VmSnapMemory(state=MemoryShown.NONE)


def test_a_guest_that_runs_goes_back_to_the_very_instant(anywhere: ComputeInstallation) -> None:
    machine = a_running_machine(anywhere)
    boot = boot_of(anywhere, machine)
    moment = anywhere.moment(machine.id, memory=True)
    anywhere.act(anywhere.machines, machine.id, "reboot", force=True)
    eventually(lambda: boot_of(anywhere, machine) != boot)
    anywhere.active(anywhere.machines, machine.id)
    go_back(anywhere, machine, moment)
    found = until_back(anywhere, machine)
    assert (boot_of(anywhere, machine), found.status.power_state) == (boot, "running")
    for disk in anywhere.disks_of(machine.id):
        eventually(lambda: anywhere.show(anywhere.disks, disk.id).status.attached)  # noqa: B023  called at once


def test_a_stopped_machine_goes_on_too_and_time_and_again(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    boot = boot_of(here, machine)
    moment = here.moment(machine.id, memory=True)
    for times in (1, 2):
        here.power(machine.id, "stopped")
        go_back(here, machine, moment)
        found = until_back(here, machine, times)
        assert (boot_of(here, machine), found.status.power_state) == (boot, "running")
        assert found.spec.power_state == "running"


def test_a_machine_goes_back_without_memory_where_that_is_asked_for(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    boot = boot_of(here, machine)
    moment = here.moment(machine.id, memory=True)
    with pytest.raises(Conflict, match="must be stopped"):
        go_back(here, machine, moment, memory=False)
    here.power(machine.id, "stopped")
    go_back(here, machine, moment, memory=False)
    assert until_back(here, machine).status.power_state == "stopped"
    here.power(machine.id, "running")
    assert boot_of(here, machine) != boot


def test_what_was_changed_since_the_boot_is_not_in_memory(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    here.update(here.machines, machine.id, memory_mb=1024, cpu_num=4)
    moment = here.moment(machine.id, memory=True)
    assert (moment.spec.memory_mb, moment.spec.cpu_num) == (512, 1)
    assert here.moment(machine.id, "disks").spec.memory_mb == 1024
    go_back(here, machine, moment)
    found = until_back(here, machine)
    assert (found.spec.memory_mb, found.status.memory_mb) == (512, 512)


def test_the_devices_of_then_come_back_with_the_memory(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    boot = boot_of(here, machine)
    moment = here.moment(machine.id, memory=True)
    _, second = here.disks_of(machine.id)
    [nic] = here.of(here.nics, vm_id=machine.id)
    here.remove(here.disks, second.id)
    here.remove(here.nics, nic.id)
    go_back(here, machine, moment)
    until_back(here, machine)
    guest = seen(here, machine)
    assert guest is not None
    assert (set(guest.disks), set(guest.nics)) == ({"vda", "vdb"}, {nic.spec.mac_address})
    assert boot_of(here, machine) == boot


def test_memory_is_not_gone_on_from_with_devices_that_cannot_be_had(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    [nic] = here.of(here.nics, vm_id=machine.id)
    moment = here.moment(machine.id, memory=True)
    here.remove(here.nics, nic.id)
    here.remove(here.network.br_nets, nic.spec.br_net_id)
    with pytest.raises(Conflict, match="go back without memory"):
        go_back(here, machine, moment)
    here.power(machine.id, "stopped")
    go_back(here, machine, moment, memory=False)
    assert until_back(here, machine).status.power_state == "stopped"


@pytest.mark.parametrize("memory", [None, True])
def test_there_is_no_going_on_without_memory(here: ComputeInstallation, memory: bool | None) -> None:
    machine = a_running_machine(here)
    moment = here.moment(machine.id)
    with pytest.raises(Conflict, match="must be stopped" if memory is None else "was not asked for"):
        go_back(here, machine, moment, memory=memory)


def test_memory_is_kept_of_guests_that_run_and_are_whole(here: ComputeInstallation) -> None:
    stopped = here.with_disks(1)
    with pytest.raises(Conflict, match="must run"):
        here.moment(stopped.id, memory=True)
    with pytest.raises(Conflict, match="has no disk"):
        here.moment(here.machine("bare", power_state="running").id, memory=True)
    machine = a_running_machine(here)
    with pytest.raises(Invalid, match="frozen"):
        here.moment(machine.id, memory=True, quiesce=True)
    here.world.guest.gives_devices_back = False
    disk = here.disks_of(machine.id)[1]
    here.delete(here.disks, disk.id)
    with pytest.raises(Conflict, match=f"vm_disk {disk.id} is on its way out"):
        here.moment(machine.id, memory=True)


def test_memory_goes_with_its_snapshot(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    moment = here.moment(machine.id, memory=True)
    assert len(here.world.memory_files) == 1
    here.remove(here.moments, moment.id)
    assert here.world.memory_files == {}
    assert here.database.read(lambda tx: memories.of(tx, moment.id)) is None


def test_memory_of_a_guest_that_ended_before_is_lost_and_said_so(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    here.script.fail("snapshot", no_room, times=10**6)
    asked = here.create(here.moments, name="late", vm_id=machine.id, memory=True)
    eventually(lambda: here.show(here.machines, machine.id).status.problem)
    here.act(here.machines, machine.id, "stop", force=True)
    moment = here.active(here.moments, asked.id)
    assert memory_of(here, moment) == VmSnapMemory(
        state=MemoryShown.LOST, problem="its guest had ended before"
    )
    assert any("has no memory" in message for event, message in here.events() if "memory_lost" in event)
    go_back(here, machine, moment)  # of disks alone
    assert until_back(here, machine).status.power_state == "stopped"


def test_a_snapshot_asked_for_before_a_stop_has_its_memory(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    asked = here.create(here.moments, name="last", vm_id=machine.id, memory=True)
    here.act(here.machines, machine.id, "stop", force=True)
    moment = here.active(here.moments, asked.id)
    eventually(lambda: here.show(here.machines, machine.id).status.power_state == "stopped")
    assert memory_of(here, moment).state is MemoryShown.KEPT


def test_a_guest_whose_memory_does_not_load_boots_when_it_is_stopped_and_started(
    here: ComputeInstallation,
) -> None:
    machine = a_running_machine(here)
    boot = boot_of(here, machine)
    moment = here.moment(machine.id, memory=True)
    here.power(machine.id, "stopped")
    kept = dict(here.world.memory_files)
    here.world.memory_files.clear()
    go_back(here, machine, moment)
    hint = "stop it to let it boot instead"
    found = eventually(
        lambda: (
            (seen := here.show(here.machines, machine.id)) and hint in (seen.status.problem or "") and seen
        )
    )
    assert found.status.rollback_num == 0
    with pytest.raises(Conflict, match="is about to go on"):
        here.delete(here.moments, moment.id)
    here.act(here.machines, machine.id, "stop")
    assert until_back(here, machine).status.power_state == "stopped"
    here.world.memory_files.update(kept)
    here.power(machine.id, "running")
    assert boot_of(here, machine) != boot


def test_a_guest_that_ended_after_it_went_on_and_wrote_boots(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    boot = boot_of(here, machine)
    moment = here.moment(machine.id, memory=True)
    here.power(machine.id, "stopped")
    here.script.fail("start", does_not_start, times=2)
    go_back(here, machine, moment)
    [disk, _] = here.disks_of(machine.id)
    here.active(here.volumes, disk.spec.bs_volume_id)
    here.write(disk.spec.bs_volume_id, 0, b"it went on")
    until_back(here, machine)
    assert boot_of(here, machine) != boot
    assert any("passed_over" in event for event, _ in here.events())


def test_a_process_that_comes_after_finds_the_guest_that_went_on(sqlite_url: str, tmp_path: Path) -> None:
    world = World()
    with running(sqlite_url, tmp_path, world=world) as here:
        machine = a_running_machine(here)
        boot = boot_of(here, machine)
        moment = here.moment(machine.id, memory=True)
        go_back(here, machine, moment)
        until_back(here, machine)
    assert [held.boot_id for held in world.machines.values()] == [boot]


def test_a_snapshot_of_memory_is_refused_while_a_machine_goes_back(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    moment = here.moment(machine.id, memory=True)
    here.script.fail("start", does_not_start, times=10**6)
    go_back(here, machine, moment)
    eventually(lambda: not (guest := seen(here, machine)) or not guest.alive)
    with pytest.raises(Conflict):
        here.moment(machine.id, "again", memory=True)


def test_a_clone_starts_without_the_memory(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    moment = here.moment(machine.id, memory=True)
    copy = here.copy(vm_snap_id=moment.id, power_state="running")
    eventually(lambda: here.show(here.machines, copy.id).status.power_state == "running")
    assert boot_of(here, copy) != boot_of(here, machine)
    assert memory_of(here, moment).state is MemoryShown.KEPT


def test_memory_of_snapshots_that_are_no_more_is_removed_at_the_start(
    sqlite_url: str, tmp_path: Path
) -> None:
    world = World()
    with running(sqlite_url, tmp_path, world=world) as here:
        moment = here.moment(a_running_machine(here).id, memory=True)
    [kept], stray = world.memory_files, tmp_path / "4711.memory"
    world.memory_files[stray] = world.memory_files[kept]
    for path in (kept, stray):
        path.touch()  # that is what a start goes by
    with running(sqlite_url, tmp_path, world=world):
        assert set(world.memory_files) == {kept}
        assert kept.name == f"{moment.id}.memory"


def test_a_machine_takes_the_memory_of_its_snapshots_along(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    here.moment(machine.id, memory=True)
    here.remove(here.machines, machine.id)
    assert here.world.memory_files == {}


def test_a_machine_that_cannot_go_on_can_be_deleted(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    moment = here.moment(machine.id, memory=True)
    here.script.fail("start", does_not_start, times=10**6)
    go_back(here, machine, moment)
    eventually(lambda: "stop it" in (here.show(here.machines, machine.id).status.problem or ""))
    here.remove(here.machines, machine.id)
    assert here.world.memory_files == {}


def test_an_instant_that_waited_while_devices_came_has_no_memory(here: ComputeInstallation) -> None:
    machine = a_running_machine(here)
    here.script.fail("snapshot", no_room, times=10**6)
    asked = here.create(here.moments, name="late", vm_id=machine.id, memory=True)
    eventually(lambda: here.show(here.machines, machine.id).status.problem)
    with here.world.lock:  # plugged in since
        held = here.world.machines[uuid_of(here, machine)]
        held.cd_roms["sdz"] = replace(held.cd_roms["sda"], target="sdz")
    here.script.clear()
    moment = here.active(here.moments, asked.id)
    assert memory_of(here, moment) == VmSnapMemory(
        state=MemoryShown.LOST, problem="its guest has another sdz by now"
    )


def test_memory_is_not_kept_beside_disks_that_guests_are_not_switched_on(
    here: ComputeInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimulatedDriver, "traits", replace(SimulatedDriver.traits, switches_guests=False))
    machine = a_running_machine(here)
    asked = here.create(here.moments, name="ceph", vm_id=machine.id, memory=True)
    eventually(lambda: memory_of(here, asked).state is MemoryShown.LOST)
    assert memory_of(here, asked).problem == "memory is kept beside disks that are files, and no others"
    assert here.world.memory_files == {}
