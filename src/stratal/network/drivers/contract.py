"""The contract that every network of a host meets: Linux bridges with dnsmasq, memory.

Called by the network reconcilers and by `Ports`; implemented by the drivers; held by
`tests/conformance/network/network_suite.py`.

**What there is.** A *bridge* is a network's part on this host: taps of guests, and what joins it to its
switch's uplink, are its ports. A *switch* has at most one uplink here: an interface, or a bond of several. A
*port* is a tap for one NIC of a guest. A network's *DHCP service* lives in a namespace of its own and hands
addresses to the guests that it was told of, and to nobody else. Networks, switches and ports are named by
the ids of their resources; the driver makes the names of devices of them.

**Whose devices.** A driver works for one installation, whose tag is in the name of every device and
namespace that it makes. It never changes any other, except for interfaces that it was told to use as
uplinks; one that has addresses, or belongs to something else, is refused.

**Idempotence.** Every verb may be repeated after it was done, half done, or undone by a crash, and then
leads to the place it would have led to. `ensure_…` brings what is there to what is wanted; `remove_…` of what
is not there does nothing. Ports of a bridge survive a change of it.

**What outlives us.** Everything: taps, bridges and DHCP services go on when this process ends.

**Side effects** each stand in a `with` of an `Effect` named `<driver>.<what>`. **Threads**: all verbs may be
called from any thread. **Errors**: those of `errors`; besides the ones each verb names always
`NetworkUnavailable` and `DeviceForeign`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Final, Protocol

LARGEST_KBPS: Final = 34_000_000
"""The largest limit of speed, 34 Gbit/s: what the kernel counts bytes per second of in 32 bits."""


class InterfaceType(StrEnum):
    ETHERNET = "ethernet"
    BOND = "bond"


class BondMode(StrEnum):
    """How the interfaces of one uplink share the work."""

    #: one of them at a time: asks nothing of the other side
    ACTIVE_BACKUP = "active-backup"
    #: LACP: all at once, with a switch that plays along
    LACP = "802.3ad"


class Attachment(StrEnum):
    """What guests see of the tags of frames."""

    #: nothing: tagged frames of guests are dropped
    ACCESS = "access"
    #: everything that no other network of the switch has: tags pass both ways
    TRUNK = "trunk"


@dataclass(frozen=True, kw_only=True)
class Interface:
    """An interface of the host that guests' traffic could leave by."""

    name: str
    type: InterfaceType
    mac: str
    up: bool
    #: whether the other side answers
    carrier: bool
    mtu: int
    #: 10^6 bits/s
    megabits: int | None = None
    bond_mode: str | None = None
    #: the bond that it is a member of
    master: str | None = None
    virtual_functions: int | None = None
    kernel_driver: str | None = None
    pci_address: str | None = None
    #: with the length of their prefix
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UplinkWanted:
    """The uplink of a switch on this host. Not for a switch that has none here: remove that."""

    interfaces: tuple[str, ...]
    #: for several interfaces; ignored for one
    bond_mode: BondMode = BondMode.ACTIVE_BACKUP
    mtu: int = 1500


@dataclass(frozen=True, kw_only=True)
class UplinkState:
    """The uplink of a switch as it is."""

    device: str
    #: those of the interfaces that are really in it, and up
    interfaces: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BridgeWanted:
    """A network's part on this host."""

    mtu: int = 1500
    #: the device that its frames leave the host by, its switch's uplink; None: they stay here
    uplink: str | None = None
    #: the tag of its frames on the uplink; 0: none
    vlan: int = 0
    attachment: Attachment = Attachment.ACCESS


@dataclass(frozen=True, kw_only=True)
class BridgeState:
    """A network's bridge as it is."""

    device: str
    mac: str
    up: bool
    mtu: int
    #: names of devices: taps, the DHCP service's, and what joins the uplink
    ports: frozenset[str]
    #: the device that joins it to the uplink, if any
    uplink: str | None
    #: whether tagged frames of guests are dropped
    filtering: bool


@dataclass(frozen=True, kw_only=True)
class PortWanted:
    """A tap for one NIC of a guest."""

    network: int
    #: the MAC that the guest sees
    mac: str
    mtu: int = 1500
    #: the user that may open it
    owner_uid: int = 0
    #: several queues; fixed for as long as the tap is open
    multi_queue: bool = False
    #: whether the cable is plugged in
    link: bool = True
    #: 1,000 bits/s towards the guest, at most `LARGEST_KBPS`; None: no limit
    to_guest_kbps: int | None = None
    #: the same from the guest; None: no limit
    from_guest_kbps: int | None = None


