"""Makes guests run as they are wanted. Called by the reconcile engine; the only caller of the hypervisor for
what changes a machine, beside storage's merges, which go through the disks that are lent here.

A look observes the machine and takes what steps it can: start, stop, the next point in time, devices. What
it was killed at, the next look finds as it is.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import msgspec

from stratal.compute import parts
from stratal.compute.domain import Cause, Machine, PowerState
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import CannotPlug
from stratal.compute.guests import defining, noting, points
from stratal.compute.guests.addresses import AgentAddresses
from stratal.compute.guests.devices import Devices, Outcome
from stratal.compute.guests.disk import GuestDisk
from stratal.compute.guests.memories import Memories
from stratal.compute.guests.pacing import Pace
from stratal.compute.guests.wanted import Wanted, load, rollback_num
from stratal.compute.guests.watching import Watcher
from stratal.compute.virtual_machine.model import (
    VIRTUAL_MACHINE,
    VirtualMachineSpec,
    VirtualMachineStatus,
    WantedPower,
)
from stratal.kernel.effects import Effect
from stratal.kernel.errors import StratalError, Unavailable
from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import LeaseLost
from stratal.storage import Keeper, Lender, NotReady

_SOON: Final = timedelta(seconds=0.25)
"""For what passes in a moment: a disk that is being made, a device that the guest is giving back."""

_WAIT: Final = timedelta(seconds=30)
"""For what asks for a look when it is done."""

_DEVICES_ROUNDS: Final = 4

_REFUSED: Final = (
    "its guest is paused: a disk takes no more of what it writes, since its storage is full or fails"
)
"""It goes on by itself."""

_FORGET_LOG: Final = Effect("guest.forget_log")

Vm = Resource[VirtualMachineSpec, VirtualMachineStatus]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long a reconciler waits for guests."""

    #: for a guest that was asked to shut down, before its plug is pulled
    stop_grace: timedelta = timedelta(seconds=60)


