"""The kernel's links, addresses and neighbours, typed. Called by the parts of the driver.

pyroute2 has no types; this is the one module that knows it. Whatever runs in another namespace runs in a
thread of its own, since a thread alone can change over, and need not come back.
"""

import ctypes
import errno
import importlib
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from stratal.network.drivers.errors import NetworkUnavailable, NotSupported

R = TypeVar("R")

_CLONE_NEWNET: Final = 0x40000000
_ETH_P_ALL: Final = 3
_INGRESS: Final = 0xFFFF0000
_ROOT_HANDLE: Final = 0x10000
_IFF_UP: Final = 1
_PERMANENT: Final = 0x80
#: neighbours that were heard of: reachable, stale, delay, probe
_HEARD_OF: Final = 0x02 | 0x04 | 0x08 | 0x10


@dataclass(frozen=True, kw_only=True)
class Link:
    """A device of this namespace."""

    index: int
    name: str
    #: bridge, tun, veth, vlan, bond, ifb; None for hardware
    kind: str | None
    mac: str
    mtu: int
    #: whether it is switched on
    up: bool
    carrier: bool
    #: index of the bridge or bond that it is in
    master: int | None
    #: index of the device that it is on top of
    below: int | None
    #: of the hardware, such as 0000:00:03.0
    parent: str | None
    virtual_functions: int | None
    #: attributes of its kind, such as IFLA_TUN_OWNER
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Address:
    index: int
    #: without the prefix's length
    address: str
    prefix: int
    #: neither link-local nor of the host alone
    is_global: bool


class Netlink:
    """A connection to the kernel. Made by `netlink`."""

    def __init__(self, route: Any) -> None:
        self._route = route

    # -- reading -------------------------------------------------------------------------------------

    def links(self, *, master: int | None = None) -> list[Link]:
        """All devices; with `master`, those that are in it."""
        if master is None:
            return [_link(each) for each in self._route.get_links()]
        found = self._route.link("dump", dump_filter=None, master=master)
        return [_link(each) for each in found]

    def link(self, name: str) -> Link | None:
        return self._one(ifname=name)

    def link_at(self, index: int) -> Link | None:
        return self._one(index=index)

    def addresses(self, index: int | None = None) -> list[Address]:
        wanted = {} if index is None else {"index": index}
        return [
            Address(
                index=each["index"],
                address=each.get_attr("IFA_ADDRESS"),
                prefix=each["prefixlen"],
                is_global=each["scope"] == 0,
            )
            for each in self._route.get_addr(**wanted)
        ]

    def neighbours(self) -> list[tuple[str, str]]:
        """MAC and address of whoever was heard of."""
        return [
            (each.get_attr("NDA_LLADDR"), each.get_attr("NDA_DST"))
            for each in self._route.get_neighbours()
            if each["state"] & _HEARD_OF and not each["state"] & _PERMANENT and each.get_attr("NDA_LLADDR")
        ]

    def _one(self, **which: Any) -> Link | None:
        try:
            [found] = self._route.link("get", **which)
        except self._error as error:
            if _code(error) == errno.ENODEV:
                return None
            raise
        return _link(found)

    # -- changing ------------------------------------------------------------------------------------

    def add(self, name: str, kind: str, **attributes: Any) -> Link:
        """Make a device. NotSupported where the kernel does not know the kind, or an attribute."""
        try:
            self._route.link("add", ifname=name, kind=kind, **attributes)
        except self._error as error:
            if _code(error) in (errno.EOPNOTSUPP, errno.EINVAL):
                reason = f"this kernel does not know it ({os.strerror(_code(error))})"
                raise NotSupported(what=f"the {kind} {name}", reason=reason) from error
            raise
        made = self.link(name)
        if made is None:
            raise NetworkUnavailable(reason=f"{name} was removed right after it was made")
        return made

    def change(self, link: Link, **attributes: Any) -> None:
        try:
            self._route.link("set", index=link.index, **attributes)
        except self._error as error:
            raise _refused(error) from error

    def delete(self, link: Link) -> None:
        """Idempotent."""
        try:
            self._route.link("del", index=link.index)
        except self._error as error:
            if _code(error) != errno.ENODEV:
                raise

    def give_address(self, link: Link, address: str, prefix: int) -> None:
        self._route.addr("replace", index=link.index, address=address, prefixlen=prefix)

    def take_address(self, address: Address) -> None:
        self._route.addr("del", index=address.index, address=address.address, prefixlen=address.prefix)

    # -- speed ---------------------------------------------------------------------------------------

    def rate(self, link: Link) -> int | None:
        """Bytes per second that the device sends at most; None without a limit."""
        for each in self._route.get_qdiscs(index=link.index):
            if each["index"] == link.index and each.get_attr("TCA_KIND") == "tbf":
                return int(each.get_nested("TCA_OPTIONS", "TCA_TBF_PARMS")["rate"])
        return None

    def limit(self, link: Link, rate: int, burst: int) -> None:
        """Let the device send so many bytes per second at most."""
        self._route.tc("replace", "tbf", link.index, _ROOT_HANDLE, rate=rate, burst=burst, latency="50ms")

    def unlimit(self, link: Link) -> None:
        self._route.tc("del", index=link.index, handle=_ROOT_HANDLE, parent=0xFFFFFFFF)

    def redirected_to(self, link: Link) -> int | None:
        """Index of the device that whatever this one receives is sent through, or None."""
        for each in self._route.get_filters(index=link.index, parent=_INGRESS):
            actions = each.get_nested("TCA_OPTIONS", "TCA_U32_ACT")
            if actions is not None:
                for _, action in actions["attrs"]:
                    parameters = action.get_nested("TCA_ACT_OPTIONS", "TCA_MIRRED_PARMS")
                    if parameters is not None:
                        return int(parameters["ifindex"])
        return None

    def redirect(self, link: Link, through: Link) -> None:
        """Send whatever the device receives through another one first."""
        self.receive_directly(link)
        self._route.tc("add", "ingress", link.index)
        action = {"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": through.index}
        self._route.tc(
            "add-filter",
            "u32",
            link.index,
            parent=_INGRESS,
            protocol=_ETH_P_ALL,
            prio=1,
            keys=["0x0/0x0+0"],
            target=0,
            action=action,
        )

    def receive_directly(self, link: Link) -> None:
        """Undo `redirect`. Idempotent."""
        try:
            self._route.tc("del", "ingress", link.index)
        except self._error as error:
            if _code(error) not in (errno.ENOENT, errno.EINVAL):
                raise

    @property
    def _error(self) -> type[Exception]:
        return _pyroute2("pyroute2.netlink.exceptions").NetlinkError


