"""Disks, interfaces and drives: put in, changed, taken out, of machines that run and that do not."""

from datetime import timedelta

import pytest

from compute_installation import ComputeInstallation
from storage_installation import MEMBER, NEIGHBOUR, eventually
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.state import State


def test_a_volume_is_the_disk_of_one_machine_at_most(here: ComputeInstallation) -> None:
    volume = here.volume()
    first, second = here.machine("first"), here.machine("second")
    disk = here.create(here.disks, name="data", vm_id=first.id, bs_volume_id=volume)
    with pytest.raises(Conflict, match=f"vm_disk {disk.id}, which belongs to virtual_machine {first.id}"):
        here.create(here.disks, name="data", vm_id=second.id, bs_volume_id=volume)
    with pytest.raises(Conflict, match=f"vm_disk {disk.id}"):
        here.delete(here.volumes, volume)
    here.active(here.disks, disk.id)
    here.remove(here.disks, disk.id)
    here.create(here.disks, name="data", vm_id=second.id, bs_volume_id=volume)


def test_a_volume_is_not_another_s_before_its_guest_has_let_go(here: ComputeInstallation) -> None:
    volume = here.volume()
    first, second = here.machine("first"), here.machine("second")
    disk = here.create(here.disks, name="data", vm_id=first.id, bs_volume_id=volume)
    here.active(here.disks, disk.id)
    here.stop_engine()
    here.delete(here.disks, disk.id)
    with pytest.raises(Conflict, match="is still being detached"):
        here.create(here.disks, name="data", vm_id=second.id, bs_volume_id=volume)
    with pytest.raises(Conflict):
        here.delete(here.volumes, volume)


def test_a_volume_of_another_project_is_not_there(here: ComputeInstallation) -> None:
    theirs = here.volume(access=NEIGHBOUR)
    machine = here.machine(access=MEMBER)
    with pytest.raises(Invalid, match="there is no bs_volume"):
        here.create(here.disks, MEMBER, name="theirs", vm_id=machine.id, bs_volume_id=theirs)
    with pytest.raises(Invalid, match="another project"):
        here.create(here.disks, name="theirs", vm_id=machine.id, bs_volume_id=theirs)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "spec.bs_volume_id"),
        ({"bs_volume_id": 1, "size_mb": 1}, "spec.size_mb"),
        ({"bs_volume_id": 1, "vm_image_id": 1}, "spec.vm_image_id"),
        ({"bs_volume_id": 1, "bs_policy_id": 1}, "spec.bs_policy_id"),
        ({"size_mb": 1}, "spec.bs_policy_id"),
        ({"size_mb": 1, "bs_policy_id": 1, "max_total_iops": 1}, "spec.max_total_iops"),
        ({"vm_id": 10**9}, "spec.vm_id"),
    ],
)
def test_a_disk_is_one_volume_that_exists_or_a_new_one(
    here: ComputeInstallation, wrong: dict[str, int], field: str
) -> None:
    spec = {"name": "disk", "vm_id": here.machine().id, **wrong}
    with pytest.raises(Invalid) as refused:
        here.create(here.disks, **spec)
    assert refused.value.fields["field"] == field


