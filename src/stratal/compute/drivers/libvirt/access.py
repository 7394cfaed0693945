"""What all verbs of the libvirt driver share. Base of its parts."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from stratal.compute.domain import Cause, Machine, MachineId, PowerState, reading
from stratal.compute.drivers.errors import (
    AgentUnavailable,
    HypervisorUnavailable,
    MachineBusy,
    MachineForeign,
    MachineNotFound,
    MachineNotRunning,
)
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.link import SECONDS, ConnectionLost, Link
from stratal.kernel.errors import StratalError

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")
_Self = TypeVar("_Self", bound="Access")

_RETRY_SECONDS = 0.1


def patient(
    verb: Callable[Concatenate[_Self, _Arguments], _Result],
) -> Callable[Concatenate[_Self, _Arguments], _Result]:
    """Let a verb, which observes before it acts, begin anew when libvirtd went away meanwhile."""

    @wraps(verb)
    def again(self: _Self, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        deadline = time.monotonic() + self.link.patience_seconds
        while True:
            try:
                return verb(self, *arguments, **named)
            except ConnectionLost as error:
                if time.monotonic() > deadline:
                    raise HypervisorUnavailable(reason=str(error)) from error
                time.sleep(_RETRY_SECONDS)

    return again


@dataclass(frozen=True, kw_only=True)
class Found:
    """A machine of ours, as it was a moment ago."""

    machine: MachineId
    #: libvirt's handle
    handle: Any
    power_state: PowerState
    cause: Cause
    domain: reading.Domain
    xml: str

    @property
    def alive(self) -> bool:
        return self.power_state in (PowerState.RUNNING, PowerState.PAUSED)

    @property
    def described(self) -> Machine:
        held = self.alive and self.domain.undo is not None
        paused_by_hold = held and self.power_state is PowerState.PAUSED and self.cause is Cause.REQUESTED
        return Machine(
            machine=self.machine,
            name=self.domain.name,
            power_state=self.power_state,
            cause=Cause.HELD if paused_by_hold else self.cause,
            cpus=self.domain.cpus,
            memory_bytes=self.domain.memory_bytes,
            disks=self.domain.disks,
            cd_roms=self.domain.cd_roms,
            nics=self.domain.nics,
            graphics=self.domain.graphics,
            agent=self.domain.agent,
            held=held,
        )


class Access:
    def __init__(
        self, directory: Path, *, owner: str, uri: str | None = None, patience_seconds: float = 20.0
    ) -> None:
        """`owner` is the installation's mark on its machines. `directory` holds what a libvirtd of our own
        needs, see `link`; a short absolute path, as sockets lie in it. `patience_seconds`: for so long a verb
        waits for a libvirtd that restarts."""
        self.owner = owner
        self.link = Link(directory, uri=uri, patience_seconds=patience_seconds)
        self._lock = threading.Lock()
        self._claimed: set[tuple[MachineId, str]] = set()

    @contextmanager
    def claimed(self, machine: MachineId, what: str) -> Generator[None]:
        """While inside, no other verb of this process may claim the same: MachineBusy."""
        with self._lock:
            if (machine, what) in self._claimed:
                raise MachineBusy(machine=machine, reason=f"{what} is under way")
            self._claimed.add((machine, what))
        try:
            yield
        finally:
            with self._lock:
                self._claimed.discard((machine, what))

    def find(self, machine: MachineId) -> Found | None:
        """The machine as it is now, if there is one and it is ours."""
        found = self.look_up(machine)
        return found if found is not None and found.domain.owner == self.owner else None

    def get(self, machine: MachineId) -> Found:
        found = self.find(machine)
        if found is None:
            raise MachineNotFound(machine=machine)
        return found

    def live(self, machine: MachineId) -> Found:
        found = self.get(machine)
        if not found.alive:
            raise MachineNotRunning(machine=machine)
        return found

    def look_up(self, machine: MachineId) -> Found | None:
        """The machine, whoever made it."""

        def body(connection: Any) -> Found | None:
            try:
                return described(connection.lookupByUUIDString(machine))
            except Exception as error:
                if binding.code_of(error) == binding.module().VIR_ERR_NO_DOMAIN:
                    return None
                raise

        # libvirtd answers this by itself: not to be kept waiting by what a hanging QEMU keeps waiting.
        return self._asked(machine, "looking a machine up", body, SECONDS, None, key=f"look at {machine}")

    def ours(self, machine: MachineId) -> Found | None:
        """As `find`; MachineForeign for somebody else's."""
        found = self.look_up(machine)
        if found is not None and found.domain.owner != self.owner:
            raise MachineForeign(machine=machine)
        return found

    def ask(
        self,
        machine: MachineId,
        what: str,
        body: Callable[[Any], _Result],
        *,
        seconds: float = SECONDS,
        refused: Callable[[str], StratalError] | None = None,
    ) -> _Result:
        """What `body` makes of libvirt's handle of the machine. `refused` makes the error of a refusal."""
        return self._asked(
            machine,
            what,
            lambda connection: body(connection.lookupByUUIDString(machine)),
            seconds,
            refused,
        )

    def ask_host(
        self,
        machine: MachineId,
        what: str,
        body: Callable[[Any], _Result],
        *,
        seconds: float = SECONDS,
        refused: Callable[[str], StratalError] | None = None,
    ) -> _Result:
        """As `ask`, with the connection in place of a machine that need not exist yet."""
        return self._asked(machine, what, body, seconds, refused)

    def _asked(
        self,
        machine: MachineId,
        what: str,
        body: Callable[[Any], _Result],
        seconds: float,
        refused: Callable[[str], StratalError] | None,
        *,
        key: str | None = None,
    ) -> _Result:
        try:
            return self.link.ask(key or machine, what, body, seconds=seconds)
        except Exception as error:
            if not binding.is_error(error):
                raise
            raise _translated(error, machine, what, refused) from error


