"""The guest agent. Part of `driver`.

Its protocol: https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
"""

from typing import Any, TypeVar

import msgspec

from stratal.compute.domain import MachineId
from stratal.compute.drivers.contract import GuestAddress
from stratal.compute.drivers.errors import AgentUnavailable
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import patient
from stratal.compute.drivers.libvirt.devices import Devices
from stratal.kernel.effects import Effect

_FREEZE = Effect("libvirt.freeze")
_THAW = Effect("libvirt.thaw")

#: what libvirt may take beyond the time that the agent is given
_GRACE_SECONDS = 5.0

_Answer = TypeVar("_Answer")


class _Address(msgspec.Struct, rename="kebab"):
    ip_address: str
    prefix: int


class _Interface(msgspec.Struct, rename="kebab"):
    name: str
    hardware_address: str = ""
    ip_addresses: list[_Address] = msgspec.field(default_factory=list[_Address])


class _Interfaces(msgspec.Struct, rename={"found": "return"}):
    found: list[_Interface]


class _Status(msgspec.Struct, rename={"found": "return"}):
    found: str


class _Nothing(msgspec.Struct):
    pass


class Agent(Devices):
    @patient
    def ping_agent(self, machine: MachineId, *, seconds: float = 5.0) -> None:
        self._command(machine, "guest-ping", _Nothing, seconds)

    @patient
    def guest_addresses(self, machine: MachineId, *, seconds: float = 5.0) -> tuple[GuestAddress, ...]:
        interfaces = self._command(machine, "guest-network-get-interfaces", _Interfaces, seconds).found
        return tuple(
            GuestAddress(mac=interface.hardware_address.lower(), address=each.ip_address, prefix=each.prefix)
            for interface in interfaces
            if interface.name != "lo"
            for each in interface.ip_addresses
        )

    @patient
    def guest_frozen(self, machine: MachineId, *, seconds: float = 5.0) -> bool:
        return self._command(machine, "guest-fsfreeze-status", _Status, seconds).found == "frozen"

    def freeze(self, machine: MachineId, *, seconds: float) -> None:
        """Freeze all file systems of the guest. After an error they may be frozen all the same."""
        with _FREEZE:
            self._file_systems(machine, "freezing the guest", seconds, _freeze)

    def thaw(self, machine: MachineId, *, seconds: float) -> None:
        """Done already if none is frozen."""
        with _THAW:
            self._file_systems(machine, "thawing the guest", seconds, _thaw)

    def _file_systems(self, machine: MachineId, what: str, seconds: float, body: Any) -> None:
        def limited(handle: Any) -> None:
            # Before every request: libvirtd forgets the limit when it is restarted.
            handle.agentSetResponseTimeout(_whole(seconds), 0)
            body(handle)

        self.ask(
            machine,
            what,
            limited,
            seconds=seconds + _GRACE_SECONDS,
            refused=lambda reason: AgentUnavailable(machine=machine, reason=reason),
        )

    def _command(self, machine: MachineId, name: str, answer: type[_Answer], seconds: float) -> _Answer:
        self.live(machine)
        request = msgspec.json.encode({"execute": name}).decode()
        said = self.ask(
            machine,
            "asking the guest agent",
            lambda handle: str(binding.qemu_module().qemuAgentCommand(handle, request, _whole(seconds), 0)),
            seconds=seconds + _GRACE_SECONDS,
            refused=lambda reason: AgentUnavailable(machine=machine, reason=reason),
        )
        try:
            return msgspec.json.decode(said, type=answer)
        except msgspec.MsgspecError as error:
            # The agent is the guest's: it may say anything.
            raise AgentUnavailable(machine=machine, reason="its answer makes no sense") from error


def _freeze(handle: Any) -> None:
    handle.fsFreeze()


def _thaw(handle: Any) -> None:
    handle.fsThaw()


def _whole(seconds: float) -> int:
    """libvirt takes whole seconds, and 0 for no time at all."""
    return max(1, round(seconds))
