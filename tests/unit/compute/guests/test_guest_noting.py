"""What is written down of a machine and its parts, from what was seen."""

from typing import Any

from wanted_machines import NOW, disk, drive, nic, seen, wanted, with_status

from stratal.compute.domain import AgentState, CdRomState, GraphicsPorts, Machine, PowerState
from stratal.compute.guests import noting
from stratal.compute.guests.wanted import Wanted
from stratal.compute.parts import Part, PartKind
from stratal.compute.virtual_machine.model import VirtualMachineStatus, WantedPower


def status(
    machine: Wanted, guest: Machine | None, *, booted: bool = False, **more: Any
) -> VirtualMachineStatus:
    given: dict[str, Any] = {"node_id": 1, "accelerator": "tcg", "addresses": {}, **more}
    return noting.status_of(machine, guest, booted=booted, **given)


def parts(machine: Wanted, guest: Machine | None, **more: Any) -> dict[tuple[PartKind, int], Part]:
    given: dict[str, Any] = {
        "sizes": {},
        "ports": {},
        "addresses": {},
        "problems": {},
        "settled": True,
        **more,
    }
    return {(each.kind, each.id): each for each in noting.parts_of(machine, guest, **given)}


def test_a_guest_keeps_what_it_was_booted_with_and_the_rest_is_irreconcilable() -> None:
    booted = status(wanted(memory_mb=512), seen(wanted()), booted=True)
    assert booted.memory_mb == 512
    changed = with_status(
        wanted(memory_mb=1024, time_zone="localtime"),
        **{name: getattr(booted, name) for name in noting.BOOTED},
    )
    later = status(changed, seen(changed))
    assert later.memory_mb == 512
    assert set(noting.irreconcilable(changed.spec, later)) == {"memory_mb", "time_zone"}
    assert noting.irreconcilable(changed.spec, status(changed, None)) == {}
    assert noting.irreconcilable(changed.spec, status(changed, seen(changed), booted=True)) == {}


def test_a_guest_that_runs_is_shown_with_where_and_how() -> None:
    machine = wanted(nics=(nic(1), nic(2)))
    guest = seen(machine, graphics=GraphicsPorts(vnc=5901, spice=5902), agent=AgentState.CONNECTED)
    found = status(machine, guest, addresses={1: ("10.0.0.2", "10.0.0.1"), 2: ("10.0.0.1",)})
    assert (found.power_state, found.node_id, found.accelerator) == (PowerState.RUNNING, 1, "tcg")
    assert (found.graphics_port, found.spice_port) == (5901, 5902)
    assert found.guest_agent_state is AgentState.CONNECTED
    assert found.ip_addresses == ["10.0.0.1", "10.0.0.2"]


def test_nothing_of_a_guest_is_shown_that_has_ended() -> None:
    machine = with_status(wanted(), node_id=1, graphics_port=5901, ip_addresses=["10.0.0.1"])
    for guest in (None, seen(machine, power_state=PowerState.STOPPED)):
        found = status(machine, guest, addresses={1: ("10.0.0.1",)})
        assert (found.node_id, found.accelerator, found.graphics_port, found.ip_addresses) == (
            *(None, None, None),
            [],
        )


def test_a_guest_that_crashed_is_shown_so_until_it_is_to_be_stopped() -> None:
    running, stopped = wanted(), wanted(power_state=WantedPower.STOPPED)
    assert status(running, seen(running, power_state=PowerState.CRASHED)).power_state is PowerState.CRASHED
    assert status(stopped, seen(stopped, power_state=PowerState.CRASHED)).power_state is PowerState.STOPPED


def test_parts_on_their_way_out_are_not_counted_and_snapshots_are() -> None:
    machine = wanted(
        disks=(disk(1), disk(2, deletion_begin=NOW)),
        nics=(nic(1, deletion_begin=NOW),),
        cd_roms=(drive(1),),
        changes={"snapshot_num": 3},
    )
    found = status(machine, None)
    counts = (found.vm_disk_num, found.vm_nic_num, found.vm_cd_rom_num, found.vm_snap_num)
    assert counts == (1, 0, 1, 3)


def test_a_disk_is_attached_where_the_guest_has_it_and_of_the_size_that_it_sees() -> None:
    machine = wanted(disks=(disk(1), disk(2)))
    guest = seen(machine)
    half = seen(machine, disks={"vda": guest.disks["vda"]})
    first, second = parts(machine, half, sizes={"vda": 5 * 2**20}).values()
    assert (first.attached, first.settled, first.size_mb, first.device) == (True, True, 5, "vda")
    assert (second.attached, second.settled, second.size_mb) == (False, False, None)


def test_a_part_is_let_go_of_only_where_it_shall_go_and_the_guest_has_it_no_more() -> None:
    machine = wanted(disks=(disk(1, deletion_begin=NOW), disk(2)), nics=(nic(1, deletion_begin=NOW),))
    held, none = parts(machine, seen(machine)), parts(machine, None)
    for key in ((PartKind.DISK, 1), (PartKind.NIC, 1)):
        assert (held[key].released, none[key].released) == (False, True)
    assert not none[PartKind.DISK, 2].released


def test_a_guest_without_a_process_has_nothing_whatever_is_known_of_it() -> None:
    machine = wanted(disks=(disk(1),), nics=(nic(1),), cd_roms=(drive(1),))
    for part in parts(machine, seen(machine, power_state=PowerState.STOPPED)).values():
        assert (part.attached, part.settled, part.released) == (False, True, False)


def test_a_drive_tells_whether_something_is_in_it_and_an_interface_its_link() -> None:
    machine = wanted(nics=(nic(1),), cd_roms=(drive(1),))
    guest = seen(machine, cd_roms={"sda": CdRomState(target="sda", medium=(), tray_open=False)})
    found = parts(machine, guest, ports={1: 7}, addresses={1: ("10.0.0.1",)})
    assert (found[PartKind.CD_ROM, 1].attached, found[PartKind.CD_ROM, 1].inserted) == (True, False)
    interface = found[PartKind.NIC, 1]
    assert (interface.device, interface.bridge_id, interface.link_up) == ("tap1", 7, True)
    assert interface.ip_addresses == ("10.0.0.1",)


def test_a_part_carries_its_own_problem() -> None:
    machine = wanted(disks=(disk(1), disk(2)))
    found = parts(machine, seen(machine), problems={(PartKind.DISK, 2): "no"})
    assert (found[PartKind.DISK, 1].problem, found[PartKind.DISK, 2].problem) == (None, "no")
