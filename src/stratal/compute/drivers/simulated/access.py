"""What all verbs of the simulated hypervisor share. Base of its parts."""

from collections.abc import Generator
from contextlib import contextmanager

from stratal.compute.domain import MachineId
from stratal.compute.drivers.contract import Happening
from stratal.compute.drivers.errors import AgentUnavailable
from stratal.compute.drivers.simulated.world import Held, World
from stratal.kernel.effects import Effect
from stratal.kernel.script import Script

_PREFIX = "simulated.machine."
_EFFECTS = {
    name: Effect(_PREFIX + name)
    for name in (
        "start",
        "stop",
        "power_off",
        "reboot",
        "pause",
        "resume",
        "remove",
        "attach",
        "detach",
        "change",  # of a device that stays: medium, link, limits, size, password
        "hold",
        "release",
        "snapshot",
        "forget",  # saved memory
        "job",  # a commit or pull begins
        "finish",  # it ends, and the chain is another one
    )
}


class Access:
    """The world, and the way to change it. Everything that outlives the driver is in `world`; `script` says
    what goes wrong."""

    def __init__(
        self, world: World | None = None, *, owner: str = "simulated", script: Script | None = None
    ) -> None:
        self.world = world or World()
        self.script = script or Script()
        self.owner = owner
        #: the machines that a `hold` of this process has
        self.holding: set[MachineId] = set()
        #: the disks that an operation of this process works on
        self.working: set[tuple[MachineId, str]] = set()

    def get(self, machine: MachineId) -> Held:
        with self.world.lock:
            return self.world.get(machine, self.owner)

    def live(self, machine: MachineId) -> Held:
        with self.world.lock:
            return self.world.live(machine, self.owner)

    @contextmanager
    def effect(self, name: str, machine: MachineId, what: Happening) -> Generator[None]:
        """The side effect, atomic for all who use the world; then who listens is told."""
        with self.script.around(name), _EFFECTS[name], self.world.lock:
            yield
        self.world.tell(machine, what)

    @property
    def forgetting(self) -> Effect:
        """Of what belongs to no machine any more."""
        return _EFFECTS["forget"]

    def require_agent(self, machine: MachineId) -> None:
        guest = self.world.guest_of(machine)
        if not self.live(machine).has_agent_channel or not guest.has_agent:
            raise AgentUnavailable(machine=machine, reason="it is not connected")
        if guest.agent_hangs:
            raise AgentUnavailable(machine=machine, reason="it gave no answer in time")
