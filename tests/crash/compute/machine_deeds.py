"""The deeds of a life of machines, and the model of what there is after them."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

#: what a write puts down is one cluster of 64 KiB, and the disks have a few of them
CLUSTER = 64 * 1024
CLUSTERS_PER_MB = 16


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked for, by the names of machines and snapshots."""

    what: str
    name: str
    of: str = ""
    disk: int = 0
    at: int = 0
    letter: str = ""


def _machine(what: str, name: str, of: str = "") -> Deed:
    return Deed(what=what, name=name, of=of)


def _write(name: str, disk: int, at: int, letter: str) -> Deed:
    return Deed(what="write", name=name, disk=disk, at=at, letter=letter)


#: phases, between which everything comes to rest, merges under running guests too
LIFE: tuple[tuple[Deed, ...], ...] = (
    (_machine("create", "web"), _write("web", 0, 0, "A"), _write("web", 1, 1, "B")),
    (_machine("start", "web"),),
    # two points in time of a guest that runs, asked for while the first is not made yet
    (_machine("snapshot", "s1", "web"), _machine("snapshot", "s2", "web")),
    (_machine("plug", "web"), _machine("plug_nic", "web")),
    # a guest with no system gives devices back when it is reset
    (_machine("unplug", "web"), _machine("unplug_nic", "web"), _machine("reboot", "web")),
    (Deed(what="grow", name="web", disk=1),),
    # memory of the running guest, which goes on from there
    (_machine("keep", "m1", "web"),),
    (_machine("resume", "web", "m1"),),
    (_machine("drop", "m1"), _machine("snapshot", "s3", "web")),
    (_machine("clone", "copy", "s2"),),
    # merges under the running guest, below a layer that the clone needs and above it
    (_machine("drop", "s1"), _machine("drop", "s3")),
    (_machine("start", "copy"),),
    (_machine("flatten", "copy"),),
    (_machine("stop", "web"),),
    (_write("web", 0, 0, "C"), _write("web", 0, 2, "D")),
    (_machine("rollback", "web", "s2"), _write("web", 1, 3, "E")),
    (_machine("start", "web"), _machine("stop", "copy")),
    (_machine("drop", "s2"), _machine("erase", "copy")),
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as it shall be."""

    running: bool
    #: the letter in each cluster of each disk; a dot where it is empty
    disks: tuple[str, ...]
    nics: int = 1


@dataclass(frozen=True)
class World:
    """What there is, by name."""

    machines: dict[str, Machine] = field(default_factory=dict[str, Machine])
    snapshots: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def after(self, deed: Deed) -> "World":
        machines, snapshots = dict(self.machines), dict(self.snapshots)
        match deed.what:
            case "create":
                machines[deed.name] = Machine(running=False, disks=(_empty(), _empty()))
            case "clone":
                machines[deed.name] = Machine(running=False, disks=snapshots[deed.of])
            case "snapshot" | "keep":
                snapshots[deed.name] = machines[deed.of].disks
            case "drop":
                del snapshots[deed.name]
            case "erase":
                del machines[deed.name]
            case _:
                machines[deed.name] = _changed(machines[deed.name], deed, snapshots)
        return World(machines, snapshots)


def _empty() -> str:
    return "." * CLUSTERS_PER_MB


def _changed(machine: Machine, deed: Deed, snapshots: dict[str, tuple[str, ...]]) -> Machine:
    disks = list(machine.disks)
    changes: dict[str, Any] = {}
    match deed.what:
        case "start" | "stop":
            changes["running"] = deed.what == "start"
        case "write":
            old = disks[deed.disk]
            disks[deed.disk] = old[: deed.at] + deed.letter + old[deed.at + 1 :]
        case "grow":
            disks[deed.disk] = disks[deed.disk].ljust(2 * CLUSTERS_PER_MB, ".")
        case "plug":
            disks.append(_empty())
        case "unplug":
            disks.pop()
        case "plug_nic" | "unplug_nic":
            changes["nics"] = machine.nics + (1 if deed.what == "plug_nic" else -1)
        case "rollback" | "resume":
            kept = snapshots[deed.of]
            disks = [old.ljust(len(now), ".") for now, old in zip(disks, kept, strict=True)]
        case _:  # flatten, reboot
            pass
    return replace(machine, disks=tuple(disks), **changes)


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
