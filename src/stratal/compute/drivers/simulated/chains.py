"""Jobs on the chains of simulated disks. Part of `driver`."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace

from stratal.compute.domain import (
    BlockJob,
    Chain,
    Image,
    JobKind,
    MachineId,
)
from stratal.compute.drivers.contract import Happening
from stratal.compute.drivers.errors import (
    ChainDiffers,
    MachineBusy,
)
from stratal.compute.drivers.simulated.access import Access
from stratal.compute.drivers.simulated.world import disk_of
from stratal.kernel.operation import Operation

# A job of a simulated disk moves so much.
_JOB_BYTES = 2**20


class Chains(Access):
    def commit(self, machine: MachineId, target: str, *, top: Image, base: Image) -> Operation:
        def remaining(chain: Chain) -> Chain | None:
            if base not in chain:
                raise ChainDiffers(machine=machine, device=target, reason=f"{base} is not in it")
            if top not in chain:
                return None
            first, last = chain.index(top), chain.index(base)
            if first >= last:
                raise ChainDiffers(machine=machine, device=target, reason=f"{base} is not below {top}")
            return chain[:first] + chain[last:]

        def kind(chain: Chain) -> JobKind:
            return JobKind.ACTIVE_COMMIT if chain[0] == top else JobKind.COMMIT

        return self._operation("commit", machine, target, kind, remaining)

    def pull(self, machine: MachineId, target: str, *, base: Image | None) -> Operation:
        def remaining(chain: Chain) -> Chain | None:
            if base is not None and base not in chain[1:]:
                raise ChainDiffers(machine=machine, device=target, reason=f"{base} is not in it")
            rest = () if base is None else chain[chain.index(base) :]
            return None if chain[1:] == rest else (chain[0], *rest)

        return self._operation("pull", machine, target, lambda _: JobKind.PULL, remaining)

    def _operation(
        self,
        what: str,
        machine: MachineId,
        target: str,
        kind: Callable[[Chain], JobKind],
        remaining: Callable[[Chain], Chain | None],
    ) -> Operation:
        """Work that leads from a chain to what `remaining` makes of it; None: nothing is left to do."""

        def body(operation: Operation) -> None:
            with self._alone(machine, target):
                held = self.live(machine)
                chain = disk_of(held, machine, target).chain
                if remaining(chain) is None:
                    return
                operation.expect(_JOB_BYTES)
                with operation.phase("copy"):
                    if target not in held.jobs:
                        with self.effect("job", machine, Happening.DISK):
                            job = BlockJob(kind=kind(chain), done_bytes=0, total_bytes=_JOB_BYTES)
                            self.live(machine).jobs[target] = job
                    operation.advance(_JOB_BYTES)
                try:
                    operation.check()
                except BaseException:
                    held.jobs.pop(target, None)
                    raise
                with operation.phase("finish"), self.effect("finish", machine, Happening.DISK):
                    held = self.live(machine)
                    disk = disk_of(held, machine, target)
                    rest = remaining(disk.chain)
                    held.jobs.pop(target, None)
                    if rest is not None:
                        held.disks[target] = replace(disk, chain=rest)

        return Operation(f"{what} of {target} of machine {machine}", body)

    @contextmanager
    def _alone(self, machine: MachineId, target: str) -> Generator[None]:
        with self.world.lock:
            if (machine, target) in self.working:
                raise MachineBusy(machine=machine, reason=f"a job of disk {target} is under way")
            self.working.add((machine, target))
        try:
            yield
        finally:
            self.working.discard((machine, target))
