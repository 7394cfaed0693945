"""Snapshot, rollback and linked clone of a detached volume, against the backend's own bare calls.

On qcow2 the baseline is `qemu-img create -b` as a shell would run it; on RBD it is librbd's `create_snap` and
`clone` on a plain image. Each is measured on a volume of 1 GiB and of 1 TiB, and for its 1st and its 1,000th
snapshot, since none of that is to matter. Driver verbs are measured by themselves, each with its fsyncs.
"""

import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ceph import ceph_cluster, why_not

from bench.options import Options, Outcome
from bench.results import Row, under
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.qcow2 import Qcow2Driver
from stratal.storage.drivers.rbd import RbdDriver, RbdPlace

SUMMARY = "snapshot, rollback and linked clone of a detached volume, each at most 3 times the bare calls"

_GIB, _TIB = 2**30, 2**40
_DEEP = 1000
_MOST_TIMES = 3.0
_REPEATS = 7


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A driver, and what its backend's bare calls take."""

    name: str
    driver: LayerDriver
    #: makes one layer on another with nothing but the backend, once
    bare: Callable[[], None]


def run(options: Options) -> Outcome:
    rows: list[Row] = []
    remarks: list[str] = []
    for make in (_qcow2, _rbd):
        with make(options) as subject:
            if subject is not None:
                rows += _figures(subject, options)
    remarks.append("The ratio is to the bare calls of the same backend, taken in turns with the verbs.")
    return Outcome(rows=rows, remarks=remarks)


def _figures(subject: Subject, options: Options) -> list[Row]:
    taken: dict[str, list[float]] = {}
    volumes = {"1 GiB": _Volume(subject.driver, _GIB), "1 TiB": _Volume(subject.driver, _TIB)}
    deep = _Volume(subject.driver, _GIB)
    options.progress(f"{subject.name}: {_DEEP} snapshots of one volume")
    for _ in range(_DEEP - 1):
        deep.snapshot()
    volumes[f"1 GiB, after {_DEEP - 1} snapshots"] = deep
    for turn in range(_REPEATS * options.rounds // 5 or 1):
        options.progress(f"{subject.name}: round {turn + 1}")
        taken.setdefault("bare", []).append(_seconds(subject.bare))
        for size, volume in volumes.items():
            for verb in (volume.snapshot, volume.rollback, volume.clone):
                taken.setdefault(f"{verb.__name__}, {size}", []).append(_seconds(verb))
    bare = statistics.median(taken.pop("bare")) * 1000
    rows = [Row(name="bare calls", subject=subject.name, measured=bare, unit="ms")]
    for name, seconds in taken.items():
        milliseconds = statistics.median(seconds) * 1000
        rows.append(
            Row(
                name=name,
                subject=subject.name,
                measured=milliseconds,
                unit="ms",
                target=under(_MOST_TIMES * bare),
                ratio=milliseconds / bare,
            )
        )
    return rows


class _Volume:
    """A volume, as far as the driver is concerned: a writable head, and frozen layers below it."""

    def __init__(self, driver: LayerDriver, size_bytes: int) -> None:
        self._driver = driver
        self._size = size_bytes
        self._head = _new()
        driver.create_root(self._head, size_bytes=size_bytes).run()
        self._frozen = self._head
        self.snapshot()

    def snapshot(self) -> None:
        self._driver.freeze(self._head)
        self._frozen, self._head = self._head, _new()
        self._driver.create_child(self._head, parent=self._frozen, size_bytes=self._size)

    def rollback(self) -> None:
        self._head = _new()
        self._driver.create_child(self._head, parent=self._frozen, size_bytes=self._size)

    def clone(self) -> None:
        self._driver.create_child(_new(), parent=self._frozen, size_bytes=self._size)


def _new() -> LayerId:
    return LayerId(str(uuid.uuid4()))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


# -- subjects ---------------------------------------------------------------------------------------------


@contextmanager
def _qcow2(_options: Options) -> Iterator[Subject | None]:
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as name:
        place, bare = Path(name) / "place", Path(name) / "bare"
        place.mkdir()
        bare.mkdir()
        driver = Qcow2Driver(place)
        driver.prepare()
        base = bare / "base.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), str(_GIB)], check=True)

        def create() -> None:
            command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2"]
            subprocess.run([*command, str(bare / f"{uuid.uuid4()}.qcow2")], check=True)

        yield Subject(name="qcow2", driver=driver, bare=create)


@contextmanager
def _rbd(options: Options) -> Iterator[Subject | None]:
    reason = why_not()
    if reason is not None:
        options.warn(f"RBD is left out: {reason}")
        yield None
        return
    import rbd

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stratal-bench-")))
        options.progress("starting Ceph")
        cluster = stack.enter_context(ceph_cluster(directory))
        pool = cluster.create_pool()
        handle = stack.enter_context(cluster.connected())
        handle.conf_set("rbd_default_clone_format", "2")
        ioctx: Any = stack.enter_context(closing(handle.open_ioctx(pool)))
        librbd: Any = rbd.RBD()
        librbd.create(ioctx, "bare", _GIB, old_format=False)
        image: Any = stack.enter_context(rbd.Image(ioctx, "bare"))
        driver = stack.enter_context(closing(RbdDriver(RbdPlace(conf=cluster.conf, pool=pool))))

        def snapshot_and_clone() -> None:
            name = str(uuid.uuid4())
            image.create_snap(name)
            librbd.clone(ioctx, "bare", name, ioctx, f"clone-{name}")

        yield Subject(name="rbd", driver=driver, bare=snapshot_and_clone)
