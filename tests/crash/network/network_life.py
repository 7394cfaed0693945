"""The life of a few networks on a real kernel, as a program that the crash suite runs and kills.

    network_life.py passed URL DIRECTORY       live it, and print each crash point that was passed
    network_life.py live URL DIRECTORY         live it, saying each deed before and after it is done
    network_life.py nursery                    for each order on stdin: fork, be one of the above, and print
                                               what the child ended with

It runs in a network of its own, where there is an interface `phys0`. The folders `tests` and `tests/crash`
must be on Python's path.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog
from crash_documents import Order

from network_installation import Installation, eventually, running
from stratal.kernel import effects
from stratal.kernel.engine import EngineSettings
from stratal.network.drivers.contract import Attachment
from stratal.network.drivers.linux import LinuxNetwork, tag_of

SETTINGS = EngineSettings(
    workers=4,
    lease=timedelta(seconds=2),
    backoff_base=timedelta(milliseconds=10),
    backoff_cap=timedelta(milliseconds=200),
    poll=timedelta(seconds=0.2),
)
PHYSICAL = "phys0"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked for, by the names of switches, networks and guests."""

    what: str
    name: str
    of: str = ""
    spec: dict[str, Any] = {}


def _net(name: str, of: str = "system", **spec: Any) -> Deed:
    return Deed(what="net", name=name, of=of, spec=spec)


def _guest(name: str, of: str, **spec: Any) -> Deed:
    return Deed(what="guest", name=name, of=of, spec=spec)


def _change(name: str, **spec: Any) -> Deed:
    return Deed(what="change", name=name, spec=spec)


#: phases, between which everything comes to rest
LIFE: tuple[tuple[Deed, ...], ...] = (
    (
        _net("web", vlan_id=1, cidr="10.1.2.0/24", gateway="10.1.2.1"),
        _net("bare", vlan_id=2),
        Deed(what="switch", name="uplinks"),
    ),
    (
        _guest("52:54:00:00:00:01", "web", address="10.1.2.77", kbps=8_000),
        _guest("52:54:00:00:00:02", "web"),
        _guest("52:54:00:00:00:03", "bare"),
        _net("trunk", "uplinks", vlan_id=0, type=Attachment.TRUNK.value),
        Deed(what="attach", name="uplinks"),
    ),
    (
        _change("web", mtu=1400, dns_servers=["203.0.113.53"]),
        _change("52:54:00:00:00:01", kbps=0),
        _change("52:54:00:00:00:02", kbps=4_000),
        Deed(what="drop", name="52:54:00:00:00:03"),
    ),
    (
        Deed(what="detach", name="uplinks"),
        Deed(what="erase", name="bare"),
        Deed(what="drop", name="52:54:00:00:00:02"),
        _change("trunk", cidr="10.1.3.0/24"),
    ),
    (Deed(what="erase", name="trunk"), _change("web", gateway="10.1.2.254")),
)


@dataclass
class World:
    """What there is: the specs of networks and guests by name, and whether the interface is attached."""

    nets: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    guests: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    switches: set[str] = field(default_factory=set[str])
    attached: bool = False

    def after(self, deed: Deed) -> "World":
        nets = {name: dict(spec) for name, spec in self.nets.items()}
        guests = {name: dict(spec) for name, spec in self.guests.items()}
        switches, attached = set(self.switches), self.attached
        match deed.what:
            case "net":
                nets[deed.name] = dict(deed.spec)
            case "guest":
                guests[deed.name] = dict(deed.spec)
            case "switch":
                switches.add(deed.name)
            case "change":
                (nets if deed.name in nets else guests)[deed.name].update(deed.spec)
            case "attach" | "detach":
                attached = deed.what == "attach"
            case _:
                nets.pop(deed.name, None)
                guests.pop(deed.name, None)
        return World(nets, guests, switches, attached)


def expected(output: str) -> tuple[World, Deed | None]:
    """From what a program said: what there was after all that was acknowledged, and what was asked last."""
    world, open_deed = World(), None
    for line in output.splitlines(keepends=True):
        what, _, text = line.partition(" ")
        if not line.endswith("\n") or what not in ("asked", "acknowledged"):
            continue
        deed = msgspec.json.decode(text, type=Deed)
        if what == "asked":
            open_deed = deed
        else:
            world, open_deed = world.after(deed), None
    return world, open_deed


class Living:
    """Does the deeds in an installation."""

    def __init__(self, here: Installation) -> None:
        self._here = here

    def live(self) -> None:
        for phase in LIFE:
            for deed in phase:
                text = msgspec.json.encode(deed)
                os.write(1, b"asked " + text + b"\n")
                self._perform(deed)
                os.write(1, b"acknowledged " + text + b"\n")
            self._here.at_rest()

    def _perform(self, deed: Deed) -> None:
        here = self._here
        nets, vsws = here.network.br_nets, here.network.vsws
        match deed.what:
            case "net":
                vsw_id = here.named(vsws)[deed.of]
                here.create(nets, name=deed.name, vsw_id=vsw_id, **_typed(deed.spec))
            case "guest":
                net = here.named(nets)[deed.of]
                here.create(here.guests, name=deed.name, br_net_id=net, mac=deed.name, **deed.spec)
            case "switch":
                here.create(vsws, name=deed.name)
            case "change":
                service: Any = nets if deed.name in here.named(nets) else here.guests
                here.update(service, here.named(service)[deed.name], **deed.spec)
            case "attach" | "detach":
                nic_ids = [here.nic(PHYSICAL)]
                here.act(vsws, here.named(vsws)[deed.name], f"{deed.what}-nics", nic_ids=nic_ids)
            case "drop":
                here.delete(here.guests, here.named(here.guests)[deed.name])
            case _:
                # the network's guests must have left it
                eventually(lambda: not here.all(here.guests, br_net_id=here.named(nets)[deed.name]))
                here.delete(nets, here.named(nets)[deed.name])


def _typed(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "type": Attachment(spec["type"])} if "type" in spec else spec


def driver_in(directory: Path) -> LinuxNetwork:
    return LinuxNetwork(tag=tag_of(str(directory)), directory=directory, also=[PHYSICAL])


def installation(url: str, directory: Path) -> AbstractContextManager[Installation]:
    return running(url, driver_in(directory), plugs=True, settings=SETTINGS)


def main(command: str, *arguments: str) -> None:
    if command == "nursery":
        _nursery()
        return
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    url, directory = arguments
    if command == "passed":
        _say_each_point()
    with installation(url, Path(directory)) as here:
        Living(here).live()


def _say_each_point() -> None:
    lock = threading.Lock()

    def passing(point: str) -> None:
        with lock:
            os.write(1, f"passed {point}\n".encode())

    effects._pass = passing


def _nursery() -> None:
    """Importing takes far longer than being killed: here it is done once for all children."""
    import pyroute2  # noqa: F401

    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            _be_born(order, main)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_born(order: Order, live: Callable[..., None]) -> None:
    for path, descriptor in ((order.output, 1), (order.logs, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    # what a process that was started anew reads from its environment when it imports this
    effects._armed = effects._Armed(order.crash_at) if order.crash_at else None
    try:
        live(*order.arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
