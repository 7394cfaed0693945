"""The addresses that guests tell of through their agents. Called by the reconciler of machines.

An agent is a program in the guest: it may hang, and say anything. So it is asked now and then only and waited
for shortly, less often where it gave no answer, and what it says is looked at before it is believed.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from stratal.compute.domain import AgentState, Machine, MachineId, PowerState
from stratal.compute.drivers.contract import GuestAddress, Hypervisor
from stratal.kernel.errors import StratalError

_SECONDS: Final = 2.0
"""For an answer."""
_FRESH_SECONDS: Final = 5.0
"""Many looks come one after the other while a machine is being changed: these need no answer each."""
_SILENT_SECONDS: Final = 60.0
"""How long an agent is left alone that gave no answer."""
_MOST_ADDRESSES: Final = 32
"""Of an interface."""

Addresses = Mapping[str, tuple[str, ...]]
"""By the MAC addresses of interfaces."""


@dataclass(frozen=True, kw_only=True)
class _Told:
    addresses: Addresses
    #: of the monotonic clock
    until: float


class AgentAddresses:
    """What guests told last. Memory of this process."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._lock = threading.Lock()
        self._told: dict[MachineId, _Told] = {}

    def of(self, machine: Machine) -> Addresses:
        """What the guest says; nothing where it has no agent that answers. A guest that is paused for a while
        has those that it had."""
        if machine.agent is not AgentState.CONNECTED:
            self.forget(machine.machine)
            return {}
        with self._lock:
            told = self._told.get(machine.machine)
        if told is not None and (time.monotonic() < told.until or self._cannot_answer(machine)):
            return told.addresses
        if self._cannot_answer(machine):
            return {}
        try:
            found = self._hypervisor.guest_addresses(machine.machine, seconds=_SECONDS)
            told = _Told(addresses=by_interface(found), until=time.monotonic() + _FRESH_SECONDS)
        except StratalError:
            told = _Told(addresses={}, until=time.monotonic() + _SILENT_SECONDS)
        with self._lock:
            self._told[machine.machine] = told
        return told.addresses

    def forget(self, machine: MachineId) -> None:
        """Its guest has ended."""
        with self._lock:
            self._told.pop(machine, None)

    @staticmethod
    def _cannot_answer(machine: Machine) -> bool:
        return machine.held or machine.power_state is not PowerState.RUNNING


def by_interface(told: Iterable[GuestAddress]) -> Addresses:
    """The addresses among what a guest told by which others could reach it, each in its one form."""
    found: dict[str, dict[str, None]] = {}
    for each in told:
        try:
            address = ip_address(each.address)
        except ValueError:
            continue
        reachable = not (address.is_link_local or address.is_loopback or address.is_unspecified)
        known = found.setdefault(each.mac.lower(), {})
        if reachable and not address.is_multicast and len(known) < _MOST_ADDRESSES:
            known[str(address)] = None
    return {mac: tuple(known) for mac, known in found.items() if known}
