"""Virtual machines: made, started, changed, stopped, deleted, with all that belongs to them."""

import msgspec
import pytest

from compute_installation import ComputeInstallation, VirtualMachineClone
from storage_installation import MEMBER, NEIGHBOUR, eventually
from stratal.compute.vm_disk.model import NewDisk
from stratal.compute.vm_nic.model import NewNic
from stratal.kernel.errors import Conflict, Invalid, NotFound


def refused(field: str) -> "pytest.RaisesExc[Invalid]":
    """That a request is refused by this field."""
    return pytest.raises(Invalid, check=lambda error: error.fields["field"] == field)


def test_a_machine_is_made_with_all_that_belongs_to_it(anywhere: ComputeInstallation) -> None:
    network = anywhere.network_id()
    machine = anywhere.with_disks(1, 2, vm_nics=[{"br_net_id": network}], vm_cd_roms=[{}])
    disks = anywhere.disks_of(machine.id)
    assert [disk.spec.name for disk in disks] == ["web-disk-1", "web-disk-2"]
    assert [disk.spec.size_mb for disk in disks] == [1, 2]
    assert [disk.spec.boot for disk in disks] == [True, False]
    [nic] = anywhere.of(anywhere.nics, vm_id=machine.id)
    [drive] = anywhere.of(anywhere.drives, vm_id=machine.id)
    for disk in disks:
        anywhere.active(anywhere.disks, disk.id)
    anywhere.active(anywhere.nics, nic.id)
    anywhere.active(anywhere.drives, drive.id)
    machine = anywhere.show(anywhere.machines, machine.id)
    assert (machine.status.vm_disk_num, machine.status.vm_nic_num) == (2, 1)
    assert machine.status.power_state == "stopped"


