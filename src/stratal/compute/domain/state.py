"""What a machine was found to be. Built by hypervisor drivers, read by the reconcilers of compute."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stratal.compute.domain.definition import Chain, Limits, MachineId


class PowerState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CRASHED = "crashed"


class Cause(StrEnum):
    """How a machine came to be in its state, as far as the hypervisor knows."""

    #: by a verb of this driver, or by somebody who used the hypervisor directly
    REQUESTED = "requested"
    #: stopped: the guest switched itself off
    GUEST = "guest"
    #: paused: a disk can't take what the guest writes; `resume` once it can again
    IO_ERROR = "io_error"
    #: stopped: it was never got to run, or the hypervisor gave it up
    FAILED = "failed"
    #: crashed, or paused after the guest said that it crashed
    CRASH = "crash"
    #: paused: by `hold` or `snapshot`, for a moment, or until `settle`
    HELD = "held"
    UNKNOWN = "unknown"


class AgentState(StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class JobKind(StrEnum):
    #: of layers below the one that is written to
    COMMIT = "commit"
    #: of the layer that is written to
    ACTIVE_COMMIT = "active_commit"
    PULL = "pull"
    #: nothing that this driver starts
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockJob:
    """Work on a disk's chain that goes on inside the hypervisor."""

    kind: JobKind
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskState:
    target: str
    #: as QEMU has it open, or as the machine last had it
    chain: Chain
    serial: str | None
    read_only: bool
    limits: Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class CdRomState:
    target: str
    medium: Chain
    #: the guest has opened the tray
    tray_open: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NicState:
    mac: str
    tap: str | None
    link_up: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphicsPorts:
    """TCP ports of the consoles; None where there is none or the machine is not running."""

    vnc: int | None = None
    spice: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One machine as the hypervisor holds it now; of a stopped one, what it was when it last ran."""

    machine: MachineId
    name: str
    power_state: PowerState
    cause: Cause
    cpus: int
    memory_bytes: int
    #: by target
    disks: Mapping[str, DiskState] = field(default_factory=dict[str, DiskState])
    #: by target
    cd_roms: Mapping[str, CdRomState] = field(default_factory=dict[str, CdRomState])
    #: by MAC address
    nics: Mapping[str, NicState] = field(default_factory=dict[str, NicState])
    graphics: GraphicsPorts = GraphicsPorts()
    agent: AgentState = AgentState.DISCONNECTED
    #: `hold` or `snapshot` has it stand still, or did so and was killed: `settle` tells these apart
    held: bool = False

    @property
    def alive(self) -> bool:
        """Whether there is a QEMU process, so that disks are in use and live verbs work."""
        return self.power_state in (PowerState.RUNNING, PowerState.PAUSED)
