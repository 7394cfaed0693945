"""How simulated machines start and end. Part of `driver`."""

from pathlib import Path
from uuid import uuid4

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
from stratal.compute.drivers.simulated.world import SavedMemory


class Life(Access):
    def start(self, definition: MachineDefinition, *, memory_file: Path | None = None) -> None:
        rules.check(definition)
        with self.effect("start", definition.machine, Happening.STATE):
            held = self.world.machines.get(definition.machine)
            if held is not None and held.owner != self.owner:
                raise MachineForeign(machine=definition.machine)
            if held is not None and held.alive:
                return
            memory = None if memory_file is None else self._memory(definition, memory_file)
            self.world.add(definition, self.owner)
            if memory is not None:
                self.world.machines[definition.machine].boot_id = memory.boot_id

    def _memory(self, definition: MachineDefinition, memory_file: Path) -> SavedMemory:
        memory = self.world.memory_files.get(memory_file)
        if memory is None:
            raise StartFailed(machine=definition.machine, reason=f"there is no {memory_file}")
        targets = [each.target for each in (*definition.disks, *definition.cd_roms)]
        differing = memory.devices ^ {*targets, *(nic.mac for nic in definition.nics)}
        if differing:
            raise StartFailed(
                machine=definition.machine,
                reason=f"it has another {min(differing)} than when its memory was saved",
            )
        return memory

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
                held.boot_id = str(uuid4())

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