def test_a_disk_comes_to_a_running_guest_and_goes(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    disk = here.create(here.disks, name="data", vm_id=machine.id, size_mb=1, bs_policy_id=here.default_policy)
    disk = here.active(here.disks, disk.id)
    assert (disk.status.attached, disk.status.device) == (True, "vdb")
    here.remove(here.disks, disk.id)
    volume = here.show(here.volumes, disk.spec.bs_volume_id)
    assert eventually(lambda: not here.show(here.volumes, volume.id).status.loaded)
    [job] = here.of(here.compute.jobs.disks, vm_disk_id=disk.id)
    assert job.spec.reason == "detach"
    here.remove(here.volumes, volume.id)


def test_a_place_is_kept_whatever_comes_and_goes_beside_it(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, 1, 1)
    disks = here.disks_of(machine.id)
    places = [here.active(here.disks, disk.id).status.device for disk in disks]
    assert places == ["vda", "vdb", "vdc"]
    here.remove(here.disks, disks[1].id)
    assert here.show(here.disks, disks[2].id).status.device == "vdc"
    more = here.create(here.disks, name="more", vm_id=machine.id, size_mb=1, bs_policy_id=here.default_policy)
    assert here.active(here.disks, more.id).status.device == "vdb"


def test_a_disk_that_grows_lets_its_volume_grow_and_the_other_way_round(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    [disk] = here.disks_of(machine.id)
    here.active(here.disks, disk.id)
    here.update(here.disks, disk.id, size_mb=3)
    assert here.active(here.disks, disk.id).status.size_mb == 3
    assert here.show(here.volumes, disk.spec.bs_volume_id).spec.size_mb == 3
    with pytest.raises(Invalid, match="only ever grow"):
        here.update(here.disks, disk.id, size_mb=2)
    here.update(here.volumes, disk.spec.bs_volume_id, size_mb=5, max_total_iops=2000)
    eventually(lambda: here.show(here.disks, disk.id).spec.size_mb == 5)
    found = here.active(here.disks, disk.id)
    assert (found.status.size_mb, found.spec.max_total_iops) == (5, 2000)


def test_the_speed_of_a_disk_is_that_of_its_volume(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    [disk] = here.disks_of(machine.id)
    here.update(here.disks, disk.id, max_total_iops=5000)
    assert here.show(here.volumes, disk.spec.bs_volume_id).spec.max_total_iops == 5000
    volume = here.volume("slow", max_total_iops=3000)
    other = here.create(here.disks, name="slow", vm_id=machine.id, bs_volume_id=volume)
    assert other.spec.max_total_iops == 3000


def test_a_guest_boots_from_one_disk(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, 1)
    _, second = here.disks_of(machine.id)
    here.update(here.disks, second.id, boot=True)
    assert [disk.spec.boot for disk in here.disks_of(machine.id)] == [False, True]
    third = here.create(
        here.disks, name="third", vm_id=machine.id, size_mb=1, bs_policy_id=here.default_policy, boot=True
    )
    assert [disk.id for disk in here.disks_of(machine.id) if disk.spec.boot] == [third.id]


def test_a_disk_changes_its_bus_only_while_its_machine_is_stopped(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    [disk] = here.disks_of(machine.id)
    with pytest.raises(Conflict, match="must be stopped"):
        here.update(here.disks, disk.id, bus="scsi")
    here.power(machine.id, "stopped")
    here.active(here.machines, machine.id)
    here.update(here.disks, disk.id, bus="scsi")
    eventually(lambda: here.show(here.disks, disk.id).status.device == "sda")


def test_what_shares_with_an_image_or_a_snapshot_makes_its_machine_share(here: ComputeInstallation) -> None:
    machine = here.with_disks(1)
    assert machine.spec.flattened
    linked = here.clone(here.snapshot(here.volume("source")))
    here.create(here.disks, name="linked", vm_id=machine.id, bs_volume_id=linked)
    assert not here.show(here.machines, machine.id).spec.flattened
    here.act(here.machines, machine.id, "flatten")
    assert here.active(here.machines, machine.id).status.flattened


# -- interfaces ------------------------------------------------------------------------------------------


def test_an_interface_has_an_address_of_its_own(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.machine(vm_nics=[{"br_net_id": network}, {"br_net_id": network}])
    first, second = (nic.spec.mac_address for nic in here.of(here.nics, vm_id=machine.id))
    assert first != second
    assert int(first[:2], 16) & 0b11 == 0b10, "locally administered, of a single interface"
    with pytest.raises(Conflict, match="mac_address"):
        here.create(here.nics, name="twin", vm_id=machine.id, br_net_id=network, mac_address=first.upper())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"mac_address": "01:00:5e:00:00:01"}, "spec.mac_address"),
        ({"mac_address": "ff:ff:ff:ff:ff:ff"}, "spec.mac_address"),
        ({"mac_address": "00-00-00-00-00-00"}, "spec.mac_address"),
        ({"ip_address": "10.0.0"}, "spec.ip_address"),
        ({"ip_address": "192.0.2.7"}, "spec.ip_address"),
        ({"ip_address": "10.1.2.255"}, "spec.ip_address"),
        ({"ip_address": "2001:db8::7"}, "spec.ip_address"),
        ({"ip_address": "10.1.2.7", "br_net_id": 10**9}, "spec.br_net_id"),
        ({"model": "e1000", "queue_num": 2}, "spec.queue_num"),
        ({"br_net_id": 10**9}, "spec.br_net_id"),
    ],
)
def test_an_interface_that_cannot_be_is_refused_by_the_field(
    here: ComputeInstallation, wrong: dict[str, object], field: str
) -> None:
    network = here.network_id(cidr="10.1.2.0/24")
    spec = {"name": "nic", "vm_id": here.machine().id, "br_net_id": network, **wrong}
    with pytest.raises(Invalid) as refused:
        here.create(here.nics, **spec)
    assert refused.value.fields["field"] == field


def test_an_address_is_kept_for_one_interface_of_a_network(here: ComputeInstallation) -> None:
    network = here.network_id(cidr="10.1.2.0/24")
    machine = here.machine()
    nic = {"vm_id": machine.id, "br_net_id": network, "ip_address": "10.1.2.7"}
    here.create(here.nics, name="first", **nic)
    with pytest.raises(Conflict, match=r"10\.1\.2\.7"):
        here.create(here.nics, name="second", **nic)


def test_an_interface_of_a_running_guest_is_unplugged_moved_and_taken_out(here: ComputeInstallation) -> None:
    network, other = here.network_id("a"), here.network_id("b")
    machine = here.with_disks(1, vm_nics=[{"br_net_id": network}], power_state="running")
    [nic] = here.of(here.nics, vm_id=machine.id)
    assert here.active(here.nics, nic.id).status.link_up
    here.update(here.nics, nic.id, link_up=False, br_net_id=other)
    eventually(lambda: not here.show(here.nics, nic.id).status.link_up)
    with pytest.raises(Conflict, match="must be stopped"):
        here.update(here.nics, nic.id, model="e1000")
    here.remove(here.nics, nic.id)
    [job] = here.of(here.compute.jobs.nics, vm_nic_id=nic.id)
    assert job.spec.reason == "detach"


def test_a_network_with_guests_stays(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.machine(vm_nics=[{"br_net_id": network}])
    with pytest.raises(Conflict, match="vm_nic"):
        here.delete(here.network.br_nets, network)
    here.remove(here.machines, machine.id)
    eventually(lambda: here.of(here.nics, vm_id=machine.id) == [])
    here.remove(here.network.br_nets, network)


# -- rules -----------------------------------------------------------------------------------------------


def test_a_rule_says_which_machines_are_where_it_does_not_want_them(here: ComputeInstallation) -> None:
    machines = [here.with_disks(1, name=name, power_state="running").id for name in ("a", "b")]
    rules = here.compute.vm_scheduling_rules
    [node] = here.database.read(lambda tx: here.cluster.nodes.store.find(tx))
    apart = here.create(rules, name="apart", type="vm_anti_affinity", vm_ids=machines)
    together = here.create(rules, name="together", type="vm_affinity", vm_ids=machines)
    away = here.create(rules, name="away", type="node_anti_affinity", vm_ids=machines[:1], node_ids=[node.id])
    off = here.create(rules, name="off", type="vm_anti_affinity", vm_ids=machines, enabled=False)
    expected = {apart.id: machines, together.id: [], away.id: machines[:1]}
    for id, violating in expected.items():
        found = here.active(rules, id)
        assert (found.status.satisfied, found.status.violating_vm_ids) == (not violating, violating)
    assert here.active(rules, off.id).status.satisfied is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"vm_ids": [10**9, 1]}, "spec.vm_ids[0]"),
        ({"vm_ids": [1, 1]}, "spec.vm_ids[1]"),
        ({"vm_ids": [1]}, "spec.vm_ids"),
        ({"node_ids": [1]}, "spec.node_ids"),
        ({"type": "node_affinity"}, "spec.node_ids"),
        ({"type": "node_affinity", "node_ids": [10**9]}, "spec.node_ids[0]"),
    ],
)
def test_a_rule_about_what_is_not_there_is_refused(
    here: ComputeInstallation, wrong: dict[str, object], field: str
) -> None:
    ids = [here.machine(name).id for name in ("a", "b")]
    assert ids == [1, 2]
    spec = {"name": "rule", "type": "vm_affinity", "vm_ids": ids, **wrong}
    with pytest.raises(Invalid) as refused:
        here.create(here.compute.vm_scheduling_rules, **spec)
    assert refused.value.fields["field"] == field


