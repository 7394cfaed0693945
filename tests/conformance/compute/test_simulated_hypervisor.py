"""The simulated hypervisor, held by the suite of all hypervisors, and what only it can be told to do."""

from pathlib import Path

import pytest
from hypervisor_ground import Ground, seen
from hypervisor_suite import HypervisorSuite

from stratal.compute.domain import AgentState, Cause, PowerState
from stratal.compute.drivers.contract import Happening, Hypervisor, MachineEvent
from stratal.compute.drivers.errors import AgentUnavailable, HypervisorUnavailable
from stratal.compute.drivers.simulated import Guest, SimulatedHypervisor, World
from stratal.kernel.script import When


class TestSimulatedHypervisor(HypervisorSuite):
    @pytest.fixture
    def world(self) -> World:
        return World()

    @pytest.fixture
    def hypervisor(self, world: World) -> SimulatedHypervisor:
        return SimulatedHypervisor(world, owner="one")

    @pytest.fixture
    def stranger(self, world: World) -> Hypervisor:
        return SimulatedHypervisor(world, owner="another")

    @pytest.fixture
    def ground(self, tmp_path: Path) -> Ground:
        return Ground(folder=tmp_path, real=False)


@pytest.fixture
def hypervisor() -> SimulatedHypervisor:
    return SimulatedHypervisor()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(folder=tmp_path, real=False)


def test_a_guest_obeys_the_power_button_or_not(hypervisor: SimulatedHypervisor, ground: Ground) -> None:
    obedient, deaf = ground.definition(), ground.definition()
    hypervisor.world.guests[deaf.machine] = Guest(obeys_power_button=False)
    for definition in (obedient, deaf):
        hypervisor.start(definition)
        hypervisor.stop(definition.machine)
    stopped = seen(hypervisor, obedient.machine)
    assert (stopped.power_state, stopped.cause) == (PowerState.STOPPED, Cause.GUEST)
    assert seen(hypervisor, deaf.machine).power_state is PowerState.RUNNING


def test_a_guest_gives_a_device_back_when_it_likes(hypervisor: SimulatedHypervisor, ground: Ground) -> None:
    definition = ground.definition(ground.disk("vda"), ground.disk("vdb"))
    hypervisor.world.guest.gives_devices_back = False
    hypervisor.start(definition)
    hypervisor.detach_disk(definition.machine, "vdb")
    assert "vdb" in seen(hypervisor, definition.machine).disks
    hypervisor.world.give_back(definition.machine, "vdb")
    assert "vdb" not in seen(hypervisor, definition.machine).disks


def test_machines_crash_and_stop_without_being_asked(hypervisor: SimulatedHypervisor, ground: Ground) -> None:
    heard: list[MachineEvent] = []
    for happens, power_state, cause in (
        (hypervisor.world.crash, PowerState.CRASHED, Cause.CRASH),
        (hypervisor.world.shut_down, PowerState.STOPPED, Cause.GUEST),
        (hypervisor.world.power_off, PowerState.STOPPED, Cause.REQUESTED),
        (hypervisor.world.refuse_writes, PowerState.PAUSED, Cause.IO_ERROR),
    ):
        definition = ground.definition()
        hypervisor.start(definition)
        with hypervisor.subscribe(heard.append):
            happens(definition.machine)
        found = seen(hypervisor, definition.machine)
        assert (found.power_state, found.cause) == (power_state, cause)
        assert MachineEvent(machine=definition.machine, what=Happening.STATE) in heard


def test_an_agent_freezes_and_thaws(hypervisor: SimulatedHypervisor, ground: Ground) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    assert seen(hypervisor, definition.machine).agent is AgentState.CONNECTED
    with hypervisor.hold(definition.machine, quiesce=True):
        assert hypervisor.guest_frozen(definition.machine)
        assert seen(hypervisor, definition.machine).power_state is PowerState.RUNNING
    assert not hypervisor.guest_frozen(definition.machine)


def test_an_agent_that_hangs_freezes_nothing(hypervisor: SimulatedHypervisor, ground: Ground) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    hypervisor.world.guest.agent_hangs = True
    overlay = ground.overlay(ground.image())
    with pytest.raises(AgentUnavailable):
        hypervisor.snapshot(definition.machine, {"vda": overlay}, quiesce=True)
    found = seen(hypervisor, definition.machine)
    assert (found.held, found.disks["vda"].chain) == (False, definition.disks[0].chain)


def test_what_a_killed_process_held_is_settled_by_the_next(
    hypervisor: SimulatedHypervisor, ground: Ground
) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    # Never left, as a killed process leaves nothing.
    abandoned = hypervisor.hold(definition.machine)
    abandoned.__enter__()
    successor = SimulatedHypervisor(hypervisor.world)
    assert seen(successor, definition.machine).held
    assert successor.settle(definition.machine) is True
    found = seen(successor, definition.machine)
    assert (found.power_state, found.held) == (PowerState.RUNNING, False)


def test_a_script_lets_effects_fail(hypervisor: SimulatedHypervisor, ground: Ground) -> None:
    definition = ground.definition()
    hypervisor.script.fail("start", lambda: HypervisorUnavailable(reason="test"), when=When.AFTER)
    with pytest.raises(HypervisorUnavailable):
        hypervisor.start(definition)
    assert seen(hypervisor, definition.machine).alive
