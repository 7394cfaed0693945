"""The network of a host that is memory. Made by the composition root with --simulate, and by tests."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from stratal.kernel.effects import Effect
from stratal.kernel.script import Script
from stratal.network.drivers.contract import (
    Attachment,
    BridgeState,
    BridgeWanted,
    DhcpState,
    DhcpWanted,
    Interface,
    PortState,
    PortWanted,
    Survey,
    UplinkState,
    UplinkWanted,
)
from stratal.network.drivers.errors import BridgeMissing, DeviceForeign, InterfaceInUse, InterfaceMissing
from stratal.network.drivers.simulated.host import SimulatedHost

_EFFECTS: Final = {
    name: Effect(f"simulated.network.{name}")
    for name in ("uplink", "part", "bridge", "unbridge", "port", "unport", "dhcp", "undhcp")
}


class SimulatedNetwork:
    """One driver of a simulated host. Faults and delays of a script strike at its effects."""

    def __init__(self, host: SimulatedHost | None = None, *, script: Script | None = None) -> None:
        self.host = host or SimulatedHost()
        self.script = script or Script()
        self._lock = threading.RLock()

    def interfaces(self) -> list[Interface]:
        with self._lock:
            return list(self.host.interfaces.values())

    def bridge_device(self, network: int) -> str:
        return f"simb{network}"

    def port_device(self, port: int) -> str:
        return f"simt{port}"

    def uplink_device(self, switch: int, wanted: UplinkWanted) -> str:
        return wanted.interfaces[0] if len(wanted.interfaces) == 1 else f"simu{switch}"

    # -- uplinks -------------------------------------------------------------------------------------

    def observe_uplink(self, switch: int, wanted: UplinkWanted) -> UplinkState | None:
        with self._lock:
            present = [self.host.interfaces.get(name) for name in wanted.interfaces]
            if len(wanted.interfaces) > 1 and self.host.uplinks.get(switch) != wanted:
                return None
            found = tuple(each.name for each in present if each is not None and each.up)
            if not found:
                return None
            return UplinkState(device=self.uplink_device(switch, wanted), interfaces=found)

    def ensure_uplink(self, switch: int, wanted: UplinkWanted) -> UplinkState:
        with self._lock:
            for name in wanted.interfaces:
                self._check_free(name)
            if self.host.uplinks.get(switch) != wanted:
                with self._effect("uplink"):
                    self.host.uplinks[switch] = wanted
                    for name in wanted.interfaces:
                        interface = self.host.interfaces[name]
                        self.host.interfaces[name] = replace(interface, up=True, mtu=wanted.mtu)
            state = self.observe_uplink(switch, wanted)
            assert state is not None
            return state

    def remove_uplink(self, switch: int) -> None:
        with self._lock:
            if switch in self.host.uplinks:
                with self._effect("part"):
                    self.host.uplinks.pop(switch, None)

    # -- bridges -------------------------------------------------------------------------------------

    def observe_bridge(self, network: int) -> BridgeState | None:
        with self._lock:
            bridge = self.host.bridges.get(network)
            if bridge is None:
                return None
            joined = bridge.uplink if bridge.vlan == 0 or bridge.uplink is None else f"simv{network}"
            ports = {self.port_device(id) for id in self._ports_of(network)}
            ports |= {f"simd{network}"} if network in self.host.dhcp else set()
            return BridgeState(
                device=self.bridge_device(network),
                mac="02:53:" + ":".join(f"{network >> shift & 0xFF:02x}" for shift in (24, 16, 8, 0)),
                up=True,
                mtu=bridge.mtu,
                ports=frozenset(ports | ({joined} if joined else set())),
                uplink=joined,
                filtering=bridge.attachment is Attachment.ACCESS,
            )

    def ensure_bridge(self, network: int, wanted: BridgeWanted) -> BridgeState:
        with self._lock:
            self._check_ours(self.bridge_device(network))
            if wanted.uplink is not None and not wanted.uplink.startswith("simu"):
                self._check_free(wanted.uplink)
            if wanted.uplink is not None and wanted.vlan == 0:
                self._check_sole(network, wanted.uplink)
            if self.host.bridges.get(network) != wanted:
                with self._effect("bridge"):
                    self.host.bridges[network] = wanted
            state = self.observe_bridge(network)
            assert state is not None
            return state

    def remove_bridge(self, network: int) -> None:
        with self._lock:
            if network in self.host.bridges:
                with self._effect("unbridge"):
                    self.host.parted |= set(self._ports_of(network))
                    self.host.bridges.pop(network, None)

    # -- ports ---------------------------------------------------------------------------------------

    def observe_port(self, port: int) -> PortState | None:
        with self._lock:
            found = self.host.ports.get(port)
            if found is None:
                return None
            return PortState(
                device=self.port_device(port),
                network=None if port in self.host.parted else found.network,
                link=found.link,
                open=False,
                multi_queue=found.multi_queue,
                owner_uid=found.owner_uid,
                mtu=found.mtu,
                to_guest_kbps=found.to_guest_kbps,
                from_guest_kbps=found.from_guest_kbps,
            )

    def ensure_port(self, port: int, wanted: PortWanted) -> PortState:
        with self._lock:
            self._check_ours(self.port_device(port))
            if wanted.network not in self.host.bridges:
                raise BridgeMissing(network=wanted.network)
            if self.host.ports.get(port) != wanted or port in self.host.parted:
                with self._effect("port"):
                    self.host.ports[port] = wanted
                    self.host.parted.discard(port)
            state = self.observe_port(port)
            assert state is not None
            return state

    def remove_port(self, port: int) -> None:
        with self._lock:
            if port in self.host.ports:
                with self._effect("unport"):
                    self.host.ports.pop(port, None)
                    self.host.parted.discard(port)

    # -- DHCP ----------------------------------------------------------------------------------------

    def observe_dhcp(self, network: int) -> DhcpState | None:
        with self._lock:
            found = self.host.dhcp.get(network)
            if found is None:
                return None
            return DhcpState(namespace=f"sim-{network}", addresses=(str(found.address),), running=True)

    def ensure_dhcp(self, network: int, wanted: DhcpWanted) -> DhcpState:
        with self._lock:
            if network not in self.host.bridges:
                raise BridgeMissing(network=network)
            if self.host.dhcp.get(network) != wanted:
                with self._effect("dhcp"):
                    self.host.dhcp[network] = wanted
                    self._lease(network, wanted)
            state = self.observe_dhcp(network)
            assert state is not None
            return state

    def remove_dhcp(self, network: int) -> None:
        with self._lock:
            if network in self.host.dhcp:
                with self._effect("undhcp"):
                    self.host.dhcp.pop(network, None)
                    self._forget_leases(network)

    def addresses(self, network: int) -> Mapping[str, tuple[str, ...]]:
        with self._lock:
            return {mac: (address,) for (of, mac), address in self.host.leases.items() if of == network}

    # -- all -----------------------------------------------------------------------------------------

    def survey(self) -> Survey:
        with self._lock:
            host = self.host
            return Survey(
                bridges=frozenset(host.bridges),
                uplinks=frozenset(id for id, each in host.uplinks.items() if len(each.interfaces) > 1),
                ports=frozenset(host.ports),
                dhcp=frozenset(host.dhcp),
                leftovers=frozenset(),
            )

    def reclaim(self) -> frozenset[str]:
        return frozenset()

    # -- behind the scenes ---------------------------------------------------------------------------

    @contextmanager
    def _effect(self, name: str) -> Generator[None]:
        with _EFFECTS[name], self.script.around(name):
            yield

    def _ports_of(self, network: int) -> list[int]:
        return [
            id
            for id, port in self.host.ports.items()
            if port.network == network and id not in self.host.parted
        ]

    def _check_ours(self, device: str) -> None:
        if device in self.host.foreign:
            raise DeviceForeign(name=device)

    def _check_free(self, name: str) -> None:
        interface = self.host.interfaces.get(name)
        if interface is None:
            raise InterfaceMissing(name=name)
        if interface.addresses:
            raise InterfaceInUse(
                name=name, reason=f"this host has the address {interface.addresses[0]} there"
            )

    def _check_sole(self, network: int, uplink: str) -> None:
        others = [id for id, each in self.host.bridges.items() if each.uplink == uplink and each.vlan == 0]
        if others and others != [network]:
            raise InterfaceInUse(name=uplink, reason="it is still in the bridge of another network")

    def _lease(self, network: int, wanted: DhcpWanted) -> None:
        """Every guest asks at once, as if all of them were starting."""
        self._forget_leases(network)
        fixed = {str(address) for address in wanted.guests.values() if address}
        taken = {str(wanted.address.ip), str(wanted.gateway), *fixed}
        free = _free_addresses(wanted, taken)
        for mac, address in wanted.guests.items():
            leased = address or free()
            if leased is not None:
                self.host.leases[network, mac] = str(leased)

    def _forget_leases(self, network: int) -> None:
        for key in [key for key in self.host.leases if key[0] == network]:
            del self.host.leases[key]


def _free_addresses(wanted: DhcpWanted, taken: set[str]) -> Callable[[], IPv4Address | None]:
    hosts = (each for each in wanted.address.network.hosts() if str(each) not in taken)
    return lambda: next(hosts, None)
