"""A network's DHCP service: a namespace, a cable from it to the bridge, and dnsmasq. Called by the driver."""

import subprocess
from collections import defaultdict
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from stratal.kernel.effects import Effect
from stratal.network.drivers.contract import DhcpState, DhcpWanted
from stratal.network.drivers.errors import BridgeMissing, NetworkUnavailable
from stratal.network.drivers.linux.dnsmasq import INTERFACE, Dnsmasq
from stratal.network.drivers.linux.names import Names, Sort
from stratal.network.drivers.linux.netlink import Link, Netlink, inside, netlink
from stratal.network.drivers.linux.quiet import keep_quiet

MAKE = Effect("linux.namespace.make")
REMOVE = Effect("linux.namespace.remove")
CONNECT = Effect("linux.cable.connect")
JOIN = Effect("linux.cable.join")
DISCONNECT = Effect("linux.cable.disconnect")
ADDRESS = Effect("linux.cable.address")

NAMESPACES: Final = Path("/run/netns")
_PATIENCE_SECONDS: Final = 10.0


class DhcpService:
    """One network's. `directory` is for the files of this installation's services."""

    def __init__(self, names: Names, directory: Path, network: int) -> None:
        self._names = names
        self._network = network
        self.namespace = names.namespace(network)
        self._path = NAMESPACES / self.namespace
        self._server = Dnsmasq(directory / f"dhcp-{network}", self._path)

    @property
    def has_namespace(self) -> bool:
        return self._path.exists()

    def observe(self) -> DhcpState | None:
        if not self.has_namespace:
            return None
        addresses = tuple(inside(self._path, _addresses)) if self._is_namespace() else ()
        return DhcpState(
            namespace=self.namespace, addresses=addresses, running=bool(addresses) and self._server.is_running
        )

    def ensure(self, kernel: Netlink, wanted: DhcpWanted) -> DhcpState:
        bridge = kernel.link(self._names.device(Sort.BRIDGE, self._network))
        if bridge is None:
            raise BridgeMissing(network=self._network)
        self._ensure_namespace()
        self._ensure_cable(kernel, bridge, wanted.mtu)
        inside(self._path, lambda: _configure(wanted))
        self._server.run(wanted)
        state = self.observe()
        if state is None:
            raise NetworkUnavailable(reason=f"{self.namespace} was removed while it was set up")
        return state

    def remove(self, kernel: Netlink) -> None:
        self._server.remove()
        self._remove_cable(kernel)
        if self.has_namespace:
            with REMOVE:
                _ip("netns", "delete", self.namespace)

    def addresses(self) -> dict[str, set[str]]:
        """By MAC: leases, and who was heard of."""
        found: dict[str, set[str]] = defaultdict(set)
        if not self._is_namespace():
            return found
        for lease in self._server.leases():
            found[lease.mac].add(lease.address)
        for mac, address in inside(self._path, _neighbours):
            if not ip_address(address).is_link_local:
                found[mac].add(address)
        return found

    # -- parts ---------------------------------------------------------------------------------------

    def _is_namespace(self) -> bool:
        """Whether what has its name is one: a crash can leave an empty file there."""
        return self._path.exists() and self._path.stat().st_dev != NAMESPACES.stat().st_dev

    def _ensure_namespace(self) -> None:
        if self._is_namespace():
            return
        if self.has_namespace:
            with REMOVE:
                self._path.unlink()
        with MAKE:
            _ip("netns", "add", self.namespace)

    def _ensure_cable(self, kernel: Netlink, bridge: Link, mtu: int) -> None:
        name = self._names.device(Sort.CABLE, self._network)
        cable = kernel.link(name)
        if cable is not None and not inside(self._path, _is_connected):
            # its other end is in a namespace that was removed, and goes with it in its own time
            self._remove_cable(kernel)
            cable = None
        if cable is None:
            peer = {"ifname": INTERFACE, "net_ns_fd": str(self._path)}
            with CONNECT:
                cable = kernel.add(name, "veth", peer=peer)
        keep_quiet(name)
        if cable.master != bridge.index or not cable.up or cable.mtu != mtu:
            with JOIN:
                kernel.change(cable, master=bridge.index, mtu=mtu, state="up")

    def _remove_cable(self, kernel: Netlink) -> None:
        cable = kernel.link(self._names.device(Sort.CABLE, self._network))
        if cable is not None:
            with DISCONNECT:
                kernel.delete(cable)


def _configure(wanted: DhcpWanted) -> None:
    """Inside: the address, and nothing else."""
    with netlink() as kernel:
        link = kernel.link(INTERFACE)
        if link is None:
            raise NetworkUnavailable(reason="the cable to a DHCP service was removed while it was set up")
        wanted_address = (str(wanted.address.ip), wanted.address.network.prefixlen)
        present = [each for each in kernel.addresses(link.index) if each.is_global]
        for each in present:
            if (each.address, each.prefix) != wanted_address:
                with ADDRESS:
                    kernel.take_address(each)
        if wanted_address not in [(each.address, each.prefix) for each in present]:
            with ADDRESS:
                kernel.give_address(link, *wanted_address)
        if not link.up or link.mtu != wanted.mtu:
            with ADDRESS:
                kernel.change(link, mtu=wanted.mtu, state="up")


def _is_connected() -> bool:
    with netlink() as kernel:
        return kernel.link(INTERFACE) is not None


def _addresses() -> list[str]:
    with netlink() as kernel:
        link = kernel.link(INTERFACE)
        if link is None:
            return []
        return [f"{each.address}/{each.prefix}" for each in kernel.addresses(link.index) if each.is_global]


def _neighbours() -> list[tuple[str, str]]:
    with netlink() as kernel:
        return kernel.neighbours()


def _ip(*arguments: str) -> None:
    """iproute2's own way with named namespaces, which every tool agrees on."""
    try:
        subprocess.run(
            ["ip", *arguments],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        reason = str(error.stderr).strip()[:500]
        raise NetworkUnavailable(reason=f"ip {' '.join(arguments)}: {reason}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkUnavailable(reason=f"ip {' '.join(arguments)}: {error}") from error
