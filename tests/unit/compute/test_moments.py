"""Snapshots of machines: one moment of all disks; going back to it, and starting anew from it."""

import pytest

from compute_installation import ComputeInstallation
from storage_installation import MEMBER, NEIGHBOUR, eventually
from stratal.compute.vm_snap.model import FROZEN
from stratal.kernel.errors import Conflict, Invalid, NotFound


def test_a_moment_keeps_all_disks_and_what_the_machine_was(anywhere: ComputeInstallation) -> None:
    network = anywhere.network_id()
    machine = anywhere.with_disks(1, 2, vm_nics=[{"br_net_id": network}], vm_cd_roms=[{}], cpu_num=2)
    first, second = anywhere.disks_of(machine.id)
    for disk in (first, second):
        anywhere.active(anywhere.disks, disk.id)
    anywhere.write_to(first, b"one")
    anywhere.write_to(second, b"two")
    moment = anywhere.moment(machine.id, description="before")
    assert {name: getattr(moment.spec, name) for name in FROZEN} == {
        name: getattr(machine.spec, name) for name in FROZEN
    }
    assert (moment.spec.vm_name, moment.status.vm_id) == ("web", machine.id)
    kept = anywhere.of(anywhere.compute.vm_snaps.disks, vm_snap_id=moment.id)
    assert [(disk.spec.vm_disk_id, disk.spec.size_mb, disk.spec.boot) for disk in kept] == [
        (first.id, 1, True),
        (second.id, 2, False),
    ]
    for disk, content in zip(kept, (b"one", b"two"), strict=True):
        assert anywhere.read(anywhere.snaps, disk.spec.bs_snap_id, 0, 3) == content
        assert anywhere.show(anywhere.snaps, disk.spec.bs_snap_id).spec.vm_snap_id == moment.id
    [nic] = anywhere.of(anywhere.compute.vm_snaps.nics, vm_snap_id=moment.id)
    assert nic.spec.br_net_id == network
    assert len(anywhere.of(anywhere.compute.vm_snaps.cd_roms, vm_snap_id=moment.id)) == 1


def test_a_disk_s_part_of_a_moment_is_not_deleted_by_itself(here: ComputeInstallation) -> None:
    moment = here.moment(here.with_disks(1).id)
    [kept] = here.of(here.compute.vm_snaps.disks, vm_snap_id=moment.id)
    with pytest.raises(Conflict, match=f"vm_snap {moment.id}"):
        here.delete(here.snaps, kept.spec.bs_snap_id)
    here.remove(here.moments, moment.id)
    here.gone(here.snaps, kept.spec.bs_snap_id)
    here.gone(here.compute.vm_snaps.disks, kept.id)


def test_only_name_and_description_of_a_moment_change(here: ComputeInstallation) -> None:
    moment = here.moment(here.with_disks(1).id)
    etag = moment.spec.etag
    assert here.update(here.moments, moment.id).spec.etag == etag
    changed = here.update(here.moments, moment.id, name="kept", description="for good")
    assert (changed.spec.name, changed.spec.description) == ("kept", "for good")
    assert changed.spec.etag != etag
    assert changed.spec.vm_name == "web"


def test_a_stopped_machine_goes_back_to_a_moment(anywhere: ComputeInstallation) -> None:
    machine = anywhere.with_disks(1, 1)
    first, second = anywhere.disks_of(machine.id)
    for disk in (first, second):
        anywhere.active(anywhere.disks, disk.id)
        anywhere.write_to(disk, b"before")
    moment = anywhere.moment(machine.id)
    for disk in (first, second):
        anywhere.write_to(disk, b"after!")
    anywhere.update(anywhere.machines, machine.id, memory_mb=2048, cpu_num=4, name="renamed")
    anywhere.act(anywhere.machines, machine.id, "rollback", vm_snap_id=moment.id)
    found = anywhere.active(anywhere.machines, machine.id)
    assert (found.spec.memory_mb, found.spec.cpu_num, found.spec.name) == (512, 1, "renamed")
    assert (found.spec.rollback_num, found.spec.rollback_vm_snap_id) == (1, moment.id)
    for disk in (first, second):
        anywhere.active(anywhere.volumes, disk.spec.bs_volume_id)
        assert anywhere.read_from(disk, 6) == b"before"