class VirtualMachineReconciler:
    kind = VIRTUAL_MACHINE
    concurrency = 8

    def __init__(
        self,
        hypervisor: Hypervisor,
        lender: Lender,
        devices: Devices,
        *,
        places: defining.Places,
        this_node: Callable[[Transaction], int | None],
        timing: Timing,
        watcher: Watcher,
    ) -> None:
        self._watcher = watcher
        self._hypervisor = hypervisor
        self._lender = lender
        self._devices = devices
        self._places = places
        self._agents = AgentAddresses(hypervisor)
        self._memories = Memories(hypervisor, lender, places)
        self._this_node = this_node
        self._known_accelerator: str | None = None
        self._store = Store(VIRTUAL_MACHINE)
        self._pace = Pace(stop_grace=timing.stop_grace.total_seconds())

    # -- looks ---------------------------------------------------------------------------------------

    def reconcile(self, resource: Vm, look: Look) -> Observed[VirtualMachineStatus]:
        wanted = look.read(lambda tx: load(tx, resource, self._this_node))
        with self._watcher.look(wanted.machine):
            return self._look(look, wanted)

    def _look(self, look: Look, wanted: Wanted) -> Observed[VirtualMachineStatus]:
        self._memories.drop(look, wanted)
        machine = self._hypervisor.observe(wanted.machine)
        if machine is not None and machine.alive and self._memories.left_behind(look, wanted, machine):
            look.check()
            self._hypervisor.power_off(wanted.machine)
            self._pace.stopped(wanted.id)
            machine = self._hypervisor.observe(wanted.machine)
        if machine is not None and machine.alive:
            machine = self._take_up(look, wanted, machine)
        else:
            self._memories.ended(look, wanted)
        if wanted.spec.power_state is WantedPower.STOPPED:
            return self._stopped(look, wanted, machine)
        if machine is None or not machine.alive:
            return self._start(look, wanted, machine)
        return self._running(look, wanted, machine, booted=wanted.resume is not None)

    def remove(self, resource: Vm, look: Look) -> Gone | StillRemoving[VirtualMachineStatus]:
        wanted = look.read(lambda tx: load(tx, resource, self._this_node))
        look.check()
        if self._hypervisor.observe(wanted.machine) is not None:  # there is nothing of one that never ran
            self._hypervisor.power_off(wanted.machine)
            self._hypervisor.remove(wanted.machine)
        self._let_go(look, wanted)
        self._memories.drop(look, wanted)  # its snapshots go with it
        self._note(look, wanted, None, Outcome(), settled=True)
        with _FORGET_LOG:
            defining.console_log(self._places, wanted.machine).unlink(missing_ok=True)
        self._pace.forget(resource.id)
        if wanted.snapshot_num:  # they go with it, and ask for a look as they do
            status = noting.status_of(wanted, None, node_id=None, accelerator="", booted=False, addresses={})
            return StillRemoving(status=status, again_after=_WAIT)
        return Gone()

    # -- a guest that shall not run ------------------------------------------------------------------

    def _stopped(self, look: Look, wanted: Wanted, machine: Machine | None) -> Observed[VirtualMachineStatus]:
        if machine is not None and machine.alive:
            machine = self._before_it_stops(look, wanted, machine)
            look.check()
            if wanted.private.stop_forced or self._pace.stop_overdue(wanted.id):
                self._hypervisor.power_off(wanted.machine)
            else:
                if machine.power_state is PowerState.PAUSED:
                    self._hypervisor.resume(wanted.machine)
                self._hypervisor.stop(wanted.machine)
                return self._seen(look, wanted, machine, settled=False, again_after=self._pace.stop_pause)
            machine = self._hypervisor.observe(wanted.machine)
            self._memories.ended(look, wanted)
        self._pace.stopped(wanted.id)
        self._let_go(look, wanted)
        return self._seen(look, wanted, machine)

    def _before_it_stops(self, look: Look, wanted: Wanted, machine: Machine) -> Machine:
        """Keep the memory that was asked for before that; what fails keeps nobody waiting."""
        with suppress(StratalError):
            while any(point.memory for point in wanted.points.values()) and points.take(
                self._hypervisor, self._lender, self._memories, look, wanted, machine
            ):
                machine = self._again(wanted, machine)
        return machine

    def _let_go(self, look: Look, wanted: Wanted) -> None:
        """The guest has ended: its volumes and its places in networks are free."""
        for disk in wanted.disks:
            self._lender.give_back(look, disk.spec.bs_volume_id, self._keeper(wanted))
        for nic in wanted.nics:
            self._devices.unplug(look, nic)

    # -- a guest that shall ------------------------------------------------------------------------

    def _start(self, look: Look, wanted: Wanted, machine: Machine | None) -> Observed[VirtualMachineStatus]:
        pause = self._pace.before_start(wanted.id)
        if pause is not None:
            why = self._pace.why(wanted.id)
            return self._seen(look, wanted, machine, settled=False, again_after=pause, problem=why)
        for disk in wanted.disks:  # what a guest had open that has ended, or may have had before this process
            self._lender.give_back(look, disk.spec.bs_volume_id, self._keeper(wanted))
        try:
            chains = {
                disk.id: self._devices.chain(look, disk, self._keeper(wanted))
                for disk in wanted.disks
                if disk.spec.deletion_begin is None
            }
            media = {
                drive.id: self._devices.medium(look, drive)
                for drive in wanted.cd_roms
                if drive.spec.deletion_begin is None
            }
        except NotReady as error:
            return self._seen(look, wanted, machine, settled=False, again_after=_SOON, problem=str(error))
        try:
            ports = {
                nic.id: self._devices.port(look, nic)
                for nic in wanted.nics
                if nic.spec.deletion_begin is None
            }
        except Unavailable as error:  # its network is being made
            return self._seen(look, wanted, machine, settled=False, again_after=_SOON, problem=str(error))
        look.check()
        definition = defining.definition(wanted, chains=chains, media=media, ports=ports, places=self._places)
        if look.read(lambda tx: rollback_num(tx, wanted.id)) != wanted.spec.rollback_num:
            # what was lent is of after a rollback that this look knows nothing of
            return self._seen(look, wanted, machine, settled=False, again_after=_SOON)
        try:
            memory_file = self._memories.to_resume(look, wanted)
            self._hypervisor.start(definition, memory_file=memory_file)
        except StratalError as error:
            self._pace.failed(wanted.id, _why_not(error, wanted))
            raise
        self._pace.started(wanted.id)
        self._pace.has_password(wanted.id, wanted.private.graphics_password_num)
        self._watcher.known(wanted.machine)
        machine = self._hypervisor.observe(wanted.machine)
        if machine is None or not machine.alive:
            return self._seen(look, wanted, machine, settled=False, again_after=_SOON)
        return self._running(look, wanted, self._take_up(look, wanted, machine), booted=True)

    def _running(
        self, look: Look, wanted: Wanted, machine: Machine, *, booted: bool
    ) -> Observed[VirtualMachineStatus]:
        self._pace.seen_running(wanted.id)
        failure: StratalError | None = None
        try:
            while points.take(self._hypervisor, self._lender, self._memories, look, wanted, machine):
                machine = self._again(wanted, machine)
        except LeaseLost:
            raise
        except StratalError as error:  # what else is wanted of the guest doesn't wait for it
            failure = error
        if machine.held:
            self._hypervisor.settle(wanted.machine)
        elif (
            machine.power_state is PowerState.PAUSED
            and machine.cause is Cause.IO_ERROR
            and self._pace.may_try_again(wanted.id)
        ):
            self._hypervisor.resume(wanted.machine)
        outcome = self._devices.align(look, wanted, machine, self._keeper(wanted))
        for _ in range(_DEVICES_ROUNDS):
            if not outcome.changed:
                break
            machine = self._take_up(look, wanted, self._again(wanted, machine))
            outcome = self._devices.align(look, wanted, machine, self._keeper(wanted))
        untold = self._say(look, wanted, booted=booted)
        machine = self._again(wanted, machine)
        stalled = self._pace.stalled(wanted.id) if machine.alive else None
        seen = self._seen(
            look,
            wanted,
            machine,
            outcome=outcome,
            booted=booted,
            settled=not outcome.changed and machine.alive,
            again_after=_SOON
            if outcome.changed or not machine.alive
            else (stalled or self._pace.between_looks),
            problem=str(failure) if failure is not None else _REFUSED if stalled is not None else untold,
        )
        if failure is not None:
            look.write(lambda tx: self._tell(tx, wanted, seen))
            raise failure
        return seen

    def _tell(self, transaction: Transaction, wanted: Wanted, seen: Observed[VirtualMachineStatus]) -> None:
        """What was seen, where the look is to be taken again all the same."""
        if seen.status != wanted.resource.status:
            self._store.change_status(transaction, wanted.id, seen.status, sorted(seen.irreconcilable))

    def _say(self, look: Look, wanted: Wanted, *, booted: bool) -> str | None:
        """What a running guest is told: to reboot, and what its consoles ask for. Returns what it refused.

        Whether consoles ask for a password is settled at the boot, and irreconcilable from then on. So one
        that was taken away is asked for until the next boot: better than a console that anybody may use.
        """
        look.check()
        if not booted and wanted.spec.reboot_num > wanted.resource.status.reboot_num:
            self._hypervisor.reboot(wanted.machine, force=wanted.private.reboot_forced)
        number = wanted.private.graphics_password_num
        if not self._pace.knows_password(wanted.id, number):
            password = wanted.private.graphics_password
            if password and wanted.resource.status.graphics_auth_enabled:
                try:
                    self._hypervisor.set_graphics_password(wanted.machine, password)
                except CannotPlug as error:
                    return f"{error}: it waits for the next boot"
            self._pace.has_password(wanted.id, number)
        return None

    # -- parts ---------------------------------------------------------------------------------------

    def _take_up(self, look: Look, wanted: Wanted, machine: Machine) -> Machine:
        """Let storage know by what way the disks of a running guest can be worked on."""
        keeper = self._keeper(wanted)
        for disk in wanted.disks:
            target = wanted.disk_targets[disk.id]
            if target in machine.disks:
                way = GuestDisk(self._hypervisor, wanted.machine, target)
                self._lender.opened(look, disk.spec.bs_volume_id, keeper, way)
            elif disk.spec.deletion_begin is not None:
                self._lender.give_back(look, disk.spec.bs_volume_id, self._keeper(wanted))
        return machine

    def _again(self, wanted: Wanted, before: Machine) -> Machine:
        """As it is now; one that is not there any more as one that is stopped."""
        seen = self._hypervisor.observe(wanted.machine)
        if seen is None:
            return replace(before, power_state=PowerState.STOPPED, disks={}, nics={}, cd_roms={})
        return seen

    @staticmethod
    def _keeper(wanted: Wanted) -> Keeper:
        return (VIRTUAL_MACHINE.name, wanted.id)

    def _seen(
        self,
        look: Look,
        wanted: Wanted,
        machine: Machine | None,
        *,
        outcome: Outcome | None = None,
        booted: bool = False,
        settled: bool = True,
        again_after: timedelta | None = None,
        problem: str | None = None,
    ) -> Observed[VirtualMachineStatus]:
        """Write down what was seen of the parts, and answer what was seen of the machine."""
        addresses = self._note(look, wanted, machine, outcome or Outcome(), settled=settled)
        status = noting.status_of(
            wanted,
            machine,
            node_id=wanted.node_id,
            accelerator=self._accelerator(),
            booted=booted,
            addresses=addresses,
        )
        if machine is not None and machine.alive and wanted.spec.power_state is WantedPower.RUNNING:
            status = msgspec.structs.replace(status, reboot_num=wanted.spec.reboot_num)
        status = msgspec.structs.replace(status, problem=problem)
        return Observed(
            status=status,
            settled=settled,
            again_after=again_after,
            irreconcilable=noting.irreconcilable(wanted.spec, status),
        )

    def _note(
        self, look: Look, wanted: Wanted, machine: Machine | None, outcome: Outcome, *, settled: bool
    ) -> dict[int, tuple[str, ...]]:
        alive = machine is not None and machine.alive
        addresses = self._addresses(look, wanted, machine)
        for nic in wanted.nics:
            gone = machine is None or nic.spec.mac_address not in machine.nics or not alive
            if nic.spec.deletion_begin is not None and gone:
                self._devices.unplug(look, nic)
        seen = noting.parts_of(
            wanted,
            machine,
            sizes=self._sizes(wanted) if alive else {},
            ports=outcome.bridges,
            addresses=addresses,
            problems=outcome.problems,
            settled=settled,
        )
        if any(wanted.noted.get((part.kind, part.id)) != part for part in seen):
            look.write(lambda tx: parts.note(tx, wanted.id, seen))
        return addresses

    def _addresses(self, look: Look, wanted: Wanted, machine: Machine | None) -> dict[int, tuple[str, ...]]:
        """By the ids of interfaces: what the guest's agent tells, or else what its network has learnt."""
        if machine is None or not machine.alive:
            self._agents.forget(wanted.machine)
            return {}
        told = self._agents.of(machine)
        return {
            nic.id: told.get(nic.spec.mac_address) or self._devices.addresses(look, nic)
            for nic in wanted.nics
        }

    def _accelerator(self) -> str:
        """Found out once: it is a matter of the host."""
        if self._known_accelerator is None:
            self._known_accelerator = self._hypervisor.probe().accelerator.value
        return self._known_accelerator

    def _sizes(self, wanted: Wanted) -> dict[str, int]:
        with suppress(StratalError):  # it has just ended: the next look tells
            return dict(self._hypervisor.disk_sizes(wanted.machine))
        return {}


def _why_not(error: StratalError, wanted: Wanted) -> str:
    if wanted.resume is None:
        return str(error)
    return (
        f"it can't go on from the memory of vm_snap {wanted.resume}: {error}; stop it to let it boot instead"
    )
