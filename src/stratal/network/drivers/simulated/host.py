"""What a simulated host consists of. It outlives the driver, as a kernel outlives a process."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stratal.network.drivers.contract import (
    BridgeWanted,
    DhcpWanted,
    Interface,
    InterfaceType,
    PortWanted,
    UplinkWanted,
)


@dataclass(kw_only=True)
class SimulatedHost:
    """Interfaces, and whatever a driver has made here."""

    interfaces: dict[str, Interface] = field(default_factory=dict[str, Interface])
    #: names of devices that somebody else has made
    foreign: set[str] = field(default_factory=set[str])
    bridges: dict[int, BridgeWanted] = field(default_factory=dict[int, BridgeWanted])
    ports: dict[int, PortWanted] = field(default_factory=dict[int, PortWanted])
    #: ports whose bridge was removed under them
    parted: set[int] = field(default_factory=set[int])
    uplinks: dict[int, UplinkWanted] = field(default_factory=dict[int, UplinkWanted])
    dhcp: dict[int, DhcpWanted] = field(default_factory=dict[int, DhcpWanted])
    #: leases by network and MAC
    leases: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])

    @classmethod
    def with_interfaces(cls, names: Iterable[str]) -> "SimulatedHost":
        """A host with some free interfaces of 10 Gbit/s."""
        host = cls()
        for number, name in enumerate(names):
            host.add_interface(name, number)
        return host

    def add_interface(self, name: str, number: int, addresses: tuple[str, ...] = ()) -> None:
        self.interfaces[name] = Interface(
            name=name,
            type=InterfaceType.ETHERNET,
            mac=f"02:51:00:00:00:{number:02x}",
            up=True,
            carrier=True,
            mtu=9000,
            megabits=10_000,
            kernel_driver="simulated",
            pci_address=f"0000:00:{number:02x}.0",
            addresses=addresses,
        )