def test_a_machine_that_runs_does_not_go_back(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    moment = here.moment(machine.id)
    here.power(machine.id, "running")
    with pytest.raises(Conflict, match="must be stopped"):
        here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
    here.act(here.machines, machine.id, "stop")
    [disk] = here.disks_of(machine.id)
    [kept] = here.of(here.compute.vm_snaps.disks, vm_snap_id=moment.id)
    eventually(lambda: here.show(here.machines, machine.id).status.power_state == "stopped")
    here.power(machine.id, "running")
    with pytest.raises(Conflict, match="stop the guest"):
        here.act(here.volumes, disk.spec.bs_volume_id, "rollback", bs_snap_id=kept.spec.bs_snap_id)


def test_a_machine_goes_back_to_its_own_moments_only(here: ComputeInstallation) -> None:
    mine, other = here.with_disks(1, name="mine"), here.with_disks(1, name="other")
    moment = here.moment(other.id)
    with pytest.raises(Invalid, match="is not a snapshot of"):
        here.act(here.machines, mine.id, "rollback", vm_snap_id=moment.id)
    with pytest.raises(Invalid, match="there is no vm_snap"):
        here.act(here.machines, mine.id, "rollback", vm_snap_id=10**9)


def test_a_machine_that_went_back_has_the_devices_of_then(here: ComputeInstallation) -> None:
    network, other = here.network_id("a"), here.network_id("b")
    machine = here.with_disks(1, 1, vm_nics=[{"br_net_id": network}], vm_cd_roms=[{}])
    stays, leaves = here.disks_of(machine.id)
    [nic] = here.of(here.nics, vm_id=machine.id)
    [drive] = here.of(here.drives, vm_id=machine.id)
    for disk in (stays, leaves):
        here.active(here.disks, disk.id)
    here.write_to(leaves, b"before")
    moment = here.moment(machine.id)
    # since then: one disk taken out and one put in, the interface on another network and another one beside
    # it, and no drive
    here.remove(here.disks, leaves.id)
    added = here.create(here.disks, name="new", vm_id=machine.id, size_mb=1, bs_policy_id=here.default_policy)
    here.update(here.nics, nic.id, br_net_id=other)
    second = here.create(here.nics, name="second", vm_id=machine.id, br_net_id=other)
    here.remove(here.drives, drive.id)
    for service, part in ((here.disks, added), (here.nics, second)):
        here.active(service, part.id)
    here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
    here.active(here.machines, machine.id)
    here.gone(here.disks, added.id)
    here.gone(here.nics, second.id)
    disks = here.disks_of(machine.id)
    assert {disk.spec.bs_volume_id for disk in disks} == {
        stays.spec.bs_volume_id,
        leaves.spec.bs_volume_id,
    }
    assert here.read(here.volumes, leaves.spec.bs_volume_id, 0, 6) == b"before"
    assert here.show(here.volumes, added.spec.bs_volume_id).spec.size_mb == 1
    [found] = here.of(here.nics, vm_id=machine.id)
    assert (found.id, found.spec.br_net_id) == (nic.id, network)
    assert len(here.of(here.drives, vm_id=machine.id)) == 1


def test_an_interface_comes_back_with_its_address(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.machine(vm_nics=[{"br_net_id": network}])
    [nic] = here.of(here.nics, vm_id=machine.id)
    here.active(here.nics, nic.id)
    moment = here.moment(machine.id)
    here.remove(here.nics, nic.id)
    here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
    [again] = here.of(here.nics, vm_id=machine.id)
    assert again.spec.mac_address == nic.spec.mac_address


def test_a_network_that_is_gone_does_not_stand_in_the_way(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.machine(vm_nics=[{"br_net_id": network}])
    [nic] = here.of(here.nics, vm_id=machine.id)
    here.active(here.nics, nic.id)
    moment = here.moment(machine.id)
    here.remove(here.nics, nic.id)
    here.remove(here.network.br_nets, network)
    here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
    here.active(here.machines, machine.id)
    assert here.of(here.nics, vm_id=machine.id) == []
    assert [message for event, message in here.events() if "in_part" in event] == [
        f"web was rolled back without web-nic-1: br_net {network} is gone"
    ]


def test_a_disk_that_another_machine_has_by_now_stands_in_the_way(here: ComputeInstallation) -> None:
    machine, other = here.with_disks(1), here.machine("other")
    [disk] = here.disks_of(machine.id)
    moment = here.moment(machine.id)
    here.remove(here.disks, disk.id)
    taken = here.create(here.disks, name="taken", vm_id=other.id, bs_volume_id=disk.spec.bs_volume_id)
    with pytest.raises(Conflict, match=f"vm_disk {taken.id}"):
        here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)


# -- clones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flatten", [False, True])
def test_a_clone_starts_as_the_moment_was_and_goes_its_own_way(
    anywhere: ComputeInstallation, flatten: bool
) -> None:
    network = anywhere.network_id()
    machine = anywhere.with_disks(
        1, 1, vm_nics=[{"br_net_id": network}], vm_cd_roms=[{"bus": "ide"}], memory_mb=1024
    )
    for disk in anywhere.disks_of(machine.id):
        anywhere.active(anywhere.disks, disk.id)
        anywhere.write_to(disk, b"golden")
    moment = anywhere.moment(machine.id)
    for disk in anywhere.disks_of(machine.id):
        anywhere.write_to(disk, b"later!")
    copy = anywhere.copy(vm_snap_id=moment.id, flatten=flatten)
    assert (copy.spec.memory_mb, copy.spec.vm_snap_id, copy.spec.flattened) == (1024, moment.id, flatten)
    disks = anywhere.disks_of(copy.id)
    assert [disk.spec.boot for disk in disks] == [True, False]
    for disk in disks:
        assert anywhere.read_from(disk, 6) == b"golden"
        assert disk.spec.delete_volume_with_vm
    [nic], [theirs] = (anywhere.of(anywhere.nics, vm_id=id) for id in (copy.id, machine.id))
    assert nic.spec.mac_address != theirs.spec.mac_address
    assert [drive.spec.bus for drive in anywhere.of(anywhere.drives, vm_id=copy.id)] == ["ide"]
    expected = 0 if flatten else 1
    eventually(lambda: anywhere.show(anywhere.moments, moment.id).status.cloned_vm_num == expected)


def test_a_machine_can_be_cloned_as_it_is_now(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    [disk] = here.disks_of(machine.id)
    here.active(here.disks, disk.id)
    here.write_to(disk, b"now")
    copy = here.copy(vm_id=machine.id)
    here.write_to(disk, b"new")
    [mine] = here.disks_of(copy.id)
    assert here.read_from(mine, 3) == b"now"
    assert here.of(here.moments) == []
    assert copy.spec.vm_snap_id is None


def test_a_clone_can_run_at_once(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    copy = here.copy(vm_id=machine.id, power_state="running")
    assert eventually(lambda: here.show(here.machines, copy.id).status.power_state == "running")
    assert here.show(here.machines, machine.id).status.power_state == "running"
    uuids = {here.show(here.machines, id).status.uuid for id in (machine.id, copy.id)}
    assert len(uuids) == 2


def test_a_linked_clone_can_be_flattened(here: ComputeInstallation) -> None:
    moment = here.moment(here.with_disks(1).id)
    copy = here.copy(vm_snap_id=moment.id)
    here.act(here.machines, copy.id, "flatten")
    found = here.active(here.machines, copy.id)
    assert (found.spec.flattened, found.status.flattened) == (True, True)
    eventually(lambda: here.show(here.moments, moment.id).status.cloned_vm_num == 0)
    [disk] = here.disks_of(copy.id)
    assert here.show(here.volumes, disk.spec.bs_volume_id).status.flattened


def test_a_moment_can_go_before_its_clones_and_from_between_others(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    [disk] = here.disks_of(machine.id)
    here.active(here.disks, disk.id)
    moments = []
    for content in (b"one", b"two", b"six"):
        here.write_to(disk, content)
        moments.append(here.moment(machine.id, content.decode()))
    copy = here.copy(vm_snap_id=moments[1].id)
    here.remove(here.moments, moments[1].id)
    [mine] = here.disks_of(copy.id)
    assert here.read_from(mine, 3) == b"two"
    for moment, content in ((moments[2], b"six"), (moments[0], b"one")):
        here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
        here.active(here.volumes, disk.spec.bs_volume_id)
        assert here.read_from(disk, 3) == content


def test_a_clone_that_nothing_was_written_to_can_be_kept_in_turn(here: ComputeInstallation) -> None:
    # of its snapshot there is nothing to say but that it is there
    copy = here.copy(vm_snap_id=here.moment(here.with_disks(1).id).id)
    assert here.moment(copy.id).status.vm_id == copy.id


def test_a_clone_belongs_to_the_project_of_what_it_came_from(here: ComputeInstallation) -> None:
    machine = here.machine(access=NEIGHBOUR)
    assert here.ask_for_copy(vm_id=machine.id).spec.project_id == NEIGHBOUR.project_id
    with pytest.raises(Invalid, match="there is no virtual_machine"):
        here.ask_for_copy(MEMBER, vm_id=machine.id)


def test_the_moments_of_others_are_hidden(here: ComputeInstallation) -> None:
    machine = here.machine(access=NEIGHBOUR)
    moment = here.moment(machine.id)
    assert moment.spec.project_id == NEIGHBOUR.project_id
    with pytest.raises(NotFound):
        here.show(here.moments, moment.id, MEMBER)
    with pytest.raises(Invalid, match="there is no vm_snap"):
        here.ask_for_copy(MEMBER, vm_snap_id=moment.id)
    with pytest.raises(Invalid, match="there is no virtual_machine"):
        here.create(here.moments, MEMBER, name="mine", vm_id=machine.id)