def described(handle: Any) -> Found:
    """Ask libvirt about one domain. For use inside of a request."""
    xml = str(handle.XMLDesc(0))
    state, reason = handle.state(0)
    power_state, cause = _power(int(state), int(reason))
    return Found(
        machine=MachineId(str(handle.UUIDString())),
        handle=handle,
        power_state=power_state,
        cause=cause,
        domain=reading.read(xml),
        xml=xml,
    )


def _power(state: int, reason: int) -> tuple[PowerState, Cause]:
    libvirt = binding.module()
    if state == libvirt.VIR_DOMAIN_PAUSED:
        causes = {
            libvirt.VIR_DOMAIN_PAUSED_USER: Cause.REQUESTED,
            libvirt.VIR_DOMAIN_PAUSED_IOERROR: Cause.IO_ERROR,
            libvirt.VIR_DOMAIN_PAUSED_CRASHED: Cause.CRASH,
            libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: Cause.HELD,
            libvirt.VIR_DOMAIN_PAUSED_SAVE: Cause.HELD,
        }
        return PowerState.PAUSED, causes.get(reason, Cause.UNKNOWN)
    if state == libvirt.VIR_DOMAIN_CRASHED:
        return PowerState.CRASHED, Cause.CRASH
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        if reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED:
            return PowerState.CRASHED, Cause.CRASH
        causes = {
            libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: Cause.GUEST,
            libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: Cause.REQUESTED,
            libvirt.VIR_DOMAIN_SHUTOFF_FAILED: Cause.FAILED,
        }
        return PowerState.STOPPED, causes.get(reason, Cause.UNKNOWN)
    return PowerState.RUNNING, Cause.REQUESTED


def _translated(
    error: BaseException,
    machine: MachineId,
    what: str,
    refused: Callable[[str], StratalError] | None,
) -> StratalError:
    libvirt = binding.module()
    code, reason = binding.code_of(error), binding.message_of(error)
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return MachineNotFound(machine=machine)
    if code in (
        libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
        libvirt.VIR_ERR_AGENT_UNSYNCED,
    ):
        return AgentUnavailable(machine=machine, reason=reason)
    if code in (libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_BLOCK_COPY_ACTIVE):
        return MachineBusy(machine=machine, reason=reason)
    if code == libvirt.VIR_ERR_OPERATION_INVALID and "not running" in reason:
        return MachineNotRunning(machine=machine)
    if refused is not None:
        return refused(reason)
    return HypervisorUnavailable(reason=f"{what}: {reason}")
