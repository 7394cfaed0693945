"""A machine takes its snapshots with it; what was cloned from them stays."""

import pytest

from compute_installation import ComputeInstallation
from storage_installation import MEMBER, eventually
from stratal.kernel.errors import Conflict, NotFound


def layers(here: ComputeInstallation) -> int:
    return len(here.driver().survey().layers)


@pytest.mark.parametrize("power_state", ["stopped", "running"])
def test_a_machine_takes_its_snapshots_with_it(here: ComputeInstallation, power_state: str) -> None:
    machine = here.with_disks(1, 1, power_state=power_state)
    moments = [here.moment(machine.id, name) for name in ("monday", "tuesday")]
    assert eventually(lambda: here.show(here.machines, machine.id).status.vm_snap_num == 2)
    disks = here.disks_of(machine.id)
    here.remove(here.machines, machine.id)
    for moment in moments:
        with pytest.raises(NotFound):
            here.show(here.moments, moment.id)
    for disk in disks:
        here.gone(here.volumes, disk.spec.bs_volume_id)
    assert here.of(here.snaps) == here.of(here.compute.vm_snaps.disks) == []
    here.at_rest()
    assert here.world.machines == {}
    assert layers(here) == 0


def test_a_clone_outlives_the_machine_and_the_snapshot_that_it_came_from(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    [disk] = here.disks_of(machine.id)
    here.write_to(here.active(here.disks, disk.id), b"kept")
    copy = here.copy(vm_snap_id=here.moment(machine.id).id)
    here.remove(here.machines, machine.id)
    here.gone(here.volumes, disk.spec.bs_volume_id)
    here.at_rest()
    [mine] = here.disks_of(copy.id)
    assert here.read_from(mine, 4) == b"kept"


def test_a_snapshot_that_is_being_made_goes_too(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    here.create(here.moments, name="late", vm_id=machine.id)
    here.remove(here.machines, machine.id)
    eventually(lambda: here.of(here.moments) == here.of(here.snaps) == here.of(here.volumes) == [])


def test_the_memory_that_a_snapshot_kept_goes_with_the_machine(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    here.active(here.disks, here.disks_of(machine.id)[0].id)
    here.moment(machine.id, memory=True)
    assert here.world.memory_files
    here.remove(here.machines, machine.id)
    assert here.of(here.moments) == []
    assert not here.world.memory_files


def test_a_volume_that_stays_loses_the_machine_s_snapshots_only(here: ComputeInstallation) -> None:
    volume = here.volume("data")
    machine = here.machine(vm_disks=[{"bs_volume_id": volume}])
    own = here.snapshot(volume, "own")
    here.moment(machine.id)
    here.remove(here.machines, machine.id)
    eventually(lambda: [each.id for each in here.of(here.snaps)] == [own])
    assert here.show(here.volumes, volume).spec.deletion_begin is None


def test_a_snapshot_of_a_volume_by_itself_still_keeps_the_machine(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    here.moment(machine.id, "monday")
    here.snapshot(here.disks_of(machine.id)[0].spec.bs_volume_id)
    with pytest.raises(Conflict, match="1 snapshots"):
        here.delete(here.machines, machine.id, MEMBER)
    assert here.of(here.moments)[0].spec.deletion_begin is None