def test_a_machine_that_is_wanted_running_runs_with_its_devices(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.with_disks(1, vm_nics=[{"br_net_id": network}], power_state="running")
    assert machine.status.power_state == "running"
    [disk] = here.disks_of(machine.id)
    [nic] = here.of(here.nics, vm_id=machine.id)
    disk, nic = here.active(here.disks, disk.id), here.active(here.nics, nic.id)
    assert (disk.status.attached, disk.status.device, disk.status.size_mb) == (True, "vda", 1)
    assert nic.status.link_up
    volume = eventually(
        lambda: (found := here.show(here.volumes, disk.spec.bs_volume_id)).status.loaded and found
    )
    assert (volume.status.vm_disk_id, volume.status.mapping_num) == (disk.id, 1)
    assert here.active(here.volumes, volume.id).spec.loaded
    assert volume.status.protocol == "simulated"
    assert disk.status.serial == volume.spec.serial


def test_a_machine_can_be_started_stopped_and_rebooted(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    here.power(machine.id, "running")
    here.act(here.machines, machine.id, "reboot")
    found = here.active(here.machines, machine.id)
    assert (found.spec.reboot_num, found.status.reboot_num) == (1, 1)
    here.power(machine.id, "stopped")
    with pytest.raises(Conflict, match="start it instead"):
        here.act(here.machines, machine.id, "reboot")


def test_a_machine_is_stopped_unless_it_is_to_run(here: ComputeInstallation) -> None:
    assert here.machine().spec.power_state == "stopped"


def test_all_of_a_machine_belongs_to_its_project(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    with pytest.raises(NotFound):
        here.show(here.machines, machine.id, NEIGHBOUR)
    [disk] = here.disks_of(machine.id)
    with pytest.raises(NotFound):
        here.show(here.disks, disk.id, NEIGHBOUR)
    with refused("spec.vm_id"):
        here.create(here.disks, NEIGHBOUR, name="mine", vm_id=machine.id, size_mb=1)
    assert disk.spec.project_id == MEMBER.project_id


def test_an_administrator_s_part_belongs_to_the_machine_s_project(here: ComputeInstallation) -> None:
    machine = here.machine(access=NEIGHBOUR)
    disk = here.create(here.disks, name="data", vm_id=machine.id, size_mb=1, bs_policy_id=here.default_policy)
    assert disk.spec.project_id == NEIGHBOUR.project_id
    assert here.show(here.volumes, disk.spec.bs_volume_id).spec.project_id == NEIGHBOUR.project_id


# -- what is wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cpu_num": 3, "core_num_per_socket": 2}, "spec.cpu_num"),
        ({"time_zone": "Mars/Olympus"}, "spec.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "spec.time_zone"),
        ({"boot_device_order": ["disk", "disk"]}, "spec.boot_device_order"),
        ({"graphics_auth_enabled": True}, "spec.graphics_password"),
        ({"graphics_password": "ninechars"}, "spec.graphics_password"),
        ({"graphics_password": "päss"}, "spec.graphics_password"),
        ({"encrypted_graphics_password": "cipher"}, "spec.graphics_password"),
        ({"encrypted_graphics_password": "x", "rsa_key_id": "key-1"}, "spec.encrypted_graphics_password"),
        ({"node_id": 10**9}, "spec.node_id"),
        ({"os_release_id": 10**9}, "spec.os_release_id"),
        ({"vm_disks": [{"size_mb": 1}]}, "spec.vm_disks[0].bs_policy_id"),
        ({"vm_disks": [{}]}, "spec.vm_disks[0].bs_volume_id"),
        ({"vm_disks": [{"bs_volume_id": 10**9}]}, "spec.vm_disks[0].bs_volume_id"),
        ({"vm_disks": [{"vm_image_id": 10**9}]}, "spec.vm_disks[0].vm_image_id"),
        ({"vm_disks": [{"size_mb": 1, "bs_policy_id": 10**9}]}, "spec.vm_disks[0].bs_policy_id"),
        ({"vm_nics": [{"br_net_id": 10**9}]}, "spec.vm_nics[0].br_net_id"),
        ({"vm_cd_roms": [{"vm_image_id": 10**9}]}, "spec.vm_cd_roms[0].vm_image_id"),
    ],
)
def test_a_machine_that_cannot_be_is_refused_by_the_field_and_leaves_nothing(
    here: ComputeInstallation, wrong: dict[str, object], field: str
) -> None:
    with refused(field):
        here.ask_for_machine(**wrong)
    assert here.of(here.machines) == here.of(here.disks) == here.of(here.volumes) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory_mb": 15},
        {"memory_mb": 2**40},
        {"cpu_num": 256},
        {"cpu_num": 0},
        {"boot_device_order": ["floppy"]},
        {"boot_device_order": []},
        {"bios": "coreboot"},
        {"cpu_mode": "pentium"},
        {"power_state": "paused"},
        {"vm_disks": [{"size_mb": 1, "bus": "nvme"}]},
        {"vm_disks": [{"size_mb": 1}] * 33},
        {"vm_nics": [{"br_net_id": 1, "mac_address": "02:00"}]},
        {"vm_cd_roms": [{"bus": "virtio"}]},
        {"name": ""},
        {"uuid": "mine"},
    ],
)
def test_what_the_types_of_a_body_do_not_allow_is_refused(
    here: ComputeInstallation, wrong: dict[str, object]
) -> None:
    body = {"name": "web", "memory_mb": 512, **wrong}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, here.compute.virtual_machines.create_body)


def test_a_bus_has_only_so_many_places(here: ComputeInstallation) -> None:
    policy = here.default_policy
    disks = [{"size_mb": 1, "bs_policy_id": policy, "bus": "ide"}] * 3
    with refused("spec.vm_cd_roms[1].bus"):
        here.ask_for_machine(vm_disks=disks, vm_cd_roms=[{"bus": "ide"}, {"bus": "ide"}])
    machine = here.machine(vm_disks=disks, vm_cd_roms=[{"bus": "ide"}])
    with refused("spec.bus"):
        here.create(here.drives, name="one more", vm_id=machine.id, bus="ide")
    devices = [*here.disks_of(machine.id), *here.of(here.drives, vm_id=machine.id)]
    assert len(devices) == 4


def test_a_machine_has_only_so_many_disks(here: ComputeInstallation) -> None:
    disk = NewDisk(size_mb=1, bs_policy_id=here.default_policy)
    machine = here.machine(vm_disks=[msgspec.structs.replace(disk)] * 32)
    with pytest.raises(Conflict, match="32 disks"):
        here.create(here.disks, name="more", vm_id=machine.id, size_mb=1, bs_policy_id=here.default_policy)


