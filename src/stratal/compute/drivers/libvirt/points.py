"""Points in time: all disks of a running machine at one moment. Part of `driver`.

libvirt keeps no record of snapshots: the tree of layers is Stratal's.
"""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stratal.compute.domain import AgentState, FileImage, MachineId, PowerState, rules, writing
from stratal.compute.domain.reading import Undo
from stratal.compute.drivers.contract import HOLD_SECONDS
from stratal.compute.drivers.errors import (
    AgentUnavailable,
    ChainDiffers,
    DeviceNotFound,
    HoldExpired,
    MachineBusy,
    MemoryNotKept,
    SnapshotFailed,
)
from stratal.compute.drivers.libvirt import binding, memory
from stratal.compute.drivers.libvirt.access import Found, patient
from stratal.compute.drivers.libvirt.agent import Agent
from stratal.compute.drivers.libvirt.mending import MENDING
from stratal.kernel.effects import Effect
from stratal.kernel.errors import Invalid, StratalError
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

_SUSPEND = Effect("libvirt.suspend")
_GO_ON = Effect("libvirt.go_on")
_SNAPSHOT = Effect("libvirt.snapshot")

_HOLD = "a point in time"
_THAW_SECONDS = 10.0
_SNAPSHOT_SECONDS = 60.0
# The slowest disk that memory may be written to.
_MEMORY_BYTES_PER_SECOND = 8 * 2**20
# For how long a guest may go on changing what is being written, beside half of what that disk would take.
_LIVE_SECONDS = 10.0


class Points(Agent):
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
        if memory_file is not None:
            rules.path("memory_file", memory_file)
        if quiesce:
            self._quiesced_snapshot(machine, overlays, seconds)
        elif memory_file is not None:
            self._snapshot_with_memory(machine, overlays, memory_file)
        else:
            self._snapshot(machine, overlays)

    @patient
    def _snapshot(self, machine: MachineId, overlays: Mapping[str, FileImage]) -> None:
        found = self.live(machine)
        if not _is_done(found, overlays):
            libvirt = binding.module()
            self._take(found, overlays, None, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY, _SNAPSHOT_SECONDS)

    @patient
    def _quiesced_snapshot(
        self, machine: MachineId, overlays: Mapping[str, FileImage], seconds: float
    ) -> None:
        if not _is_done(self.live(machine), overlays):
            with self.hold(machine, quiesce=True, seconds=seconds):
                self._snapshot(machine, overlays)

    @patient
    def _snapshot_with_memory(
        self, machine: MachineId, overlays: Mapping[str, FileImage], memory_file: Path
    ) -> None:
        partial = memory.partial_of(memory_file)
        with self.claimed(machine, _HOLD):
            found = self.live(machine)
            if not _is_done(found, overlays):
                self._check_idle(found)
                if found.domain.undo is Undo.THAW and self._release(machine):
                    found = self.live(machine)
                memory.check_room(found, memory_file)
                partial.unlink(missing_ok=True)
                # libvirt stops the vCPUs itself; the mark is for the case that nobody lives to see the end.
                # One that is there is of a hold that was killed: what that had begun is of this instant.
                if found.domain.undo is None:
                    self.mark(machine, _undo_of_pausing(found))
                try:
                    self._write_memory(found, overlays, partial)
                finally:
                    self._release(machine)
            if partial.exists():
                memory.keep(partial, memory_file)
            elif not memory_file.exists():
                raise MemoryNotKept(machine=machine, reason="its disks went on without it")

    def _write_memory(self, found: Found, overlays: Mapping[str, FileImage], partial: Path) -> None:
        """The guest runs on while most of it is written, unless it is faster than that."""
        seconds = found.domain.memory_bytes / _MEMORY_BYTES_PER_SECOND
        flags = binding.module().VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
        if found.power_state is not PowerState.RUNNING:
            self._take(found, overlays, partial, flags, _SNAPSHOT_SECONDS + seconds)
            return
        live_seconds = _LIVE_SECONDS + seconds / 2
        watch = threading.Timer(live_seconds, lambda: self._hold_back(found.machine))
        watch.daemon = True
        watch.start()
        try:
            self._take(found, overlays, partial, flags, _SNAPSHOT_SECONDS + live_seconds + seconds)
        finally:
            watch.cancel()

    def _hold_back(self, machine: MachineId) -> None:
        """Stop a guest that changes its memory faster than that is written: libvirt lets it go on after."""
        try:
            with _SUSPEND:
                self.ask(machine, "pausing", lambda handle: handle.suspend())
        except StratalError as error:
            log.warning("guest_not_held_back", machine=machine, error=str(error))

    def _check_idle(self, found: Found) -> None:
        """Raises MachineBusy while libvirtd is still at what a caller asked for that was killed meanwhile."""
        libvirt = binding.module()
        kind = self.ask(found.machine, "looking at its job", lambda handle: handle.jobInfo()[0])
        if kind not in (libvirt.VIR_DOMAIN_JOB_NONE, libvirt.VIR_DOMAIN_JOB_COMPLETED):
            raise MachineBusy(machine=found.machine, reason="its memory is still being written")

    def finish_memory(self, memory_file: Path) -> int | None:
        if memory.partial_of(memory_file).exists():
            memory.keep(memory.partial_of(memory_file), memory_file)
        return memory.size(memory_file)

    def memory_bytes(self, memory_file: Path) -> int | None:
        return memory.size(memory_file)

    def forget_memory(self, memory_file: Path) -> None:
        memory.forget(memory_file)

    def _take(
        self,
        found: Found,
        overlays: Mapping[str, FileImage],
        memory_file: Path | None,
        flags: int,
        seconds: float,
    ) -> None:
        """Never while the chains are mended: each would take what the other does for a wrong idea."""
        with self._waiting_for(found.machine, MENDING, lambda: None):
            self._take_now(self.live(found.machine), overlays, memory_file, flags, seconds)

    def _take_now(
        self,
        found: Found,
        overlays: Mapping[str, FileImage],
        memory_file: Path | None,
        flags: int,
        seconds: float,
    ) -> None:
        if any(overlay.path in found.domain.stale for overlay in overlays.values()):
            raise MachineBusy(machine=found.machine, reason="an overlay is to be emptied before it is used")
        if not self.is_looked_at(found):
            raise MachineBusy(machine=found.machine, reason="its chains are yet to be looked at")
        libvirt = binding.module()
        others = [name for name in (*found.domain.disks, *found.domain.cd_roms) if name not in overlays]
        xml = writing.snapshot(list(overlays.items()), memory_file, others)
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT

        def failed(reason: str) -> StratalError:
            return SnapshotFailed(machine=found.machine, reason=reason)

        try:
            with self.no_job_ends(found), _SNAPSHOT:
                self.ask(
                    found.machine,
                    "taking a snapshot",
                    lambda handle: handle.snapshotCreateXML(xml, flags),
                    seconds=seconds,
                    refused=failed,
                )
        except SnapshotFailed:
            # An error is no proof that nothing happened.
            again = self.live(found.machine)
            if _is_done(again, overlays):
                return
            if again.domain.disks.keys() == found.domain.disks.keys():
                raise
            # A disk came or went in between, which every request has to name.
            self._take_now(again, overlays, memory_file, flags, seconds)

    @contextmanager
    def hold(
        self, machine: MachineId, *, quiesce: bool = False, seconds: float = HOLD_SECONDS
    ) -> Generator[None]:
        with self.claimed(machine, _HOLD):
            watch = _Watch(seconds, lambda: self._release(machine))
            try:
                watch.start()
                self._begin(machine, quiesce=quiesce, seconds=seconds)
                yield
            finally:
                expired = watch.end()
            if expired:
                raise HoldExpired(machine=machine, seconds=seconds)

    @patient
    def _begin(self, machine: MachineId, *, quiesce: bool, seconds: float) -> None:
        found = self.live(machine)
        if quiesce:
            if found.domain.agent is AgentState.DISCONNECTED:
                raise AgentUnavailable(machine=machine, reason="it is not connected")
            self.mark(machine, Undo.THAW)
            self.freeze(machine, seconds=seconds)
            return
        if found.domain.undo is None:
            self.mark(machine, _undo_of_pausing(found))
        if found.power_state is PowerState.RUNNING:
            with _SUSPEND:
                self.ask(machine, "pausing", lambda handle: handle.suspend(), refused=_busy(machine))

    @patient
    def settle(self, machine: MachineId) -> bool:
        found = self.get(machine)
        if not found.alive or found.domain.undo is None:
            return False
        with self.claimed(machine, _HOLD):
            return self._release(machine)

    @patient
    def _release(self, machine: MachineId) -> bool:
        """Thaw or resume what a hold left, and take the mark away. False if there is none."""
        found = self.find(machine)
        if found is None or not found.alive or found.domain.undo is None:
            return False
        if found.domain.undo is Undo.THAW:
            self.thaw(machine, seconds=_THAW_SECONDS)
        elif found.domain.undo is Undo.RESUME and found.power_state is PowerState.PAUSED:
            with _GO_ON:
                self.ask(machine, "resuming", lambda handle: handle.resume(), refused=_busy(machine))
        self.unmark(machine)
        return True


