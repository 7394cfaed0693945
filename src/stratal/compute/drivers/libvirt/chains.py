"""Jobs on the chains of a running machine's disks: commit and pull. Part of `driver`.

A job runs inside QEMU, whether or not we do. An operation looks at the chain and at the job that is there,
takes the next step, and looks again, until the chain is what it is to be.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stratal.compute.domain import BlockJob, Chain, Image, JobKind, MachineId
from stratal.compute.drivers.errors import ChainDiffers, DeviceNotFound, JobFailed, MachineBusy
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import ConnectionLost, Found, patient
from stratal.compute.drivers.libvirt.points import Points
from stratal.kernel.effects import Effect
from stratal.kernel.errors import StratalError
from stratal.kernel.operation import Cancelled, Operation

_COMMIT = Effect("libvirt.commit")
_PULL = Effect("libvirt.pull")
_PIVOT = Effect("libvirt.pivot")
_CANCEL = Effect("libvirt.cancel")

_FIRST_POLL_SECONDS = 0.01
_MOST_POLL_SECONDS = 0.5
# libvirt tells of the new chain a moment after the job has gone.
_GRACE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class _Goal:
    """What an operation is to lead to."""

    what: str
    machine: MachineId
    target: str
    #: whether this chain is it; raises ChainDiffers where it can't be reached
    reached: Callable[[Chain], bool]
    #: the kind of the job that leads there from this chain
    kind: Callable[[Chain], JobKind]
    #: what an active commit goes into
    base: Image | None
    #: starts the job
    begin: Callable[[Found], None]

    def failed(self, reason: str) -> StratalError:
        return JobFailed(job=self.what, machine=self.machine, device=self.target, reason=reason)


class Chains(Points):
    def commit(self, machine: MachineId, target: str, *, top: Image, base: Image) -> Operation:
        def reached(chain: Chain) -> bool:
            if base not in chain:
                raise ChainDiffers(machine=machine, device=target, reason=f"{base} is not in it")
            if top in chain and chain.index(top) >= chain.index(base):
                raise ChainDiffers(machine=machine, device=target, reason=f"{base} is not below {top}")
            return top not in chain

        def begin(found: Found) -> None:
            chain = found.domain.disks[target].chain
            libvirt = binding.module()
            flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE if chain[0] == top else 0
            above, below = _name(found, target, top), _name(found, target, base)
            with _COMMIT:
                self.ask(
                    machine,
                    "starting a commit",
                    lambda handle: handle.blockCommit(target, below, above, 0, flags),
                    refused=goal.failed,
                )

        goal = _Goal(
            what="commit",
            machine=machine,
            target=target,
            reached=reached,
            kind=lambda chain: JobKind.ACTIVE_COMMIT if chain[0] == top else JobKind.COMMIT,
            base=base,
            begin=begin,
        )
        return self._operation(goal)

    def pull(self, machine: MachineId, target: str, *, base: Image | None) -> Operation:
        def reached(chain: Chain) -> bool:
            if base is not None and base not in chain[1:]:
                raise ChainDiffers(machine=machine, device=target, reason=f"{base} is not below its top")
            return chain[1:2] == (() if base is None else (base,))

        def begin(found: Found) -> None:
            below = None if base is None else _name(found, target, base)
            with _PULL:
                self.ask(
                    machine,
                    "starting a pull",
                    lambda handle: handle.blockRebase(target, below, 0, 0),
                    refused=goal.failed,
                )

        goal = _Goal(
            what="pull",
            machine=machine,
            target=target,
            reached=reached,
            kind=lambda _: JobKind.PULL,
            base=None,
            begin=begin,
        )
        return self._operation(goal)

    def _operation(self, goal: _Goal) -> Operation:
        def body(operation: Operation) -> None:
            with (
                self.claimed(goal.machine, f"a job of disk {goal.target}"),
                self.turn(goal.machine, operation.check),
                operation.phase(goal.what),
            ):
                try:
                    self._lead(goal, operation)
                except Cancelled:
                    if not self._cancel(goal):
                        raise

        return Operation(f"{goal.what} of disk {goal.target} of machine {goal.machine}", body)

    def _lead(self, goal: _Goal, operation: Operation) -> None:
        """Step after step until the goal is reached."""
        begun = False
        #: how long neither the job nor the goal was seen, without the time that looking took: libvirtd may
        #: have been started anew meanwhile
        missing = 0.0
        #: how long a job was seen of which libvirt does not know where it leads
        aimless = 0.0
        wait = _FIRST_POLL_SECONDS
        while True:
            found, job = self._look(goal)
            chain = found.domain.disks[goal.target].chain
            try:
                if job is not None:
                    if not begun:
                        self.let_run(goal.machine, goal.target)
                    begun, missing = True, 0.0
                    operation.expect(job.total_bytes)
                    operation.advance(job.done_bytes)
                    self._tend(goal, found, job)
                    aimless = aimless + wait if _is_aimless(goal, found, job) else 0.0
                    if aimless > _GRACE_SECONDS:
                        self._abort(goal)
                        begun, aimless = False, 0.0
                elif goal.reached(chain):
                    operation.advance(operation.progress.total_bytes)
                    return
                elif not begun:
                    with self.starting(goal.machine, operation.check):
                        goal.begin(found)
                    begun = True
                    continue
                elif missing > _GRACE_SECONDS:
                    raise goal.failed("it ended before its end; a disk may be full or fail")
            except ConnectionLost:
                continue
            operation.check()
            time.sleep(wait)
            missing += wait
            wait = min(wait * 1.5, _MOST_POLL_SECONDS)

    def _tend(self, goal: _Goal, found: Found, job: BlockJob) -> None:
        """Do what a running job waits for."""
        if job.kind is not goal.kind(found.domain.disks[goal.target].chain):
            raise MachineBusy(machine=goal.machine, reason=f"a {job.kind} of disk {goal.target} goes on")
        mirror = found.domain.mirrors.get(goal.target)
        if mirror is None:
            return
        if mirror.base != goal.base:
            # Left by a killed process that wanted something else; the chain reads the same without it.
            self._abort(goal)
        elif mirror.ready:
            flag = binding.module().VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT
            with _PIVOT:
                self.ask(
                    goal.machine,
                    "ending a commit",
                    lambda handle: handle.blockJobAbort(goal.target, flag),
                    refused=goal.failed,
                )

    @patient
    def _cancel(self, goal: _Goal) -> bool:
        """Stop the job, if there is one; True if the goal was reached before."""
        self._abort(goal)
        found, _ = self._look(goal)
        return goal.reached(found.domain.disks[goal.target].chain)

    def _abort(self, goal: _Goal) -> None:
        def abort(handle: Any) -> None:
            if handle.blockJobInfo(goal.target, 0):
                handle.blockJobAbort(goal.target, 0)

        with _CANCEL:
            self.ask(goal.machine, "stopping a job", abort, refused=goal.failed)

    @patient
    def _look(self, goal: _Goal) -> tuple[Found, BlockJob | None]:
        if goal.target not in self.live(goal.machine).domain.disks:
            raise DeviceNotFound(machine=goal.machine, device=goal.target)
        # The job first: one that ends in between shows as the new chain, never as neither.
        job = self.job(goal.machine, goal.target)
        return self.live(goal.machine), job


def _is_aimless(goal: _Goal, found: Found, job: BlockJob) -> bool:
    """Whether it goes on for ever: a libvirtd that is killed as it begins a commit of what the guest writes
    to may have told QEMU, and not written down into which layer. All that can be done then is to stop it."""
    return job.kind is JobKind.ACTIVE_COMMIT and goal.target not in found.domain.mirrors


def _name(found: Found, target: str, image: Image) -> str:
    """As libvirt addresses a layer: by its index, never by a path that could be spelt in several ways."""
    position = found.domain.disks[target].chain.index(image)
    index = found.domain.indexes[target][position]
    return f"{target}[{index}]"