def test_a_machine_has_only_so_many_interfaces(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.machine(vm_nics=[NewNic(br_net_id=network)] * 16)
    with pytest.raises(Conflict, match="16 interfaces"):
        here.create(here.nics, name="more", vm_id=machine.id, br_net_id=network)


# -- changes ---------------------------------------------------------------------------------------------


def test_what_a_running_guest_cannot_follow_takes_effect_at_its_next_boot(
    here: ComputeInstallation,
) -> None:
    machine = here.with_disks(1, power_state="running")
    here.update(here.machines, machine.id, memory_mb=1024, cpu_num=2)
    found = here.active(here.machines, machine.id)
    differing = eventually(lambda: here.show(here.machines, machine.id).state.diff_fields.irreconcilable)
    assert set(differing) >= {"memory_mb", "cpu_num"}
    assert (found.status.memory_mb, found.status.cpu_num) == (512, 1)
    here.power(machine.id, "stopped")
    here.power(machine.id, "running")
    found = here.active(here.machines, machine.id)
    assert found.state.diff_fields.irreconcilable == []
    assert (found.status.memory_mb, found.status.cpu_num) == (1024, 2)


def test_a_stopped_machine_follows_at_once(here: ComputeInstallation) -> None:
    machine = here.machine()
    here.update(here.machines, machine.id, memory_mb=1024, time_zone="Europe/Vienna", name="db")
    found = here.active(here.machines, machine.id)
    assert (found.status.memory_mb, found.status.time_zone) == (1024, "Europe/Vienna")
    assert found.state.diff_fields.irreconcilable == []


def test_a_machine_cannot_go_where_there_is_no_other_node(here: ComputeInstallation) -> None:
    machine = here.machine()
    for verb in ("migrate", "failure-migrate"):
        with pytest.raises(Conflict, match="no other node"):
            here.act(here.machines, machine.id, verb)
    assert here.of(here.compute.jobs.migrations) == []


# -- deletion --------------------------------------------------------------------------------------------


def test_a_machine_takes_its_own_disks_with_it_and_leaves_those_of_others(
    here: ComputeInstallation,
) -> None:
    data = here.volume("data")
    machine = here.with_disks(1, power_state="running")
    here.create(here.disks, name="data", vm_id=machine.id, bs_volume_id=data)
    own, theirs = here.disks_of(machine.id)
    here.active(here.disks, theirs.id)
    here.remove(here.machines, machine.id)
    here.gone(here.disks, own.id)
    here.gone(here.disks, theirs.id)
    here.gone(here.volumes, own.spec.bs_volume_id)
    found = eventually(lambda: (volume := here.show(here.volumes, data)).status.vm_disk_id is None and volume)
    assert not found.status.loaded
    assert here.world.machines == {}


def test_a_machine_stays_while_a_volume_that_is_to_go_with_it_has_snapshots(
    here: ComputeInstallation,
) -> None:
    machine = here.with_disks(1)
    [disk] = here.disks_of(machine.id)
    snap = here.snapshot(disk.spec.bs_volume_id)
    with pytest.raises(Conflict, match="delete_volume_with_vm"):
        here.delete(here.machines, machine.id)
    here.update(here.disks, disk.id, delete_volume_with_vm=False)
    here.remove(here.machines, machine.id)
    assert here.show(here.snaps, snap).spec.bs_volume_id == disk.spec.bs_volume_id


def test_what_is_being_deleted_can_be_seen_as_jobs_which_end(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.with_disks(1, vm_nics=[{"br_net_id": network}], power_state="running")
    here.remove(here.machines, machine.id)
    jobs = here.compute.jobs
    for service in (jobs.machines, jobs.disks, jobs.nics):
        [job] = here.of(service, vm_id=machine.id)
        assert job.spec.reason == "delete"
        eventually(lambda service=service, id=job.id: here.show(service, id).status.stage == "finished")
        assert here.show(service, job.id).status.finished_at is not None


def test_a_clone_body_names_what_is_cloned(here: ComputeInstallation) -> None:
    with refused("spec.vm_snap_id"):
        here.ask_for_copy()
    with refused("spec.vm_snap_id"):
        here.ask_for_copy(vm_snap_id=10**9)
    with refused("spec.vm_id"):
        here.ask_for_copy(vm_id=10**9)
    assert VirtualMachineClone(name="x").power_state == "stopped"