def test_a_rule_names_machines_of_its_own_project_only(here: ComputeInstallation) -> None:
    ids = [here.machine("mine").id, here.machine("theirs", NEIGHBOUR).id]
    with pytest.raises(Invalid, match="there is no virtual_machine"):
        here.create(here.compute.vm_scheduling_rules, name="rule", type="vm_affinity", vm_ids=ids)


# -- jobs ------------------------------------------------------------------------------------------------


def test_jobs_that_ended_long_ago_are_forgotten(here: ComputeInstallation) -> None:
    here.remove(here.machines, here.with_disks(1).id)
    jobs = here.compute.jobs
    services = (jobs.machines, jobs.disks)
    for service in services:
        [job] = here.of(service)
        eventually(lambda service=service, id=job.id: here.show(service, id).status.stage == "finished")
    forget = here.compute.chores["forget_finished_vm_jobs"]
    assert forget() == 0
    long_ago = here.database.clock.now() - timedelta(days=2)
    for service in services:
        statement = service.kind.tables.status.update().values(finished_at=long_ago)
        here.database.write(lambda tx, statement=statement: tx.execute(statement))
    assert forget() == 2
    for service in services:
        eventually(lambda service=service: here.of(service) == [])


def test_a_disk_that_is_being_made_says_so(here: ComputeInstallation) -> None:
    here.script.delay("create", 0.5)
    machine = here.ask_for_machine(vm_disks=[{"size_mb": 1, "bs_policy_id": here.default_policy}])
    [disk] = here.disks_of(machine.id)
    assert disk.state.state is State.CREATING
    here.active(here.disks, disk.id)
