"""Passwords of consoles while the guest runs: changed at once, set first and removed at the next boot."""

from compute_installation import ComputeInstallation
from storage_installation import AnyResource, eventually
from stratal.compute.domain import MachineId


def asked_for(here: ComputeInstallation, machine: AnyResource) -> str | None:
    """What the consoles of the running guest ask for."""
    return here.world.machines[MachineId(machine.status.uuid)].password


def waiting(here: ComputeInstallation, machine: AnyResource) -> list[str]:
    return here.show(here.machines, machine.id).state.diff_fields.irreconcilable


def started_anew(here: ComputeInstallation, machine: AnyResource) -> AnyResource:
    here.power(machine.id, "stopped")
    here.power(machine.id, "running")
    return here.active(here.machines, machine.id)


def test_a_password_is_changed_while_the_guest_runs(here: ComputeInstallation) -> None:
    machine = here.machine(graphics_password="old", graphics_auth_enabled=True, power_state="running")
    assert asked_for(here, machine) == "old"
    here.update(here.machines, machine.id, graphics_password="new")
    eventually(lambda: asked_for(here, machine) == "new")
    assert waiting(here, machine) == []


def test_a_password_is_removed_at_the_next_boot_and_asked_for_until_then(here: ComputeInstallation) -> None:
    machine = here.machine(graphics_password="old", graphics_auth_enabled=True, power_state="running")
    here.update(here.machines, machine.id, graphics_auth_enabled=False, graphics_password="")
    eventually(lambda: waiting(here, machine) == ["graphics_auth_enabled"])
    assert here.active(here.machines, machine.id).status.graphics_auth_enabled
    assert asked_for(here, machine) == "old"
    assert not started_anew(here, machine).status.graphics_auth_enabled
    assert asked_for(here, machine) is None
    assert waiting(here, machine) == []


def test_the_first_password_of_a_running_guest_is_asked_for_from_the_next_boot_on(
    here: ComputeInstallation,
) -> None:
    machine = here.machine(power_state="running")
    here.update(here.machines, machine.id, graphics_auth_enabled=True, graphics_password="first")
    eventually(lambda: waiting(here, machine) == ["graphics_auth_enabled"])
    found = here.active(here.machines, machine.id)
    assert (found.status.problem, asked_for(here, machine)) == (None, None)
    assert started_anew(here, machine).status.graphics_auth_enabled
    assert asked_for(here, machine) == "first"


def test_a_console_that_takes_no_password_says_so_and_keeps_nothing_else_waiting(
    here: ComputeInstallation,
) -> None:
    machine = here.machine(graphics_password="old", graphics_auth_enabled=True, power_state="running")
    here.world.machines[MachineId(machine.status.uuid)].password = None
    here.update(here.machines, machine.id, graphics_password="new", name="other")
    eventually(
        lambda: "waits for the next boot" in (here.show(here.machines, machine.id).status.problem or "")
    )
    assert started_anew(here, machine).status.problem is None
    assert asked_for(here, machine) == "new"
