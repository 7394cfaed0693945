"""Taps of guests and their speed. Called by the driver, under its lock."""

from typing import Final

from stratal.kernel.effects import Effect
from stratal.network.drivers.contract import PortState, PortWanted
from stratal.network.drivers.errors import BridgeMissing, DeviceForeign, InterfaceInUse, NetworkUnavailable
from stratal.network.drivers.linux.names import Names, Sort
from stratal.network.drivers.linux.netlink import Link, Netlink
from stratal.network.drivers.linux.quiet import keep_quiet
from stratal.network.drivers.linux.tap import make_tap

MAKE = Effect("linux.tap.make")
JOIN = Effect("linux.tap.join")
CHANGE = Effect("linux.tap.change")
REMOVE = Effect("linux.tap.remove")
LIMIT = Effect("linux.tap.limit")
MAKE_SHAPER = Effect("linux.shaper.make")
REDIRECT = Effect("linux.shaper.redirect")
REMOVE_SHAPER = Effect("linux.shaper.remove")

_SHORTEST_BURST: Final = 16 * 1024
"""Bytes. At least one packet of 9,216 bytes; TCP's segments of 64 KiB are cut by the kernel."""

_BURST_SECONDS: Final = 0.02


def observe_port(kernel: Netlink, names: Names, port: int) -> PortState | None:
    tap = kernel.link(names.device(Sort.TAP, port))
    if tap is None:
        return None
    shaper = kernel.link(names.device(Sort.SHAPER, port))
    in_place = shaper is not None and kernel.redirected_to(tap) == shaper.index
    return PortState(
        device=tap.name,
        network=_network_of(kernel, names, tap),
        link=tap.up,
        open=tap.data.get("IFLA_TUN_NUM_QUEUES", 0) > 0 or tap.carrier,
        multi_queue=bool(tap.data.get("IFLA_TUN_MULTI_QUEUE", 0)),
        owner_uid=tap.data.get("IFLA_TUN_OWNER"),
        mtu=tap.mtu,
        to_guest_kbps=_kbps(kernel.rate(tap)),
        from_guest_kbps=_kbps(kernel.rate(shaper)) if shaper is not None and in_place else None,
    )


def ensure_port(kernel: Netlink, names: Names, port: int, wanted: PortWanted) -> PortState:
    bridge = kernel.link(names.device(Sort.BRIDGE, wanted.network))
    if bridge is None:
        raise BridgeMissing(network=wanted.network)
    tap = _right_tap(kernel, names, port, wanted)
    keep_quiet(tap.name)
    if tap.master != bridge.index:
        with JOIN:
            kernel.change(tap, master=bridge.index)
    # above all other addresses, or the bridge's neighbours would take it for the guest's own
    mac = "fe" + wanted.mac[2:]
    if (tap.mac, tap.mtu, tap.up) != (mac, wanted.mtu, wanted.link):
        with CHANGE:
            kernel.change(tap, address=mac, mtu=wanted.mtu)
            kernel.change(tap, state="up" if wanted.link else "down")
    _limit(kernel, tap, wanted.to_guest_kbps)
    _shape(kernel, names, port, tap, wanted.from_guest_kbps)
    state = observe_port(kernel, names, port)
    if state is None:
        raise NetworkUnavailable(reason=f"{tap.name} was removed while it was set up")
    return state


def remove_port(kernel: Netlink, names: Names, port: int) -> None:
    for sort, effect in ((Sort.TAP, REMOVE), (Sort.SHAPER, REMOVE_SHAPER)):
        link = kernel.link(names.device(sort, port))
        if link is not None:
            _check_ours(link, {Sort.TAP: "tun", Sort.SHAPER: "ifb"}[sort])
            with effect:
                kernel.delete(link)


def _right_tap(kernel: Netlink, names: Names, port: int, wanted: PortWanted) -> Link:
    """The tap, made or made anew where that is needed."""
    name = names.device(Sort.TAP, port)
    tap = kernel.link(name)
    if tap is not None:
        _check_ours(tap, "tun")
        if bool(tap.data.get("IFLA_TUN_MULTI_QUEUE", 0)) != wanted.multi_queue:
            if tap.carrier:
                raise InterfaceInUse(name=name, reason="its queues can't change while it is open")
            with REMOVE:
                kernel.delete(tap)
            tap = None
        elif tap.data.get("IFLA_TUN_PERSIST") == 1 and tap.data.get("IFLA_TUN_OWNER") == wanted.owner_uid:
            return tap
        elif tap.carrier:
            raise InterfaceInUse(name=name, reason="its owner can't change while it is open")
    with MAKE:
        make_tap(name, multi_queue=wanted.multi_queue, owner_uid=wanted.owner_uid)
    made = kernel.link(name)
    if made is None:
        raise NetworkUnavailable(reason=f"{name} was removed right after it was made")
    return made


def _limit(kernel: Netlink, link: Link, kbps: int | None) -> None:
    """Let the device send so much at most."""
    rate = kernel.rate(link)
    if kbps is None:
        if rate is not None:
            with LIMIT:
                kernel.unlimit(link)
    elif rate != _bytes(kbps):
        with LIMIT:
            kernel.limit(link, _bytes(kbps), max(_SHORTEST_BURST, int(_bytes(kbps) * _BURST_SECONDS)))


def _shape(kernel: Netlink, names: Names, port: int, tap: Link, kbps: int | None) -> None:
    """Let the guest send so much at most: through a device of its own, since only what is sent can wait."""
    name = names.device(Sort.SHAPER, port)
    shaper = kernel.link(name)
    if kbps is None:
        if kernel.redirected_to(tap) is not None:
            with REDIRECT:
                kernel.receive_directly(tap)
        if shaper is not None:
            with REMOVE_SHAPER:
                kernel.delete(shaper)
        return
    if shaper is None:
        with MAKE_SHAPER:
            shaper = kernel.add(name, "ifb")
    _check_ours(shaper, "ifb")
    keep_quiet(name)
    _limit(kernel, shaper, kbps)
    if not shaper.up:
        with CHANGE:
            kernel.change(shaper, state="up")
    if kernel.redirected_to(tap) != shaper.index:
        with REDIRECT:
            kernel.redirect(tap, shaper)


def _network_of(kernel: Netlink, names: Names, tap: Link) -> int | None:
    master = kernel.link_at(tap.master) if tap.master is not None else None
    meaning = names.meaning(master.name) if master is not None else None
    return meaning[1] if meaning is not None and meaning[0] is Sort.BRIDGE else None


def _check_ours(link: Link, kind: str) -> None:
    if link.kind != kind:
        raise DeviceForeign(name=link.name)


def _bytes(kbps: int) -> int:
    return max(1, kbps * 1000 // 8)


def _kbps(rate: int | None) -> int | None:
    return None if rate is None else rate * 8 // 1000
