"""The contract that every hypervisor meets: libvirt with QEMU, memory.

Called by the reconcilers of compute; implemented by the drivers; held by
`tests/conformance/compute/hypervisor_suite.py`. What machines are is said by `stratal.compute.domain`.

**Whose machines.** A driver works for one installation, whose mark every machine carries that it starts.
Machines without it are never listed, observed or touched; `start` refuses a UUID that one of them has.

**Idempotence.** Every verb may be repeated after it was done, half done, or undone by a crash of this
process, of the hypervisor's daemon or of QEMU, and then leads to the place it would have led to. A verb that
raised may still have had its effect. Callers observe, then act.

**What outlives us.** Machines run on, untouched, when this process or the hypervisor's daemon ends, however
it ends, and are found again. What a killed caller left a machine in (vCPUs stopped, file systems frozen) is
marked on the machine; `settle` ends it. A running commit or pull goes on and is found by its repetition.

**Side effects** each stand in a `with` of an `Effect` named `<driver>.<what>`. **Threads**: all verbs may be
called from any thread; verbs on different machines don't wait for each other. **Time**: no verb hangs; what
overruns its deadline raises `HypervisorUnavailable`, and the daemon's restart is waited for only so long.
**Errors**: those of `errors`, and Invalid for what `domain.rules` refuses; besides the ones each verb
names always `HypervisorUnavailable`, and `MachineNotFound` and `MachineBusy` where it takes a machine.
*Live* verbs need a QEMU process and raise `MachineNotRunning` without one.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from stratal.compute.domain import (
    BlockJob,
    CdRom,
    Chain,
    Disk,
    FileImage,
    Image,
    Limits,
    Machine,
    MachineDefinition,
    MachineId,
    Nic,
)
from stratal.kernel.operation import Operation

HOLD_SECONDS = 20.0
"""For how long a machine stands still at most, unless the caller says otherwise."""


class Accelerator(StrEnum):
    KVM = "kvm"
    #: QEMU emulates the processor
    TCG = "tcg"


@dataclass(frozen=True, kw_only=True)
class Host:
    """Facts of the host, as the hypervisor sees it."""

    accelerator: Accelerator
    #: why it is not KVM; empty where it is
    accelerator_reason: str
    #: of the hypervisor's parts, by name: libvirt, qemu
    versions: Mapping[str, str]
    cpus: int
    memory_bytes: int
    #: machines with `Firmware.UEFI` can be started
    uefi: bool


class Happening(StrEnum):
    """What a machine has done. Says that a look is worth while, never what it will show."""

    #: it started, stopped, crashed, was paused or resumed
    STATE = "state"
    #: a disk, CD-ROM drive or NIC came or went, or a medium changed
    DEVICE = "device"
    #: a commit or pull is ready or has ended, or a disk refuses writes
    DISK = "disk"
    AGENT = "agent"


@dataclass(frozen=True, kw_only=True)
class MachineEvent:
    #: None: events may have been lost (the daemon was away), anything may have happened to any machine
    machine: MachineId | None
    what: Happening


@dataclass(frozen=True, kw_only=True)
class GuestAddress:
    """An address that a NIC has inside the guest, as its agent says."""

    mac: str
    address: str
    prefix: int


class Hypervisor(Protocol):
    # Looking.

    def probe(self) -> Host:
        """Look at the host. Whether KVM works is tried out once, with a deadline, and remembered."""
        ...

    def observe(self, machine: MachineId) -> Machine | None:
        """The machine as it is now, or None where there is none of ours."""
        ...

    def survey(self) -> Mapping[MachineId, Machine]:
        """All our machines: for start-up and audits, not for each step."""
        ...

    def jobs(self, machine: MachineId) -> Mapping[str, BlockJob]:
        """The commits and pulls that go on, by target; none where there is no QEMU process."""
        ...

    def disk_sizes(self, machine: MachineId) -> Mapping[str, int]:
        """How many bytes each disk shows the guest, by target. Live."""
        ...

    def subscribe(self, listener: Callable[[MachineEvent], None]) -> AbstractContextManager[None]:
        """While inside, call `listener` when a machine does something; from a thread of the driver's, so it
        returns at once and raises nothing. Events may be lost, doubled and late."""
        ...

    # Life.

    def start(self, definition: MachineDefinition, *, memory_file: Path | None = None) -> None:
        """Make a machine of this definition run; with `memory_file` go on where that was saved.

        Done already if it is running or paused, whatever its definition then. What was known of a stopped
        machine of this UUID is forgotten. `memory_file` stays, and fits as long as its disks hold what they
        held then, which is the caller's to see to. Memory of a machine with other disks, drives or NICs than
        the definition's is refused. StartFailed, MachineForeign.
        """
        ...

    def stop(self, machine: MachineId) -> None:
        """Press the power button. Whether the guest obeys, and when, shows `observe`. Done already if it is
        not running; a paused guest can't obey."""
        ...

    def power_off(self, machine: MachineId) -> None:
        """Pull the plug. Done already if it is not running."""
        ...

    def reboot(self, machine: MachineId, *, force: bool = False) -> None:
        """Ask the guest to reboot, or press reset with `force`. QEMU stays the same process. Live."""
        ...

    def pause(self, machine: MachineId) -> None:
        """Stop the vCPUs until `resume`. Live."""
        ...

    def resume(self, machine: MachineId) -> None:
        """Let the vCPUs go on, whoever stopped them, also after a disk refused a write. Live. MachineBusy
        while the machine is held."""
        ...

    def remove(self, machine: MachineId) -> None:
        """Forget a machine that is not running, and its NVRAM. Done already if there is none of ours.
        MachineRunning."""
        ...

    # Devices. All live.

    def attach_disk(self, machine: MachineId, disk: Disk) -> None:
        """Plug a disk in. Done already if one with this target and the same top image is there.
        DeviceExists, CannotPlug, ChainDiffers (QEMU could not open the chain)."""
        ...

    def detach_disk(self, machine: MachineId, target: str) -> None:
        """Ask the guest to give the disk back. It goes when the guest agrees, which `observe` shows; until
        then this may be asked again. Done already if it is gone. CannotPlug."""
        ...

    def attach_nic(self, machine: MachineId, nic: Nic) -> None:
        """As `attach_disk`; by the MAC address."""
        ...

    def detach_nic(self, machine: MachineId, mac: str) -> None:
        """As `detach_disk`."""
        ...

    def attach_cd_rom(self, machine: MachineId, cd_rom: CdRom) -> None:
        """As `attach_disk`. No hypervisor plugs drives in on SATA or IDE: CannotPlug."""
        ...

    def detach_cd_rom(self, machine: MachineId, target: str) -> None:
        """As `detach_disk`. CannotPlug as `attach_cd_rom`."""
        ...

    def change_medium(self, machine: MachineId, target: str, medium: Chain) -> None:
        """Put a medium into a CD-ROM drive in place of what is in it; an empty one takes it out, even if the
        guest has locked the tray. DeviceNotFound, ChainDiffers (QEMU could not open it)."""
        ...

    def set_link(self, machine: MachineId, mac: str, *, up: bool) -> None:
        """Plug a NIC's cable in or out. DeviceNotFound."""
        ...

    def set_limits(self, machine: MachineId, target: str, limits: Limits) -> None:
        """Of a disk. DeviceNotFound."""
        ...

    def resize_disk(self, machine: MachineId, target: str, *, size_bytes: int) -> None:
        """Grow the layer on top, and tell the guest. Done already at this size. DeviceNotFound; Invalid for
        a size below the present one; JobFailed where the place is full."""
        ...

    def set_graphics_password(self, machine: MachineId, password: str) -> None:
        """From the next connection on, of all consoles. Whether they ask for one at all was settled when the
        machine was started: CannotPlug where they ask for none."""
        ...

    # Points in time. All live.

    def snapshot(
        self,
        machine: MachineId,
        overlays: Mapping[str, FileImage],
        *,
        memory_file: Path | None = None,
        quiesce: bool = False,
        seconds: float = HOLD_SECONDS,
    ) -> None:
        """Put an overlay on each of these disks (by target), at one point in time for all of them.

        The overlays are existing qcow2 files, empty, of the disk's size, that name the present top as their
        backing file. With `memory_file`, which must not exist, memory is written there as it is at the same
        point; the guest stands still for the end of that, or for all of it where it changes its memory
        faster than that is written. With `quiesce` the guest's file systems are frozen around it, for at most
        `seconds`, and thawed in every case; not together with `memory_file`, which would hold a frozen guest.
        Done already if all disks have these on top, and memory its file. All or none: SnapshotFailed,
        MemoryNotKept (all disks have these on top already, and memory is lost), DeviceNotFound, ChainDiffers
        (some have them already), AgentUnavailable, HoldExpired. A paused machine stays paused.
        """
        ...

    def hold(
        self, machine: MachineId, *, quiesce: bool = False, seconds: float = HOLD_SECONDS
    ) -> AbstractContextManager[None]:
        """While inside, the guest writes nothing to its disks: its vCPUs stand still, or with `quiesce` its
        file systems are frozen, through its agent. For points in time that others make (of RBD images);
        `snapshot` works inside.

        Whoever leaves, however, leaves the machine as it was. After `seconds` it goes on by itself, and
        leaving raises HoldExpired. AgentUnavailable; MachineBusy if it is held already.
        """
        ...

    def settle(self, machine: MachineId) -> bool:
        """End what a `hold` or `snapshot` left that was killed: thaw, resume. False if there is nothing to
        end, True if that was done; MachineBusy while one that lives has the machine."""
        ...

    # Saved memory: the files that `snapshot` wrote, whether or not there is such a machine still.

    def finish_memory(self, memory_file: Path) -> int | None:
        """How much room memory takes that was saved by a `snapshot` whose disks are at its point, even if
        that was killed right then; None where it is lost."""
        ...

    def memory_bytes(self, memory_file: Path) -> int | None:
        """How much room saved memory takes; None where there is none, or what was begun of it only."""
        ...

    def forget_memory(self, memory_file: Path) -> None:
        """Remove it, and what was begun of it. Done already where there is none."""
        ...

    # Chains. All live.

    def commit(self, machine: MachineId, target: str, *, top: Image, base: Image) -> Operation:
        """Move what the layers from `top` down to above `base` hold into `base`, which takes their place:
        what was above `top` hangs on `base`, and where `top` was the topmost, the guest writes to `base`.

        QEMU must be able to write to the file of `base`; nothing but this chain may hang on any of these
        layers. The files that are out of the chain afterwards hold nothing of worth and are the caller's.
        Done already if `base` is in the chain and `top` is not. Finds a job that a killed caller left, and
        brings it to its end. DeviceNotFound, ChainDiffers, JobFailed; MachineBusy (another job on the disk).
        Cancelled leaves the chain as it was, reading as it did.
        """
        ...

    def pull(self, machine: MachineId, target: str, *, base: Image | None) -> Operation:
        """Copy what lies between the topmost layer and `base` into the topmost, and hang it on `base`; None:
        copy all, so that it stands alone. Nothing below changes. Otherwise as `commit`."""
        ...

    # The guest agent. All live, and all raise AgentUnavailable.

    def ping_agent(self, machine: MachineId, *, seconds: float = 5.0) -> None:
        """Return if the agent answers in time."""
        ...

    def guest_addresses(self, machine: MachineId, *, seconds: float = 5.0) -> tuple[GuestAddress, ...]:
        """All addresses of all NICs that the agent tells of, except loopback."""
        ...

    def guest_frozen(self, machine: MachineId, *, seconds: float = 5.0) -> bool:
        """Whether the guest's file systems are frozen."""
        ...
