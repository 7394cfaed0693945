"""Verbs killed anywhere, and repeated. Part of `hypervisor_suite`."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypervisor_ground import GIB, Ground

from stratal.compute.domain import FileImage, Limits, Machine, MachineDefinition, PowerState
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import MachineNotFound
from stratal.kernel import effects


class Killed(BaseException):
    """Stands for the SIGKILL at a crash point; no `except Exception` of a driver may catch it."""


@dataclass(kw_only=True)
class Verb:
    """A verb on a machine that runs already, unless it `starts` it."""

    act: Callable[[Hypervisor], None]
    #: whether this is where the verb leads to
    done: Callable[[Machine | None], bool]
    starts: bool = False


Scenario = Callable[[MachineDefinition, Ground], Verb]


def start(definition: MachineDefinition, ground: Ground) -> Verb:
    return Verb(
        act=lambda hypervisor: hypervisor.start(definition),
        done=lambda machine: machine is not None and machine.alive,
        starts=True,
    )


def power_off(definition: MachineDefinition, ground: Ground) -> Verb:
    return Verb(
        act=lambda hypervisor: hypervisor.power_off(definition.machine),
        done=lambda machine: machine is not None and machine.power_state is PowerState.STOPPED,
    )


def remove(definition: MachineDefinition, ground: Ground) -> Verb:
    def act(hypervisor: Hypervisor) -> None:
        with suppress(MachineNotFound):
            hypervisor.power_off(definition.machine)
        hypervisor.remove(definition.machine)

    return Verb(act=act, done=lambda machine: machine is None)


def pause(definition: MachineDefinition, ground: Ground) -> Verb:
    return Verb(
        act=lambda hypervisor: hypervisor.pause(definition.machine),
        done=lambda machine: machine is not None and machine.power_state is PowerState.PAUSED,
    )


def attach_disk(definition: MachineDefinition, ground: Ground) -> Verb:
    disk = ground.disk("vdb")
    return Verb(
        act=lambda hypervisor: hypervisor.attach_disk(definition.machine, disk),
        done=lambda machine: machine is not None and machine.disks["vdb"].chain == disk.chain,
    )


def change_medium(definition: MachineDefinition, ground: Ground) -> Verb:
    medium = (ground.image(form="raw"),)
    return Verb(
        act=lambda hypervisor: hypervisor.change_medium(definition.machine, "sda", medium),
        done=lambda machine: machine is not None and machine.cd_roms["sda"].medium == medium,
    )


def change_a_disk(definition: MachineDefinition, ground: Ground) -> Verb:
    def act(hypervisor: Hypervisor) -> None:
        hypervisor.set_limits(definition.machine, "vda", Limits(iops=70))
        hypervisor.resize_disk(definition.machine, "vda", size_bytes=2 * GIB)

    return Verb(act=act, done=lambda machine: machine is not None and machine.disks["vda"].limits.iops == 70)


def snapshot(definition: MachineDefinition, ground: Ground) -> Verb:
    overlay = ground.overlay(_top(definition))
    return Verb(
        act=lambda hypervisor: hypervisor.snapshot(definition.machine, {"vda": overlay}),
        done=lambda machine: _runs_on(machine, (overlay, *definition.disks[0].chain)),
    )


def snapshot_with_memory(definition: MachineDefinition, ground: Ground) -> Verb:
    overlay, memory_file = ground.overlay(_top(definition)), ground.memory_file()

    def act(hypervisor: Hypervisor) -> None:
        hypervisor.snapshot(definition.machine, {"vda": overlay}, memory_file=memory_file)

    return Verb(act=act, done=lambda machine: _runs_on(machine, (overlay, *definition.disks[0].chain)))


def held_snapshot(definition: MachineDefinition, ground: Ground) -> Verb:
    overlay = ground.overlay(_top(definition))

    def act(hypervisor: Hypervisor) -> None:
        with hypervisor.hold(definition.machine):
            hypervisor.snapshot(definition.machine, {"vda": overlay})

    return Verb(act=act, done=lambda machine: _runs_on(machine, (overlay, *definition.disks[0].chain)))


def commit_in_the_middle(definition: MachineDefinition, ground: Ground) -> Verb:
    chain = definition.disks[0].chain
    return Verb(
        act=lambda hypervisor: hypervisor.commit(
            definition.machine, "vda", top=chain[1], base=chain[2]
        ).run(),
        done=lambda machine: _runs_on(machine, (chain[0], chain[2])),
    )


def commit_on_top(definition: MachineDefinition, ground: Ground) -> Verb:
    chain = definition.disks[0].chain
    return Verb(
        act=lambda hypervisor: hypervisor.commit(
            definition.machine, "vda", top=chain[0], base=chain[1]
        ).run(),
        done=lambda machine: _runs_on(machine, chain[1:]),
    )


def pull(definition: MachineDefinition, ground: Ground) -> Verb:
    chain = definition.disks[0].chain
    return Verb(
        act=lambda hypervisor: hypervisor.pull(definition.machine, "vda", base=None).run(),
        done=lambda machine: _runs_on(machine, chain[:1]),
    )


SCENARIOS = [
    start,
    power_off,
    remove,
    pause,
    attach_disk,
    change_medium,
    change_a_disk,
    snapshot,
    snapshot_with_memory,
    held_snapshot,
    commit_in_the_middle,
    commit_on_top,
    pull,
]


class Crashes:
    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
    def test_a_verb_killed_anywhere_and_repeated_leads_to_the_same_place(
        self, hypervisor: Hypervisor, ground: Ground, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
    ) -> None:
        """Passes every crash point of the verb in turn, in this process. Unlike with SIGKILL, `finally` still
        runs; the real driver is killed for good in a module of its own."""
        for point in itertools.count(1):
            definition = ground.definition(ground.disk(length=3), cd_rom=True)
            verb = scenario(definition, ground)
            if not verb.starts:
                hypervisor.start(definition)
            killed = self._killed_at(point, lambda: verb.act(hypervisor), monkeypatch)  # noqa: B023
            with suppress(MachineNotFound):
                hypervisor.settle(definition.machine)
            for _ in range(2):
                verb.act(hypervisor)
                assert verb.done(hypervisor.observe(definition.machine))
            if hypervisor.observe(definition.machine) is not None:
                hypervisor.power_off(definition.machine)
                hypervisor.remove(definition.machine)
            if not killed:
                break
        assert point > 2, "the verb passes its crash points"

    def _killed_at(self, point: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> bool:
        """Do it, dying at the n-th crash point that it passes; False if it passes fewer."""
        left = [point]

        def passing(name: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed(name)

        with monkeypatch.context() as patch:
            patch.setattr(effects, "_pass", passing)
            try:
                act()
            except Killed:
                return True
        return False


def _top(definition: MachineDefinition) -> FileImage:
    top = definition.disks[0].chain[0]
    assert isinstance(top, FileImage)
    return top


def _runs_on(machine: Machine | None, chain: tuple[object, ...]) -> bool:
    assert machine is not None
    return (
        machine.disks["vda"].chain == chain and machine.power_state is PowerState.RUNNING and not machine.held
    )