@dataclass(frozen=True, kw_only=True)
class PortState:
    """A tap as it is."""

    device: str
    #: the network whose bridge it is in; None: in none of ours
    network: int | None
    #: whether the cable is plugged in
    link: bool
    #: whether somebody (QEMU) has it open
    open: bool
    multi_queue: bool
    owner_uid: int | None
    mtu: int
    to_guest_kbps: int | None
    from_guest_kbps: int | None


@dataclass(frozen=True, kw_only=True)
class DhcpWanted:
    """A network's DHCP service."""

    #: its own address, with the prefix of the subnet
    address: IPv4Interface
    #: what guests are told to leave the subnet by; None: they are told of nothing
    gateway: IPv4Address | None = None
    dns_servers: tuple[IPv4Address, ...] = ()
    mtu: int = 1500
    #: the guests that it serves, by MAC, with the address that each is to have; None: any that is free
    guests: Mapping[str, IPv4Address | None] = field(default_factory=dict[str, IPv4Address | None])


@dataclass(frozen=True, kw_only=True)
class DhcpState:
    """A network's DHCP service as it is."""

    #: of the network namespace
    namespace: str
    #: inside of it, with the length of their prefix
    addresses: tuple[str, ...]
    running: bool


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Everything of this installation that there is on this host."""

    bridges: frozenset[int]
    uplinks: frozenset[int]
    ports: frozenset[int]
    dhcp: frozenset[int]
    #: what a crash left half made, by name: `reclaim` removes it
    leftovers: frozenset[str]


class NetworkDriver(Protocol):
    """The network of one host."""

    def interfaces(self) -> list[Interface]:
        """The host's own interfaces that can be uplinks: hardware, bonds, and those that settings name."""
        ...

    def bridge_device(self, network: int) -> str:
        """The name of a network's bridge, whether there is one or not."""
        ...

    def port_device(self, port: int) -> str:
        """The name of a tap, whether there is one or not."""
        ...

    def uplink_device(self, switch: int, wanted: UplinkWanted) -> str:
        """The name of the device that the frames of a switch leave the host by."""
        ...

    def observe_uplink(self, switch: int, wanted: UplinkWanted) -> UplinkState | None:
        """What there is of a switch's uplink; None where there is nothing of it."""
        ...

    def ensure_uplink(self, switch: int, wanted: UplinkWanted) -> UplinkState:
        """Make these interfaces the uplink of a switch. InterfaceMissing, InterfaceInUse, NotSupported."""
        ...

    def remove_uplink(self, switch: int) -> None:
        """Give the interfaces back, as far as they are in a bond; bridges part from them by themselves."""
        ...

    def observe_bridge(self, network: int) -> BridgeState | None: ...

    def ensure_bridge(self, network: int, wanted: BridgeWanted) -> BridgeState:
        """InterfaceMissing while the switch has no uplink yet; InterfaceInUse; NotSupported for tags that
        the kernel does not know, and where it could not keep guests from other networks of the uplink.
        """
        ...

    def remove_bridge(self, network: int) -> None:
        """Its ports lose it, and stay."""
        ...

    def observe_port(self, port: int) -> PortState | None: ...

    def ensure_port(self, port: int, wanted: PortWanted) -> PortState:
        """BridgeMissing; InterfaceInUse when it would have to be made anew while it is open."""
        ...

    def remove_port(self, port: int) -> None: ...

    def observe_dhcp(self, network: int) -> DhcpState | None: ...

    def ensure_dhcp(self, network: int, wanted: DhcpWanted) -> DhcpState:
        """Those who are no guests any more lose their leases. BridgeMissing, NotSupported."""
        ...

    def remove_dhcp(self, network: int) -> None:
        """With its namespace and its leases."""
        ...

    def addresses(self, network: int) -> Mapping[str, tuple[str, ...]]:
        """The addresses that the DHCP service has learnt, by MAC: its leases, and its neighbours."""
        ...

    def survey(self) -> Survey:
        """For start-up and audits, not for each step."""
        ...

    def reclaim(self) -> frozenset[str]:
        """Remove what crashes left half made. Returns the names."""
        ...
