"""Jobs on the disks of a running machine, and the instants in which QEMU must not be asked for its nodes.

QEMU 7.2 dies when it is asked for its block nodes in the instant in which the filter of an ending job has no
child any more (seen as a NULL dereference in `bdrv_refresh_filename`). libvirt 9.0 asks when it starts a job,
measures a disk, or takes a snapshot. So one job of a machine goes on at a time, nothing is measured then,
and no job ends while a snapshot is taken. Part of `driver`.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from stratal.compute.domain import BlockJob, JobKind, MachineId
from stratal.compute.drivers.errors import MachineBusy
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import Found, patient
from stratal.compute.drivers.libvirt.life import Life
from stratal.kernel.effects import Effect

_HOLD_JOB = Effect("libvirt.hold_job")
_RELEASE_JOB = Effect("libvirt.release_job")

_TURN = "a job"
_START = "the start of a job"
_POLL_SECONDS = 0.01
# A job that has copied everything ends in milliseconds, and libvirt tells of it a moment later.
_ENDING_SECONDS = 5.0
_SLOWEST_BYTES_PER_SECOND = 1
_UNLIMITED = 0


class Jobs(Life):
    @patient
    def jobs(self, machine: MachineId) -> Mapping[str, BlockJob]:
        found = self.get(machine)
        return self._jobs_of(found) if found.alive else {}

    @contextmanager
    def turn(self, machine: MachineId, check: Callable[[], None]) -> Generator[None]:
        """While inside, no other job of the machine goes on; waits until that is so. `check` is called while
        waiting and may raise."""
        with self._waiting_for(machine, _TURN, check):
            yield

    @contextmanager
    def starting(self, machine: MachineId, check: Callable[[], None]) -> Generator[None]:
        """While inside, a job may be started; waits while `no_job_ends`."""
        with self._waiting_for(machine, _START, check):
            yield

    @contextmanager
    def without_jobs(self, machine: MachineId) -> Generator[None]:
        """While inside, no job of the machine goes on; MachineBusy if one does."""
        with self.claimed(machine, _TURN):
            yield

    @contextmanager
    def no_job_ends(self, found: Found) -> Generator[None]:
        """While inside, jobs of the machine are held so slow that none of them ends. A process that is killed
        inside leaves them so; whoever goes on with a job lets it run (`let_run`)."""
        machine = found.machine
        with self._waiting_for(machine, _START, lambda: None):
            slowed: list[str] = []
            try:
                for target in self._jobs_of(found):
                    slowed.append(target)
                    with _HOLD_JOB:
                        self._set_speed(machine, target, _SLOWEST_BYTES_PER_SECOND)
                    self._see_off(machine, target)
                yield
            finally:
                for target in slowed:
                    self.let_run(machine, target)

    def let_run(self, machine: MachineId, target: str) -> None:
        """Let a job go on as fast as it can. Done already if there is none."""
        with _RELEASE_JOB:
            self._set_speed(machine, target, _UNLIMITED)

    def job(self, machine: MachineId, target: str) -> BlockJob | None:
        libvirt = binding.module()
        kinds = {
            libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT: JobKind.COMMIT,
            libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT: JobKind.ACTIVE_COMMIT,
            libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL: JobKind.PULL,
        }
        info = self.ask(
            machine,
            "looking at a job",
            lambda handle: handle.blockJobInfo(target, 0),
            refused=lambda reason: MachineBusy(machine=machine, reason=reason),
        )
        if not info:
            return None
        return BlockJob(
            kind=kinds.get(info["type"], JobKind.OTHER),
            done_bytes=int(info["cur"]),
            total_bytes=int(info["end"]),
        )

    @contextmanager
    def _waiting_for(self, machine: MachineId, claim: str, check: Callable[[], None]) -> Generator[None]:
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self.claimed(machine, claim))
                    break
                except MachineBusy:
                    check()
                    time.sleep(_POLL_SECONDS)
            yield

    def _see_off(self, machine: MachineId, target: str) -> None:
        """Wait for a job that has nothing left to be slow with."""
        deadline = time.monotonic() + _ENDING_SECONDS
        while (job := self.job(machine, target)) is not None and _is_ending(job):
            if time.monotonic() > deadline:
                raise MachineBusy(machine=machine, reason=f"a job of disk {target} is about to end")
            time.sleep(_POLL_SECONDS)

    def _jobs_of(self, found: Found) -> Mapping[str, BlockJob]:
        jobs: dict[str, BlockJob] = {}
        for target in found.domain.disks:
            try:
                job = self.job(found.machine, target)
            except MachineBusy:
                # It may have been unplugged meanwhile.
                if target in self.live(found.machine).domain.disks:
                    raise
                continue
            if job is not None:
                jobs[target] = job
        return jobs

    def _set_speed(self, machine: MachineId, target: str, bytes_per_second: int) -> None:
        flag = binding.module().VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES

        def change(handle: Any) -> None:
            if handle.blockJobInfo(target, 0):
                handle.blockJobSetSpeed(target, bytes_per_second, flag)

        try:
            self.ask(
                machine,
                "setting the speed of a job",
                change,
                refused=lambda reason: MachineBusy(machine=machine, reason=reason),
            )
        except MachineBusy:
            # It ended between the two.
            if self.job(machine, target) is not None:
                raise


def _is_ending(job: BlockJob) -> bool:
    """Whether it ends by itself now; one into the layer below the top waits until it is told to."""
    return job.kind is not JobKind.ACTIVE_COMMIT and job.done_bytes >= job.total_bytes
