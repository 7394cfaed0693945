"""Networks' bridges, and what joins them to uplinks. Called by the driver, under its lock.

A network is a bridge of its own, so networks are apart without anything to rely on but the bridge; tags are
there on uplinks only, where a VLAN device per network puts them on and takes them off.
"""

from stratal.kernel.effects import Effect
from stratal.network.drivers.contract import Attachment, BridgeState, BridgeWanted
from stratal.network.drivers.errors import (
    DeviceForeign,
    InterfaceInUse,
    InterfaceMissing,
    NetworkUnavailable,
    NotSupported,
)
from stratal.network.drivers.linux.interfaces import global_addresses
from stratal.network.drivers.linux.names import Names, Sort
from stratal.network.drivers.linux.netlink import Link, Netlink
from stratal.network.drivers.linux.quiet import keep_quiet

MAKE = Effect("linux.bridge.make")
CHANGE = Effect("linux.bridge.change")
REMOVE = Effect("linux.bridge.remove")
MAKE_VLAN = Effect("linux.vlan.make")
REMOVE_VLAN = Effect("linux.vlan.remove")
JOIN = Effect("linux.uplink.join")
PART = Effect("linux.uplink.part")


def observe_bridge(kernel: Netlink, names: Names, network: int) -> BridgeState | None:
    bridge = kernel.link(names.device(Sort.BRIDGE, network))
    if bridge is None:
        return None
    ports = kernel.links(master=bridge.index)
    uplinks = [port.name for port in ports if _is_uplink(names, port)]
    return BridgeState(
        device=bridge.name,
        mac=bridge.mac,
        up=bridge.up,
        mtu=bridge.mtu,
        ports=frozenset(port.name for port in ports),
        uplink=uplinks[0] if uplinks else None,
        filtering=_filters(bridge),
    )


def ensure_bridge(kernel: Netlink, names: Names, network: int, wanted: BridgeWanted) -> BridgeState:
    bridge = _right_bridge(kernel, names, network, wanted)
    keep_quiet(bridge.name)
    _ensure_uplink(kernel, names, network, bridge, wanted)
    bridge = kernel.link_at(bridge.index) or bridge
    if bridge.mtu != wanted.mtu or not bridge.up:
        with CHANGE:
            kernel.change(bridge, mtu=wanted.mtu, state="up")
    state = observe_bridge(kernel, names, network)
    if state is None:
        raise NetworkUnavailable(reason=f"{bridge.name} was removed while it was set up")
    return state


def remove_bridge(kernel: Netlink, names: Names, network: int) -> None:
    vlan = kernel.link(names.device(Sort.VLAN, network))
    if vlan is not None and vlan.kind == "vlan":
        with REMOVE_VLAN:
            kernel.delete(vlan)
    bridge = kernel.link(names.device(Sort.BRIDGE, network))
    if bridge is not None:
        if bridge.kind != "bridge":
            raise DeviceForeign(name=bridge.name)
        with REMOVE:
            kernel.delete(bridge)


def _right_bridge(kernel: Netlink, names: Names, network: int, wanted: BridgeWanted) -> Link:
    """The bridge, with or without filtering as is wanted."""
    name = names.device(Sort.BRIDGE, network)
    filtering = wanted.attachment is Attachment.ACCESS
    bridge = kernel.link(name)
    if bridge is None:
        with MAKE:
            bridge = _make(kernel, names, network, filtering)
    elif bridge.kind != "bridge":
        raise DeviceForeign(name=name)
    if _filters(bridge) != filtering:
        try:
            with CHANGE:
                kernel.change(bridge, kind="bridge", br_vlan_filtering=int(filtering))
        except NetworkUnavailable as error:
            if wanted.uplink is not None and wanted.vlan == 0:
                # a guest could send frames with the tag of any other network of the switch
                reason = f"its kernel can't keep tagged frames of guests from the uplink ({error})"
                raise NotSupported(what=f"the bridge {name}", reason=reason) from error
    return bridge


def _make(kernel: Netlink, names: Names, network: int, filtering: bool) -> Link:
    name = names.device(Sort.BRIDGE, network)
    address = names.mac(Sort.BRIDGE, network)
    # snooping needs a querier, and without one loses the neighbour discovery of IPv6
    attributes = {"address": address, "br_stp_state": 0, "br_mcast_snooping": 0}
    if filtering:
        try:
            return kernel.add(name, "bridge", br_vlan_filtering=1, **attributes)
        except NotSupported:
            pass  # whether it can do without, is seen later
    return kernel.add(name, "bridge", **attributes)


def _ensure_uplink(kernel: Netlink, names: Names, network: int, bridge: Link, wanted: BridgeWanted) -> None:
    uplink = None if wanted.uplink is None else _uplink(kernel, names, bridge, wanted)
    vlan = kernel.link(names.device(Sort.VLAN, network))
    if vlan is not None and not _is_right_vlan(vlan, uplink, wanted.vlan):
        with REMOVE_VLAN:
            kernel.delete(vlan)
        vlan = None
    if uplink is not None and wanted.vlan:
        if vlan is None:
            with MAKE_VLAN:
                vlan = kernel.add(
                    names.device(Sort.VLAN, network), "vlan", link=uplink.index, vlan_id=wanted.vlan
                )
        keep_quiet(vlan.name)
        uplink = vlan
    for port in kernel.links(master=bridge.index):
        if _is_uplink(names, port) and (uplink is None or port.index != uplink.index):
            with PART:
                kernel.change(port, master=0)
    if uplink is None:
        return
    if wanted.vlan and uplink.mtu != wanted.mtu:
        with JOIN:
            kernel.change(uplink, mtu=wanted.mtu)
    if uplink.master != bridge.index or not uplink.up:
        with JOIN:
            kernel.change(uplink, master=bridge.index, state="up")


def _uplink(kernel: Netlink, names: Names, bridge: Link, wanted: BridgeWanted) -> Link:
    """The device that frames leave the host by, if it may be used."""
    name = str(wanted.uplink)
    uplink = kernel.link(name)
    if uplink is None:
        raise InterfaceMissing(name=name)
    check_free(kernel, names, uplink)
    if wanted.vlan == 0 and uplink.master not in (None, 0, bridge.index):
        raise InterfaceInUse(name=name, reason="it is still in the bridge of another network")
    return uplink


def check_free(kernel: Netlink, names: Names, link: Link) -> None:
    """Raise InterfaceInUse for an interface that others rely on."""
    addresses = global_addresses(kernel, link)
    if addresses:
        raise InterfaceInUse(name=link.name, reason=f"this host has the address {addresses[0]} there")
    master = kernel.link_at(link.master) if link.master else None
    if master is not None and names.meaning(master.name) is None:
        raise InterfaceInUse(name=link.name, reason=f"it is in {master.name}")


def _is_right_vlan(vlan: Link, uplink: Link | None, tag: int) -> bool:
    return (
        vlan.kind == "vlan"
        and uplink is not None
        and tag != 0
        and vlan.below == uplink.index
        and vlan.data.get("IFLA_VLAN_ID") == tag
    )


def _is_uplink(names: Names, port: Link) -> bool:
    """Whether a port is neither a guest's nor of a DHCP service."""
    meaning = names.meaning(port.name)
    return meaning is None or meaning[0] in (Sort.VLAN, Sort.BOND)


def _filters(bridge: Link) -> bool:
    return bool(bridge.data.get("IFLA_BR_VLAN_FILTERING", 0))
