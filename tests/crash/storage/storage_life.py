"""The life of a few disks on a real backend, as a program that the crash suite runs and kills.

    storage_life.py passed URL PLACE           live it, and print each crash point that was passed, each time
    storage_life.py live URL PLACE             live it, saying each deed before and after it is done
    storage_life.py nursery                    for each order on stdin: fork, be one of the above, and print
                                               what the child ended with

A place is a directory of qcow2 files or, as `rbd CONF POOL NAMESPACE`, a namespace in a pool of a Ceph.
The folders `tests` and `tests/crash` must be on Python's path.

`expected` is the model: what every disk must read after the deeds that were acknowledged.
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

from storage_installation import Installation, qcow2, running
from stratal.kernel import effects
from stratal.kernel.engine import EngineSettings
from stratal.storage import Backend
from stratal.storage.bs_volume.model import MIB

SETTINGS = EngineSettings(
    workers=4,
    lease=timedelta(seconds=2),
    backoff_base=timedelta(milliseconds=10),
    backoff_cap=timedelta(milliseconds=200),
    poll=timedelta(seconds=0.2),
)

#: what a write puts down lies within one cluster of 64 KiB, and the disks have a few of them
CLUSTER = 64 * 1024
_SIZE_MB = 1


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked for, by the names of volumes and snapshots."""

    what: str
    name: str
    of: str = ""
    at: int = 0
    letter: str = ""


def _create(name: str) -> Deed:
    return Deed(what="create", name=name)


def _write(name: str, at: int, letter: str) -> Deed:
    return Deed(what="write", name=name, at=at, letter=letter)


def _snapshot(name: str, of: str) -> Deed:
    return Deed(what="snapshot", name=name, of=of)


def _rollback(name: str, to: str) -> Deed:
    return Deed(what="rollback", name=name, of=to)


def _clone(name: str, of: str) -> Deed:
    return Deed(what="clone", name=name, of=of)


def _other(what: str, name: str) -> Deed:
    return Deed(what=what, name=name)


#: phases, between which everything comes to rest, merges too
LIFE: tuple[tuple[Deed, ...], ...] = (
    (_create("a"), _write("a", 0, "A"), _write("a", 1, "B")),
    (_snapshot("s1", "a"), _write("a", 1, "C"), _snapshot("s2", "a"), _write("a", 2, "D")),
    # a branch: back to the first snapshot and on from there, while the second stays
    (_rollback("a", "s1"), _write("a", 3, "E"), _snapshot("s3", "a"), _write("a", 0, "F")),
    (_clone("c", "s2"), _write("c", 4, "G"), _snapshot("c1", "c")),
    (_other("grow", "c"),),
    # out of the middle, with a branch and a clone hanging on what goes
    (_other("drop", "s1"), _other("drop", "s2"), _write("c", 5, "H")),
    (_other("flatten", "c"),),
    (_other("drop", "s3"), _other("drop", "c1")),
    (_create("b"), _snapshot("b1", "b"), _snapshot("b2", "b"), _rollback("b", "b1"), _other("drop", "b2")),
    (_write("b", 0, "I"), _write("b", 1, "J"), _write("b", 2, "K"), _snapshot("b3", "b")),
    # with nothing of its own, which is done another way
    (_clone("f", "b3"), _other("flatten", "f")),
    (_other("drop", "b1"), _other("erase", "c"), _other("drop", "b3")),
    (_other("erase", "b"), _other("erase", "f")),
)

#: what matters where several layers lie in one object of the store: rollback to what was smaller, then a
#: clone that takes the place of what was rolled back
LIFE_ON_RBD: tuple[tuple[Deed, ...], ...] = (
    *LIFE,
    (_create("d"), _write("d", 0, "J"), _snapshot("d1", "d"), _other("grow", "d"), _write("d", 17, "K")),
    (_rollback("d", "d1"), _write("d", 18, "L")),
    (_clone("e", "d1"), _write("e", 1, "M")),
    (_other("drop", "d1"),),
    (_other("erase", "d"),),
)