@contextmanager
def netlink() -> Generator[Netlink]:
    """A connection to the kernel, of this thread's namespace. NetworkUnavailable for what it refuses."""
    exceptions = _pyroute2("pyroute2.netlink.exceptions")
    try:
        with _pyroute2("pyroute2").IPRoute() as route:
            yield Netlink(route)
    except exceptions.NetlinkError as error:
        raise _refused(error) from error


def inside(namespace: Path, work: Callable[[], R]) -> R:
    """Do something in another network namespace. Returns or raises what it does."""
    results: list[R] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _enter(namespace)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=f"inside {namespace.name}", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(namespace: Path) -> None:
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NetworkUnavailable(reason=f"the namespace {namespace} can't be entered: {error}") from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise NetworkUnavailable(reason=f"the namespace {namespace} can't be entered: {reason}")
    finally:
        os.close(descriptor)


def _pyroute2(module: str) -> Any:
    try:  # when it is needed, since it takes long to import
        return importlib.import_module(module)
    except ImportError as error:
        raise NetworkUnavailable(reason=f"pyroute2 can't be used: {error}") from error


def _refused(error: Exception) -> NetworkUnavailable:
    code = _code(error)
    if code in (errno.EPERM, errno.EACCES):
        return NetworkUnavailable(reason="this process lacks the capability CAP_NET_ADMIN")
    return NetworkUnavailable(reason=f"the kernel says: {os.strerror(code)}")


def _code(error: Exception) -> int:
    return abs(int(getattr(error, "code", 0)))


def _link(message: Any) -> Link:
    return Link(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        kind=message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND"),
        mac=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU"),
        up=bool(message["flags"] & _IFF_UP),
        carrier=message.get_attr("IFLA_CARRIER") == 1,
        master=message.get_attr("IFLA_MASTER"),
        below=message.get_attr("IFLA_LINK"),
        parent=message.get_attr("IFLA_PARENT_DEV_NAME"),
        virtual_functions=message.get_attr("IFLA_NUM_VF"),
        data=_data(message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")),
    )


def _data(data: Any) -> dict[str, Any]:
    return {} if data is None else dict(each[:2] for each in data["attrs"])
