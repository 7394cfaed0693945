"""What survives a crash of the process: the machines of one simulated host. Called by `driver`, and by tests
to let things happen that nobody asked for.

A `World` is to the driver what libvirtd with its QEMU processes is to the real one.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from stratal.compute.domain import (
    BlockJob,
    Cause,
    CdRom,
    Disk,
    MachineDefinition,
    MachineId,
    Nic,
    PowerState,
)
from stratal.compute.drivers.contract import GuestAddress, Happening, MachineEvent
from stratal.compute.drivers.errors import DeviceNotFound, MachineNotFound, MachineNotRunning
from stratal.kernel.logs import get_logger

log = get_logger(__name__)


@dataclass(kw_only=True, slots=True)
class Guest:
    """How the software in a machine behaves."""

    #: switches off when the power button is pressed
    obeys_power_button: bool = True
    #: gives a device back when asked
    gives_devices_back: bool = True
    has_agent: bool = True
    #: the agent takes requests and answers none
    agent_hangs: bool = False
    addresses: tuple[GuestAddress, ...] = ()


@dataclass(kw_only=True, slots=True)
class Held:
    """One machine as it is held."""

    owner: str
    name: str
    cpus: int
    memory_bytes: int
    has_agent_channel: bool
    vnc: bool
    spice: bool
    port: int
    power_state: PowerState = PowerState.RUNNING
    cause: Cause = Cause.REQUESTED
    disks: dict[str, Disk] = field(default_factory=dict[str, Disk])
    cd_roms: dict[str, CdRom] = field(default_factory=dict[str, CdRom])
    nics: dict[str, Nic] = field(default_factory=dict[str, Nic])
    #: by target; what was never resized is missing
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    jobs: dict[str, BlockJob] = field(default_factory=dict[str, BlockJob])
    password: str | None = field(default=None, repr=False)
    #: the file systems of the guest are frozen
    frozen: bool = False
    #: the vCPUs stand still for a hold
    stopped_by_hold: bool = False
    #: when a hold ends by itself, by `time.monotonic`; None: there is none
    hold_until: float | None = None
    #: another one with each boot
    boot_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def alive(self) -> bool:
        return self.power_state in (PowerState.RUNNING, PowerState.PAUSED)

    @property
    def devices(self) -> frozenset[str]:
        """Its disks and drives by their targets, its NICs by their addresses."""
        return frozenset((*self.disks, *self.cd_roms, *self.nics))

    def end(self, power_state: PowerState, cause: Cause) -> None:
        """There is no QEMU process any more."""
        self.power_state, self.cause = power_state, cause
        self.jobs.clear()
        self.frozen = self.stopped_by_hold = False
        self.hold_until = None

    def release(self) -> None:
        """End a hold: thaw, resume."""
        self.frozen, self.hold_until = False, None
        if self.stopped_by_hold:
            self.stopped_by_hold = False
            if self.power_state is PowerState.PAUSED:
                self.power_state, self.cause = PowerState.RUNNING, Cause.REQUESTED


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedMemory:
    """What a guest was at a point in time."""

    boot_id: str
    memory_bytes: int
    #: its disks, drives and NICs
    devices: frozenset[str]


class World:
    """Machines by their UUIDs, and the guests in them."""

    def __init__(self, *, guest: Guest | None = None, cpus: int = 64, memory_bytes: int = 2**40) -> None:
        """`guest` is what every machine has in it that has no guest of its own in `guests`."""
        self.lock = threading.RLock()
        self.cpus = cpus
        self.memory_bytes = memory_bytes
        self.machines: dict[MachineId, Held] = {}
        self.memory_files: dict[Path, SavedMemory] = {}
        self.guests: dict[MachineId, Guest] = {}
        self.guest = guest or Guest()
        self.listeners: list[Callable[[MachineEvent], None]] = []
        self._ports = 5900

    # For the driver.

    def find(self, machine: MachineId, owner: str) -> Held | None:
        held = self.machines.get(machine)
        if held is None or held.owner != owner:
            return None
        if held.hold_until is not None and time.monotonic() > held.hold_until:
            held.release()
        return held

    def get(self, machine: MachineId, owner: str) -> Held:
        held = self.find(machine, owner)
        if held is None:
            raise MachineNotFound(machine=machine)
        return held

    def live(self, machine: MachineId, owner: str) -> Held:
        held = self.get(machine, owner)
        if not held.alive:
            raise MachineNotRunning(machine=machine)
        return held

    def guest_of(self, machine: MachineId) -> Guest:
        return self.guests.get(machine, self.guest)

    def add(self, definition: MachineDefinition, owner: str) -> None:
        self._ports += 2
        self.machines[definition.machine] = Held(
            owner=owner,
            name=definition.name,
            cpus=definition.cpu.count,
            memory_bytes=definition.memory_bytes,
            has_agent_channel=definition.agent,
            vnc=definition.graphics.vnc,
            spice=definition.graphics.spice,
            port=5900 + self._ports % 59000,
            disks={disk.target: disk for disk in definition.disks},
            cd_roms={cd_rom.target: cd_rom for cd_rom in definition.cd_roms},
            nics={nic.mac: nic for nic in definition.nics},
            password=definition.graphics.password,
        )

    def tell(self, machine: MachineId | None, what: Happening) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(MachineEvent(machine=machine, what=what))
            except Exception:
                log.exception("listener_failed", machine=machine)

    # For tests: what happens without anybody's asking.

    def crash(self, machine: MachineId) -> None:
        """The QEMU process dies."""
        self._end(machine, PowerState.CRASHED, Cause.CRASH)

    def shut_down(self, machine: MachineId) -> None:
        """The guest switches itself off."""
        self._end(machine, PowerState.STOPPED, Cause.GUEST)

    def power_off(self, machine: MachineId) -> None:
        """Somebody pulls the plug who is not us."""
        self._end(machine, PowerState.STOPPED, Cause.REQUESTED)

    def refuse_writes(self, machine: MachineId) -> None:
        """A disk can't take what the guest writes."""
        with self.lock:
            held = self.machines[machine]
            held.power_state, held.cause = PowerState.PAUSED, Cause.IO_ERROR
        self.tell(machine, Happening.DISK)
        self.tell(machine, Happening.STATE)

    def give_back(self, machine: MachineId, device: str) -> None:
        """The guest lets go of a device at last, by target or MAC address."""
        with self.lock:
            held = self.machines[machine]
            for devices in (held.disks, held.cd_roms, held.nics):
                devices.pop(device, None)
        self.tell(machine, Happening.DEVICE)

    def _end(self, machine: MachineId, power_state: PowerState, cause: Cause) -> None:
        with self.lock:
            self.machines[machine].end(power_state, cause)
        self.tell(machine, Happening.STATE)


def disk_of(held: Held, machine: MachineId, target: str) -> Disk:
    disk = held.disks.get(target)
    if disk is None:
        raise DeviceNotFound(machine=machine, device=target)
    return disk
