"""Guests that end, stall or refuse by themselves, and what is said of it."""

from collections.abc import Callable

from compute_installation import ComputeInstallation
from storage_installation import AnyResource, eventually
from stratal.compute.domain import MachineId
from stratal.kernel.errors import Unavailable


def status(here: ComputeInstallation, id: int, true: Callable[[AnyResource], object]) -> AnyResource:
    return eventually(lambda: (found := here.show(here.machines, id)) and true(found.status) and found)


def test_a_guest_that_crashes_as_it_is_asked_to_stop_is_stopped(here: ComputeInstallation) -> None:
    here.world.guest.obeys_power_button = False
    machine = here.with_disks(1, power_state="running")
    here.act(here.machines, machine.id, "stop")
    here.world.crash(MachineId(machine.status.uuid))
    status(here, machine.id, lambda found: found.power_state == "stopped")
    here.active(here.machines, machine.id)


def test_a_guest_whose_disk_takes_no_more_goes_on_and_it_is_said_why_it_stood_still(
    here: ComputeInstallation,
) -> None:
    machine = here.with_disks(1, power_state="running")
    for _ in range(2):  # the second time it has to wait a little
        here.world.refuse_writes(MachineId(machine.status.uuid))
        status(here, machine.id, lambda found: found.problem and "full" in found.problem)
        status(here, machine.id, lambda found: found.power_state == "running")
    found = status(here, machine.id, lambda found: found.problem is None)
    assert found.status.power_state == "running"


def test_a_snapshot_that_fails_is_told_of_and_keeps_nothing_else_waiting(here: ComputeInstallation) -> None:
    machine = here.with_disks(1, power_state="running")
    here.script.fail("snapshot", lambda: Unavailable(reason="there is no room"), times=10**6)
    made = here.create(here.moments, name="s", vm_id=machine.id)
    status(here, machine.id, lambda found: found.problem and "no room" in found.problem)
    here.act(here.machines, machine.id, "reboot")
    status(here, machine.id, lambda found: found.reboot_num == 1)
    here.script.clear()
    here.active(here.moments, made.id)
    status(here, machine.id, lambda found: found.problem is None)
