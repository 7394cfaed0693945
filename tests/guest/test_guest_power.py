"""Starts and ends of the guest: restarts, the power button, panics, the words of its command line."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guest import qemu
from guest.built import GuestFiles, fast_guest  # noqa: F401
from guest.control import GuestSilent

pytestmark = pytest.mark.xdist_group("guest")


@pytest.fixture
def start(fast_guest: GuestFiles, tmp_path: Path) -> Iterator[Callable[..., qemu.Qemu]]:  # noqa: F811
    """Starts a machine with words for its kernel's command line."""
    reason = qemu.why_not()
    if reason is not None:
        pytest.skip(reason)
    machines: list[qemu.Qemu] = []

    def start(*options: str) -> qemu.Qemu:
        arguments = ["-kernel", fast_guest.vmlinux, "-initrd", fast_guest.initramfs]
        machine = qemu.Qemu(
            tmp_path / "q", *arguments, "-append", " ".join([fast_guest.command_line, *options])
        )
        machines.append(machine)
        machine.control.wait_ready()
        return machine

    yield start
    for machine in machines:
        machine.close()


def test_a_restart_is_another_boot_and_the_power_button_ends_it(start: Callable[..., qemu.Qemu]) -> None:
    machine = start()
    guest = machine.control
    first = guest.hello().boot_id

    guest.reboot()
    second = guest.wait_ready(after_boot=first).boot_id

    assert second != first
    machine.monitor.call("system_powerdown")
    assert machine.wait_end() == 0


def test_a_guest_that_ignores_its_power_button_is_switched_off_from_inside(
    start: Callable[..., qemu.Qemu],
) -> None:
    machine = start("stratal.power=ignore")
    guest = machine.control

    machine.monitor.call("system_powerdown")
    deadline = time.monotonic() + 10
    while not guest.power_button().presses and time.monotonic() < deadline:
        time.sleep(0.1)

    assert (guest.power_button().presses, guest.power_button().obeys) == (1, False)
    guest.poweroff()
    assert machine.wait_end() == 0
    with pytest.raises(GuestSilent):
        guest.hello(seconds=1)


def test_the_agent_switches_the_guest_off(start: Callable[..., qemu.Qemu]) -> None:
    machine = start()
    with machine.agent() as agent, pytest.raises((qemu.QemuFailed, ConnectionError)):
        agent.call("guest-shutdown")  # which answers nothing when it succeeds

    assert machine.wait_end() == 0


def test_a_panic_is_told_to_the_host(start: Callable[..., qemu.Qemu]) -> None:
    machine = start("stratal.agent=off")
    assert machine.control.agent().mode == "off"

    machine.control.panic()

    assert machine.monitor.wait_event("GUEST_PANICKED")["data"]["action"] in ("pause", "poweroff")
