"""Virtual machines: made, started, changed, stopped, deleted, with all that belongs to them."""

from compute_installation import ComputeInstallation


def test_a_machine_is_made_with_all_that_belongs_to_it(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.with_disks(1, 2, vm_nics=[{"br_net_id": network}], vm_cd_roms=[{}])
    disks = here.disks_of(machine.id)
    assert [disk.spec.name for disk in disks] == ["web-disk-1", "web-disk-2"]
    assert [disk.spec.size_mb for disk in disks] == [1, 2]
    assert [disk.spec.boot for disk in disks] == [True, False]
    for disk in disks:
        here.active(here.disks, disk.id)
    [nic] = here.of(here.nics, vm_id=machine.id)
    [drive] = here.of(here.drives, vm_id=machine.id)
    here.active(here.nics, nic.id)
    here.active(here.drives, drive.id)
    machine = here.show(here.machines, machine.id)
    assert (machine.status.vm_disk_num, machine.status.vm_nic_num) == (2, 1)
    assert machine.status.power_state == "stopped"
