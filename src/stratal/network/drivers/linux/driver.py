"""The network of a host by its Linux kernel. Made by the composition root."""

import os
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, TypeVar

from stratal.network.drivers.contract import (
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
from stratal.network.drivers.linux import bridges, ports, uplinks
from stratal.network.drivers.linux.dhcp import NAMESPACES, DhcpService
from stratal.network.drivers.linux.interfaces import find_interfaces
from stratal.network.drivers.linux.names import Names, Sort
from stratal.network.drivers.linux.netlink import Link, Netlink, netlink

R = TypeVar("R")

_KINDS: Final = {Sort.BRIDGE: "bridge", Sort.TAP: "tun", Sort.BOND: "bond"}


class LinuxNetwork:
    """Bridges, taps and DHCP services of the installation with this tag.

    `directory` is for what DHCP services keep; users without rights read there. `also` names interfaces that
    count as hardware though they are not. What changes links takes turns, since two of them may be one
    switch's.
    """

    def __init__(self, *, tag: str, directory: Path, also: Collection[str] = ()) -> None:
        self._names = Names(tag)
        self._directory = directory / tag
        self._also = frozenset(also)
        self._lock = threading.RLock()

    def interfaces(self) -> list[Interface]:
        with netlink() as kernel:
            return find_interfaces(kernel, self._names, self._also)

    def bridge_device(self, network: int) -> str:
        return self._names.device(Sort.BRIDGE, network)

    def port_device(self, port: int) -> str:
        return self._names.device(Sort.TAP, port)

    def uplink_device(self, switch: int, wanted: UplinkWanted) -> str:
        return uplinks.uplink_device(self._names, switch, wanted)

    # -- uplinks and bridges -------------------------------------------------------------------------

    def observe_uplink(self, switch: int, wanted: UplinkWanted) -> UplinkState | None:
        with netlink() as kernel:
            return uplinks.observe_uplink(kernel, self._names, switch, wanted)

    def ensure_uplink(self, switch: int, wanted: UplinkWanted) -> UplinkState:
        return self._change(lambda kernel: uplinks.ensure_uplink(kernel, self._names, switch, wanted))

    def remove_uplink(self, switch: int) -> None:
        self._change(lambda kernel: uplinks.remove_uplink(kernel, self._names, switch))

    def observe_bridge(self, network: int) -> BridgeState | None:
        with netlink() as kernel:
            return bridges.observe_bridge(kernel, self._names, network)

    def ensure_bridge(self, network: int, wanted: BridgeWanted) -> BridgeState:
        return self._change(lambda kernel: bridges.ensure_bridge(kernel, self._names, network, wanted))

    def remove_bridge(self, network: int) -> None:
        self._change(lambda kernel: bridges.remove_bridge(kernel, self._names, network))

    # -- ports ---------------------------------------------------------------------------------------

    def observe_port(self, port: int) -> PortState | None:
        with netlink() as kernel:
            return ports.observe_port(kernel, self._names, port)

    def ensure_port(self, port: int, wanted: PortWanted) -> PortState:
        return self._change(lambda kernel: ports.ensure_port(kernel, self._names, port, wanted))

    def remove_port(self, port: int) -> None:
        self._change(lambda kernel: ports.remove_port(kernel, self._names, port))

    # -- DHCP ----------------------------------------------------------------------------------------

    def observe_dhcp(self, network: int) -> DhcpState | None:
        return self._dhcp(network).observe()

    def ensure_dhcp(self, network: int, wanted: DhcpWanted) -> DhcpState:
        return self._change(lambda kernel: self._dhcp(network).ensure(kernel, wanted))

    def remove_dhcp(self, network: int) -> None:
        self._change(lambda kernel: self._dhcp(network).remove(kernel))

    def addresses(self, network: int) -> Mapping[str, tuple[str, ...]]:
        found = self._dhcp(network).addresses()
        return {mac: tuple(sorted(addresses)) for mac, addresses in found.items()}

    # -- all -----------------------------------------------------------------------------------------

    def survey(self) -> Survey:
        with netlink() as kernel:
            ours = self._ours(kernel)
        found = {sort: frozenset(id for (each, id) in ours if each is sort) for sort in Sort}
        services = self._services()
        leftovers = {
            link.name
            for (sort, id), link in ours.items()
            if (sort is Sort.SHAPER and id not in found[Sort.TAP])
            or (sort is Sort.CABLE and id not in services)
            or (sort is Sort.VLAN and id not in found[Sort.BRIDGE])
        }
        if self._directory.is_dir():
            directories = {path.name: path for path in self._directory.iterdir()}
            leftovers |= {name for name in directories if name not in {f"dhcp-{id}" for id in services}}
        return Survey(
            bridges=found[Sort.BRIDGE],
            uplinks=found[Sort.BOND],
            ports=found[Sort.TAP],
            dhcp=services,
            leftovers=frozenset(leftovers),
        )

    def reclaim(self) -> frozenset[str]:
        with self._lock:
            leftovers = self.survey().leftovers
            with netlink() as kernel:
                for name in leftovers:
                    meaning = self._names.meaning(name)
                    if meaning is None:
                        self._dhcp(int(name.removeprefix("dhcp-"))).remove(kernel)
                    elif (link := kernel.link(name)) is not None:
                        with bridges.REMOVE:
                            kernel.delete(link)
            return leftovers

    def _change(self, work: Callable[[Netlink], R]) -> R:
        with self._lock, netlink() as kernel:
            return work(kernel)

    def _dhcp(self, network: int) -> DhcpService:
        return DhcpService(self._names, self._directory, network)

    def _ours(self, kernel: Netlink) -> dict[tuple[Sort, int], Link]:
        links = [(self._names.meaning(link.name), link) for link in kernel.links()]
        return {
            meaning: link
            for meaning, link in links
            if meaning is not None and link.kind == _KINDS.get(meaning[0], link.kind)
        }

    def _services(self) -> frozenset[int]:
        """The networks that have a namespace."""
        try:
            names = os.listdir(NAMESPACES)
        except OSError:
            return frozenset()
        return frozenset(id for name in names if (id := self._names.network_of(name)) is not None)
