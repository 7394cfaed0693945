"""Points in time of simulated machines. Part of `driver`."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stratal.compute.domain import (
    Cause,
    FileImage,
    MachineId,
    PowerState,
    rules,
)
from stratal.compute.drivers.contract import (
    HOLD_SECONDS,
    Happening,
)
from stratal.compute.drivers.errors import (
    ChainDiffers,
    HoldExpired,
    MachineBusy,
    MemoryNotKept,
)
from stratal.compute.drivers.simulated.access import Access
from stratal.compute.drivers.simulated.world import SavedMemory, disk_of
from stratal.kernel.errors import Invalid


class Points(Access):
    def snapshot(
        self,
        machine: MachineId,
        overlays: Mapping[str, FileImage],
        *,
        memory_file: Path | None = None,
        quiesce: bool = False,
        seconds: float = HOLD_SECONDS,
    ) -> None:
        if quiesce and memory_file is not None:
            raise Invalid(field="quiesce", reason="memory of a frozen guest is of no use")
        for target, overlay in overlays.items():
            rules.check_chain(f"disks.{target}", (overlay,))
        if self._is_snapshot(machine, overlays, memory_file):
            return
        if quiesce:
            with self.hold(machine, quiesce=True, seconds=seconds):
                self._snapshot(machine, overlays, None)
        else:
            self._snapshot(machine, overlays, memory_file)

    def _is_snapshot(
        self, machine: MachineId, overlays: Mapping[str, FileImage], memory_file: Path | None
    ) -> bool:
        with self.world.lock:
            held = self.live(machine)
            done = {
                target: disk_of(held, machine, target).chain[0] == overlay
                for target, overlay in overlays.items()
            }
            if not any(done.values()):
                return False
            if not all(done.values()):
                some = next(target for target, there in done.items() if there)
                raise ChainDiffers(machine=machine, device=some, reason="it has its overlay already")
            if memory_file is not None and memory_file not in self.world.memory_files:
                raise MemoryNotKept(machine=machine, reason="its disks went on without it")
            return True

    def _snapshot(
        self, machine: MachineId, overlays: Mapping[str, FileImage], memory_file: Path | None
    ) -> None:
        with self.effect("snapshot", machine, Happening.DISK):
            held = self.live(machine)
            for target, overlay in overlays.items():
                disk = disk_of(held, machine, target)
                held.disks[target] = replace(disk, chain=(overlay, *disk.chain))
            if memory_file is not None:
                self.world.memory_files[memory_file] = SavedMemory(
                    boot_id=held.boot_id, memory_bytes=held.memory_bytes, devices=held.devices
                )

    def finish_memory(self, memory_file: Path) -> int | None:
        return self.memory_bytes(memory_file)

    def memory_bytes(self, memory_file: Path) -> int | None:
        with self.world.lock:
            found = self.world.memory_files.get(memory_file)
            return None if found is None else found.memory_bytes

    def forget_memory(self, memory_file: Path) -> None:
        if self.memory_bytes(memory_file) is not None:
            with self.forgetting, self.world.lock:
                self.world.memory_files.pop(memory_file, None)

    @contextmanager
    def hold(
        self, machine: MachineId, *, quiesce: bool = False, seconds: float = HOLD_SECONDS
    ) -> Generator[None]:
        with self.world.lock:
            if self.live(machine).hold_until is not None:
                raise MachineBusy(machine=machine, reason="it is held already")
            self.holding.add(machine)
        until = time.monotonic() + seconds
        try:
            if quiesce:
                self.require_agent(machine)
            with self.effect("hold", machine, Happening.STATE):
                held = self.live(machine)
                held.hold_until = until
                if quiesce:
                    held.frozen = True
                elif held.power_state is PowerState.RUNNING:
                    held.stopped_by_hold = True
                    held.power_state, held.cause = PowerState.PAUSED, Cause.HELD
            yield
        finally:
            self.holding.discard(machine)
            self._release(machine)
        if time.monotonic() > until:
            raise HoldExpired(machine=machine, seconds=seconds)

    def settle(self, machine: MachineId) -> bool:
        with self.world.lock:
            if self.get(machine).hold_until is None:
                return False
            if machine in self.holding:
                raise MachineBusy(machine=machine, reason="it is held for a point in time")
        return self._release(machine)

    def _release(self, machine: MachineId) -> bool:
        held = self.world.find(machine, self.owner)
        if held is None or held.hold_until is None:
            return False
        with self.effect("release", machine, Happening.STATE):
            held.release()
        return True
