"""The interfaces of the host that can be uplinks, as netlink and /sys tell of them. Called by the driver."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from stratal.network.drivers.contract import Interface, InterfaceType
from stratal.network.drivers.linux.names import Names
from stratal.network.drivers.linux.netlink import Address, Link, Netlink

_SYS: Final = Path("/sys/class/net")
_BOND_MODES: Final = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)


def find_interfaces(kernel: Netlink, names: Names, also: Collection[str]) -> list[Interface]:
    """Hardware, bonds that are not ours, and those of the names in `also`."""
    links = {link.index: link for link in kernel.links()}
    addresses = kernel.addresses()
    return [
        _interface(link, links, addresses)
        for link in links.values()
        if names.meaning(link.name) is None
        and (link.parent is not None or link.kind == "bond" or link.name in also)
    ]


def global_addresses(kernel: Netlink, link: Link) -> list[str]:
    """Addresses by which somebody may reach this host through the device."""
    return [
        f"{each.address}/{each.prefix}"
        for each in kernel.addresses(link.index)
        if each.is_global and each.index == link.index
    ]


def _interface(link: Link, links: dict[int, Link], addresses: list[Address]) -> Interface:
    master = links.get(link.master) if link.master is not None else None
    mode = link.data.get("IFLA_BOND_MODE")
    return Interface(
        name=link.name,
        type=InterfaceType.BOND if link.kind == "bond" else InterfaceType.ETHERNET,
        mac=link.mac,
        up=link.up,
        carrier=link.carrier,
        mtu=link.mtu,
        megabits=_speed(link.name),
        bond_mode=_BOND_MODES[mode] if isinstance(mode, int) and mode < len(_BOND_MODES) else None,
        master=master.name if master is not None and master.kind == "bond" else None,
        virtual_functions=link.virtual_functions,
        kernel_driver=_target(_SYS / link.name / "device/driver"),
        pci_address=link.parent,
        addresses=tuple(
            f"{each.address}/{each.prefix}"
            for each in addresses
            if each.index == link.index and each.is_global
        ),
    )


def _speed(name: str) -> int | None:
    try:  # EINVAL without a carrier, and -1 where nobody knows
        speed = int((_SYS / name / "speed").read_text())
    except (OSError, ValueError):
        return None
    return speed if speed > 0 else None


def _target(link: Path) -> str | None:
    try:
        return link.readlink().name
    except OSError:
        return None
