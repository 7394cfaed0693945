"""The hypervisor whose machines are in memory. Built by the composition root and by tests."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from stratal.compute.domain import (
    BlockJob,
    Machine,
    MachineId,
)
from stratal.compute.drivers.contract import (
    Accelerator,
    GuestAddress,
    Host,
    MachineEvent,
)
from stratal.compute.drivers.simulated.chains import Chains
from stratal.compute.drivers.simulated.devices import Devices
from stratal.compute.drivers.simulated.life import Life
from stratal.compute.drivers.simulated.looking import described
from stratal.compute.drivers.simulated.points import Points


class SimulatedHypervisor(Life, Devices, Points, Chains):
    """A `Hypervisor`."""

    def probe(self) -> Host:
        return Host(
            accelerator=Accelerator.TCG,
            accelerator_reason="the host is simulated",
            versions={"simulated": "1"},
            cpus=self.world.cpus,
            memory_bytes=self.world.memory_bytes,
            uefi=True,
        )

    def observe(self, machine: MachineId) -> Machine | None:
        with self.world.lock:
            held = self.world.find(machine, self.owner)
            return None if held is None else described(machine, held, self.world.guest_of(machine))

    def survey(self) -> Mapping[MachineId, Machine]:
        found = {machine: self.observe(machine) for machine in tuple(self.world.machines)}
        return {machine: seen for machine, seen in found.items() if seen is not None}

    def jobs(self, machine: MachineId) -> Mapping[str, BlockJob]:
        with self.world.lock:
            return dict(self.world.get(machine, self.owner).jobs)

    def disk_sizes(self, machine: MachineId) -> Mapping[str, int]:
        with self.world.lock:
            held = self.world.live(machine, self.owner)
            return {target: held.sizes.get(target, 0) for target in held.disks}

    @contextmanager
    def subscribe(self, listener: Callable[[MachineEvent], None]) -> Generator[None]:
        self.world.listeners.append(listener)
        try:
            yield
        finally:
            self.world.listeners.remove(listener)

    def ping_agent(self, machine: MachineId, *, seconds: float = 5.0) -> None:
        self.require_agent(machine)

    def guest_addresses(self, machine: MachineId, *, seconds: float = 5.0) -> tuple[GuestAddress, ...]:
        self.require_agent(machine)
        return self.world.guest_of(machine).addresses

    def guest_frozen(self, machine: MachineId, *, seconds: float = 5.0) -> bool:
        self.require_agent(machine)
        return self.live(machine).frozen
