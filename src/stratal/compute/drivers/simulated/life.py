"""How simulated machines start and end. Part of `driver`."""

from pathlib import Path

from stratal.compute.domain import (
    Cause,
    MachineDefinition,
    MachineId,
    PowerState,
    rules,
)
from stratal.compute.drivers.contract import Happening
from stratal.compute.drivers.errors import (
    MachineBusy,
    MachineForeign,
    MachineRunning,
    StartFailed,
)
from stratal.compute.drivers.simulated.access import Access


class Life(Access):
    def start(self, definition: MachineDefinition, *, memory_file: Path | None = None) -> None:
        rules.check(definition)
        with self.effect("start", definition.machine, Happening.STATE):
            held = self.world.machines.get(definition.machine)
            if held is not None and held.owner != self.owner:
                raise MachineForeign(machine=definition.machine)
            if held is not None and held.alive:
                return
            if memory_file is not None and memory_file not in self.world.memory_files:
                raise StartFailed(machine=definition.machine, reason=f"there is no {memory_file}")
            self.world.add(definition, self.owner)

    def stop(self, machine: MachineId) -> None:
        if not self.get(machine).alive:
            return
        with self.effect("stop", machine, Happening.STATE):
            held = self.get(machine)
            if held.power_state is PowerState.RUNNING and self.world.guest_of(machine).obeys_power_button:
                held.end(PowerState.STOPPED, Cause.GUEST)

    def power_off(self, machine: MachineId) -> None:
        if not self.get(machine).alive:
            return
        with self.effect("power_off", machine, Happening.STATE):
            held = self.get(machine)
            if held.alive:
                held.end(PowerState.STOPPED, Cause.REQUESTED)

    def reboot(self, machine: MachineId, *, force: bool = False) -> None:
        self.live(machine)
        with self.effect("reboot", machine, Happening.STATE):
            held = self.live(machine)
            if force or self.world.guest_of(machine).obeys_power_button:
                held.frozen = False

    def pause(self, machine: MachineId) -> None:
        self.live(machine)
        with self.effect("pause", machine, Happening.STATE):
            held = self.live(machine)
            if held.power_state is PowerState.RUNNING:
                held.power_state, held.cause = PowerState.PAUSED, Cause.REQUESTED
            elif held.stopped_by_hold:
                # Whoever holds it has it go on later; from now on it does not.
                held.stopped_by_hold, held.cause = False, Cause.REQUESTED

    def resume(self, machine: MachineId) -> None:
        self.live(machine)
        with self.effect("resume", machine, Happening.STATE):
            held = self.live(machine)
            if held.hold_until is not None:
                raise MachineBusy(machine=machine, reason="it is held for a point in time")
            held.power_state, held.cause = PowerState.RUNNING, Cause.REQUESTED

    def remove(self, machine: MachineId) -> None:
        with self.effect("remove", machine, Happening.STATE):
            held = self.world.find(machine, self.owner)
            if held is not None and held.alive:
                raise MachineRunning(machine=machine)
            if held is not None:
                del self.world.machines[machine]