class _Watch:
    """Sees to the end of a hold: by whoever holds, or by itself when the time is over."""

    def __init__(self, seconds: float, release: Callable[[], bool]) -> None:
        self._release = release
        self._lock = threading.Lock()
        self._over = self._expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def end(self) -> bool:
        """Release, unless that was done; True if the time was over before."""
        self._timer.cancel()
        with self._lock:
            if not self._over:
                self._over = True
                self._release()
            return self._expired

    def _expire(self) -> None:
        with self._lock:
            if self._over:
                return
            self._expired = True
            try:
                self._release()
                self._over = True
            except Exception as error:
                # Whoever holds it tries again when he leaves.
                log.warning("hold_not_released", error=str(error))


def _is_done(found: Found, overlays: Mapping[str, FileImage]) -> bool:
    done: dict[str, bool] = {}
    for target, overlay in overlays.items():
        disk = found.domain.disks.get(target)
        if disk is None:
            raise DeviceNotFound(machine=found.machine, device=target)
        done[target] = disk.chain[:1] == (overlay,)
    if not any(done.values()):
        return False
    if not all(done.values()):
        some = next(target for target, there in done.items() if there)
        raise ChainDiffers(machine=found.machine, device=some, reason="it has its overlay already")
    return True


def _undo_of_pausing(found: Found) -> Undo:
    return Undo.RESUME if found.power_state is PowerState.RUNNING else Undo.NOTHING


def _busy(machine: MachineId) -> Callable[[str], StratalError]:
    return lambda reason: MachineBusy(machine=machine, reason=reason)