@dataclass
class World:
    """What there is, by name: the content of volumes and of snapshots."""

    volumes: dict[str, bytes] = field(default_factory=dict[str, bytes])
    snapshots: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def after(self, deed: Deed) -> "World":
        volumes, snapshots = dict(self.volumes), dict(self.snapshots)
        match deed.what:
            case "create":
                volumes[deed.name] = bytes(_SIZE_MB * MIB)
            case "write":
                content = bytearray(volumes[deed.name])
                content[deed.at * CLUSTER : (deed.at + 1) * CLUSTER] = deed.letter.encode() * CLUSTER
                volumes[deed.name] = bytes(content)
            case "snapshot":
                snapshots[deed.name] = volumes[deed.of]
            case "rollback":
                volumes[deed.name] = snapshots[deed.of].ljust(len(volumes[deed.name]), b"\0")
            case "clone":
                volumes[deed.name] = snapshots[deed.of]
            case "grow":
                volumes[deed.name] = volumes[deed.name].ljust(2 * len(volumes[deed.name]), b"\0")
            case "drop":
                del snapshots[deed.name]
            case "erase":
                del volumes[deed.name]
            case _:  # flatten
                pass
        return World(volumes, snapshots)


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

    def live(self, life: tuple[tuple[Deed, ...], ...]) -> None:
        for phase in life:
            for deed in phase:
                self._do(deed)
            self._here.at_rest()

    def _do(self, deed: Deed) -> None:
        text = msgspec.json.encode(deed)
        os.write(1, b"asked " + text + b"\n")
        self._perform(deed)
        os.write(1, b"acknowledged " + text + b"\n")

    def _perform(self, deed: Deed) -> None:
        here = self._here
        match deed.what:
            case "create":
                here.create(here.volumes, name=deed.name, size_mb=_SIZE_MB, bs_policy_id=here.default_policy)
            case "write":
                # whoever writes has waited for the disk to be ready, as a guest's start does
                here.active(here.volumes, volume_called(here, deed.name))
                self._until_snapshots_are_ready()
                here.write(volume_called(here, deed.name), deed.at * CLUSTER, deed.letter.encode() * CLUSTER)
            case "snapshot":
                here.create(here.snaps, name=deed.name, bs_volume_id=volume_called(here, deed.of))
            case "rollback":
                snap = snapshot_called(here, deed.of)
                here.act(here.volumes, volume_called(here, deed.name), "rollback", bs_snap_id=snap)
            case "clone":
                here.ask_for_clone(snapshot_called(here, deed.of), deed.name)
            case "grow":
                here.update(here.volumes, volume_called(here, deed.name), size_mb=2 * _SIZE_MB)
            case "drop":
                here.delete(here.snaps, snapshot_called(here, deed.name))
            case "erase":
                here.delete(here.volumes, volume_called(here, deed.name))
            case _:
                here.act(here.volumes, volume_called(here, deed.name), "flatten")

    def _until_snapshots_are_ready(self) -> None:
        for id in names_of(self._here, self._here.snaps).values():
            self._here.active(self._here.snaps, id)


def names_of(here: Installation, service: Any) -> dict[str, int]:
    """The ids of what is there and not on its way out, by name."""
    live = service.columns.deletion_begin.is_(None)
    return {each.spec.name: each.id for each in here.database.read(lambda tx: service.store.find(tx, live))}


def volume_called(here: Installation, name: str) -> int:
    return names_of(here, here.volumes)[name]


def snapshot_called(here: Installation, name: str) -> int:
    return names_of(here, here.snaps)[name]


def installation(url: str, place: str) -> AbstractContextManager[Installation]:
    backends = _rbd(place) if _is_rbd(place) else {"qcow2": qcow2(Path(place))}
    return running(url, backends, settings=SETTINGS)


def _is_rbd(place: str) -> bool:
    return place.startswith("rbd ")


def _rbd(place: str) -> dict[str, Backend]:
    from stratal.storage.drivers.rbd import RbdDriver, RbdPlace

    _, conf, pool, namespace = place.split()
    # objects are small and runs short, so that small disks with few snapshots have several
    where = RbdPlace(conf=Path(conf), pool=pool, namespace=namespace, object_bytes=4 * CLUSTER, run_length=2)

    def prepare(place: str) -> None:
        """The namespace is there."""

    return {
        "rbd": Backend(canonical=lambda place: str(where), prepare=prepare, open=lambda _: RbdDriver(where))
    }


def main(command: str, *arguments: str) -> None:
    if command == "nursery":
        _nursery()
        return
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    url, place = arguments
    if command == "passed":
        _say_each_point()
    with installation(url, place) as here:
        Living(here).live(LIFE_ON_RBD if _is_rbd(place) else LIFE)


def _say_each_point() -> None:
    lock = threading.Lock()

    def passing(point: str) -> None:
        with lock:
            os.write(1, f"passed {point}\n".encode())

    effects._pass = passing


def _nursery() -> None:
    """Importing takes far longer than being killed: here it is done once for all children."""
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
