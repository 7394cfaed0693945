"""What can go wrong with a machine, whichever driver runs it.

Raised by drivers, told apart by the reconcilers of compute: `MachineBusy` and every `Unavailable` pass with
time and are retried; the rest needs somebody to change something. A driver translates its backend's own
errors into these and lets no other through, except defects. An error is no proof that nothing happened:
observe.
"""

from stratal.kernel.errors import Conflict, NotFound, StratalError, Unavailable


class MachineNotFound(NotFound):
    """The machine a verb was to work on is not there."""

    template = "there is no machine {machine} on this host"
    remedy = "Look at the machines; it may have been removed or never been started here."


class MachineForeign(Conflict):
    """A machine of this UUID is there, and this installation of Stratal did not make it."""

    code = "machine_foreign"
    template = "machine {machine} was made by somebody else and is left alone"
    remedy = "Remove or rename it with the tool that made it."


class MachineNotRunning(Conflict):
    """The verb needs a QEMU process."""

    code = "machine_not_running"
    template = "machine {machine} is not running"
    remedy = "Start it first."


class MachineRunning(Conflict):
    """The verb needs that there is no QEMU process."""

    code = "machine_running"
    template = "machine {machine} is running"
    remedy = "Stop it first."


class MachineBusy(Conflict):
    """Something else goes on with the machine or the disk that excludes what was asked."""

    code = "machine_busy"
    template = "machine {machine} is busy: {reason}"
    remedy = "Wait until that has ended."


class StartFailed(StratalError):
    """QEMU did not come up with this definition. The machine is stopped."""

    code = "start_failed"
    template = "machine {machine} could not be started: {reason}"
    remedy = "Correct what the reason names; the start is tried again."


class DeviceNotFound(NotFound):
    """The machine has no such disk, CD-ROM drive or NIC."""

    template = "machine {machine} has no device {device}"
    remedy = "Look at the devices of the machine."


class DeviceExists(Conflict):
    """The slot or the address is taken by another device than the one asked for."""

    code = "device_exists"
    template = "machine {machine} has another device {device} already"
    remedy = "Detach that one, or choose another slot."


class CannotPlug(Conflict):
    """This device can't come or go while the machine runs."""

    code = "cannot_plug"
    template = "device {device} of machine {machine} can't be changed while it runs: {reason}"
    remedy = "It changes when the machine is next stopped and started."


class ChainDiffers(Conflict):
    """A disk's chain holds neither what was to be changed nor what it was to become."""

    code = "chain_differs"
    template = "disk {device} of machine {machine} has another chain: {reason}"
    remedy = "Look at the chain."


class JobFailed(StratalError):
    """A commit or pull ended without reaching its end. Every layer reads as before."""

    code = "job_failed"
    template = "{job} of disk {device} of machine {machine} failed: {reason}"
    remedy = "Correct what the reason names; the work goes on when it is tried again."


class HoldExpired(StratalError):
    """The machine went on before its holder had ended: what was made meanwhile is no point in time."""

    code = "hold_expired"
    template = "machine {machine} was held for more than {seconds} seconds and went on"
    remedy = "Discard what was made, and try again."


class SnapshotFailed(StratalError):
    """No disk has its overlay; the machine goes on as before."""

    code = "snapshot_failed"
    template = "no snapshot of machine {machine} was made: {reason}"
    remedy = "Correct what the reason names, and try again."


class MemoryNotKept(SnapshotFailed):
    """The disks are at the point already, and what memory held then is lost."""

    code = "memory_not_kept"
    template = "the memory of machine {machine} was not kept: {reason}"
    remedy = "Take another snapshot."


class AgentUnavailable(Unavailable):
    """The guest agent is not there, or does not answer in time, or refused."""

    code = "agent_unavailable"
    template = "the guest agent of machine {machine} does not answer: {reason}"
    remedy = "Install and start the QEMU guest agent in the guest, or ask without it."


class HypervisorUnavailable(Unavailable):
    """The hypervisor does not answer: its daemon is down or starting, or a call overran its deadline."""

    code = "hypervisor_unavailable"
    template = "the hypervisor does not answer: {reason}"
    remedy = "Nothing needs to be done if it comes back; what was asked is tried again."
