"""The uplinks of switches: an interface, or a bond of several. Called by the driver, under its lock."""

from typing import Final

from stratal.kernel.effects import Effect
from stratal.network.drivers.contract import BondMode, UplinkState, UplinkWanted
from stratal.network.drivers.errors import DeviceForeign, InterfaceMissing
from stratal.network.drivers.linux.bridges import check_free
from stratal.network.drivers.linux.names import Names, Sort
from stratal.network.drivers.linux.netlink import Link, Netlink
from stratal.network.drivers.linux.quiet import keep_quiet

MAKE = Effect("linux.bond.make")
REMOVE = Effect("linux.bond.remove")
JOIN = Effect("linux.bond.join")
PART = Effect("linux.bond.part")
CHANGE = Effect("linux.uplink.change")

_MODES: Final = {BondMode.ACTIVE_BACKUP: 1, BondMode.LACP: 4}
_MONITOR_MS: Final = 100


def uplink_device(names: Names, switch: int, wanted: UplinkWanted) -> str:
    """The name of the device that a switch's frames leave the host by."""
    return wanted.interfaces[0] if len(wanted.interfaces) == 1 else names.device(Sort.BOND, switch)


def observe_uplink(kernel: Netlink, names: Names, switch: int, wanted: UplinkWanted) -> UplinkState | None:
    device = kernel.link(uplink_device(names, switch, wanted))
    if device is None:
        return None
    found = [link for name in wanted.interfaces if (link := kernel.link(name)) is not None and link.up]
    inside = [link for link in found if len(wanted.interfaces) == 1 or link.master == device.index]
    return UplinkState(device=device.name, interfaces=tuple(link.name for link in inside))


def ensure_uplink(kernel: Netlink, names: Names, switch: int, wanted: UplinkWanted) -> UplinkState:
    interfaces = [_interface(kernel, names, name) for name in wanted.interfaces]
    if len(interfaces) == 1:
        remove_uplink(kernel, names, switch)
        device = interfaces[0]
    else:
        device = _bond(kernel, names, switch, interfaces, wanted.bond_mode)
    device = kernel.link_at(device.index) or device
    if device.mtu != wanted.mtu or not device.up:
        with CHANGE:
            kernel.change(device, mtu=wanted.mtu, state="up")
    state = observe_uplink(kernel, names, switch, wanted)
    if state is None:
        raise InterfaceMissing(name=device.name)
    return state


def remove_uplink(kernel: Netlink, names: Names, switch: int) -> None:
    bond = kernel.link(names.device(Sort.BOND, switch))
    if bond is not None:
        _check_bond(bond)
        with REMOVE:
            kernel.delete(bond)


def _interface(kernel: Netlink, names: Names, name: str) -> Link:
    link = kernel.link(name)
    if link is None:
        raise InterfaceMissing(name=name)
    check_free(kernel, names, link)
    return link


def _bond(kernel: Netlink, names: Names, switch: int, interfaces: list[Link], mode: BondMode) -> Link:
    name = names.device(Sort.BOND, switch)
    bond = kernel.link(name)
    if bond is not None:
        _check_bond(bond)
        if bond.data.get("IFLA_BOND_MODE") != _MODES[mode]:
            with REMOVE:
                kernel.delete(bond)
            bond = None
    if bond is None:
        with MAKE:
            bond = kernel.add(name, "bond", bond_mode=_MODES[mode], bond_miimon=_MONITOR_MS)
    keep_quiet(name)
    wanted = {link.index for link in interfaces}
    for member in kernel.links(master=bond.index):
        if member.index not in wanted:
            with PART:
                kernel.change(member, master=0)
    for link in interfaces:
        if link.master != bond.index:
            with JOIN:
                kernel.change(link, state="down")
                kernel.change(link, master=bond.index)
                kernel.change(link, state="up")
    return bond


def _check_bond(bond: Link) -> None:
    if bond.kind != "bond":
        raise DeviceForeign(name=bond.name)
