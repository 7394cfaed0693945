"""Snapshot, rollback and linked clone through the service: from the request to the resource being active.

The whole of it: the request's transaction, the tree's look, the driver, and the looks at what waits for it,
on SQLite in a file. The baseline is `qemu-img create -b` as a shell would run it, taken in turns. Volumes of
1 GiB and of 1 TiB, at the 1st and at the 1,000th snapshot, are to take the same time.

Copies and conversions are measured against `qemu-img convert` of the same image.
"""

import os
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.storage_installation import Installation, qcow2, running

from bench.options import Options, Outcome
from bench.results import Row, at_least, under
from stratal.kernel.engine import EngineSettings
from stratal.kernel.state import State
from stratal.storage.drivers.contract import LayerId, Source
from stratal.storage.drivers.qcow2 import Qcow2Driver

SUMMARY = "snapshot, rollback, clone: request to active, at most 3 times qemu-img create -b; copies at 0.9"

_GIB_MB, _TIB_MB = 2**10, 2**20
_DEEP = 1000
_MOST_TIMES = 3.0
_LEAST_RATIO = 0.9
_COPY_BYTES = 512 * 2**20
_REPEATS = 7


def run(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as name:
        rows = _requests(Path(name), options) + _copies(Path(name), options)
    remarks = [
        "Times are from the call of the service, which a face makes, to the resource's being active, asked"
        " every 0.2 ms. The ratio of a copy is its speed to that of qemu-img convert -W of the same"
        " image or clone, followed by an fsync; the two take turns in being first, each after a sync."
    ]
    return Outcome(rows=rows, remarks=remarks)


# -- requests ---------------------------------------------------------------------------------------------


def _requests(directory: Path, options: Options) -> list[Row]:
    place = directory / "place"
    place.mkdir()
    taken: dict[str, list[float]] = {}
    bare = _bare(directory)
    url = f"sqlite:///{directory}/stratal.db"
    with running(url, {"qcow2": qcow2(place)}, settings=EngineSettings()) as here:
        policy = here.default_policy
        disks = {
            "1 GiB": _Disk(here, policy, _GIB_MB),
            "1 TiB": _Disk(here, policy, _TIB_MB),
            f"1 GiB, after {_DEEP - 1} snapshots": _Disk(here, policy, _GIB_MB),
        }
        for number in range(_DEEP - 1):
            if number % 100 == 0:
                options.progress(f"snapshot {number} of {_DEEP}")
            disks[f"1 GiB, after {_DEEP - 1} snapshots"].snapshot()
        for turn in range(_REPEATS * options.rounds // 5 or 1):
            options.progress(f"requests: round {turn + 1}")
            taken.setdefault("bare", []).append(_seconds(bare))
            for size, disk in disks.items():
                for verb in (disk.snapshot, disk.rollback, disk.clone):
                    taken.setdefault(f"{verb.__name__}, {size}", []).append(_seconds(verb))
    baseline = statistics.median(taken.pop("bare")) * 1000
    rows = [Row(name="qemu-img create -b", subject="qcow2", measured=baseline, unit="ms")]
    for name, seconds in taken.items():
        milliseconds = statistics.median(seconds) * 1000
        rows.append(
            Row(
                name=name,
                subject="service, qcow2",
                measured=milliseconds,
                unit="ms",
                target=under(_MOST_TIMES * baseline),
                ratio=milliseconds / baseline,
            )
        )
    return rows


class _Disk:
    def __init__(self, here: Installation, policy: int, size_mb: int) -> None:
        self._here = here
        self._volume = here.volume(f"disk-{uuid.uuid4().hex[:8]}", size_mb=size_mb, bs_policy_id=policy)
        self._snap = 0
        self.snapshot()

    def snapshot(self) -> None:
        snaps = self._here.snaps
        self._snap = self._here.create(snaps, name="moment", bs_volume_id=self._volume).id
        self._until_active(snaps, self._snap)

    def rollback(self) -> None:
        self._here.act(self._here.volumes, self._volume, "rollback", bs_snap_id=self._snap)
        self._until_active(self._here.volumes, self._volume)

    def clone(self) -> None:
        self._until_active(self._here.volumes, self._here.ask_for_clone(self._snap).id)

    def _until_active(self, service: object, id: int) -> None:
        while self._here.show(service, id).state.state is not State.ACTIVE:  # type: ignore[arg-type]
            time.sleep(0.0002)


def _bare(directory: Path) -> Callable[[], None]:
    folder = directory / "bare"
    folder.mkdir()
    base = folder / "base.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), f"{_GIB_MB}M"], check=True)

    def create() -> None:
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2"]
        subprocess.run([*command, str(folder / f"{uuid.uuid4()}.qcow2")], check=True)

    return create


# -- copies -----------------------------------------------------------------------------------------------


def _copies(directory: Path, options: Options) -> list[Row]:
    """A conversion of an uploaded image, and the flattening of a clone, each against the same by hand."""
    place, raw, made = directory / "copies", directory / "image.raw", directory / "made.qcow2"
    place.mkdir()
    with raw.open("wb") as file:
        for _ in range(_COPY_BYTES // 2**20):
            file.write(os.urandom(2**20))
    driver = Qcow2Driver(place)
    driver.prepare()
    base, twin = _new(), _new()
    source = Source.file(raw, format="raw")
    driver.create_root(base, size_bytes=_COPY_BYTES, source=source).run()
    driver.freeze(base)
    driver.create_child(twin, parent=base, size_bytes=_COPY_BYTES)
    overlay = Path(driver.locate(twin).address)
    taken: dict[str, list[tuple[float, float]]] = {"conversion of an image": [], "flattening of a clone": []}
    for turn in range(options.rounds):
        options.progress(f"copies: round {turn + 1}")
        layer, child = _new(), _new()
        copying = driver.create_root(layer, size_bytes=_COPY_BYTES, source=source)
        driver.create_child(child, parent=base, size_bytes=_COPY_BYTES)
        both = _in_turns(
            turn,
            _Action(partial(_convert, raw, "raw", made), made.unlink),
            _Action(copying.run, partial(driver.delete, layer)),
        )
        taken["conversion of an image"].append(both)
        both = _in_turns(
            turn,
            _Action(partial(_convert, overlay, "qcow2", made), made.unlink),
            _Action(driver.flatten(child).run, partial(driver.delete, child)),
        )
        taken["flattening of a clone"].append(both)
    rows: list[Row] = []
    for name, seconds in taken.items():
        baseline, speed = (
            _COPY_BYTES / 2**20 / statistics.median(each) for each in zip(*seconds, strict=True)
        )
        rows.append(Row(name=f"{name}, qemu-img convert", subject="qcow2", measured=baseline, unit="MiB/s"))
        rows.append(
            Row(
                name=name,
                subject="qcow2",
                measured=speed,
                unit="MiB/s",
                target=at_least(_LEAST_RATIO * baseline),
                ratio=speed / baseline,
            )
        )
    return rows


@dataclass(frozen=True)
class _Action:
    run: Callable[[], object]
    #: removes what was made
    undo: Callable[[], object]

    def seconds(self) -> float:
        """What it takes when nothing waits to be written, and the memory of what was made before is free."""
        os.sync()
        taken = _seconds(self.run)
        self.undo()
        return taken


def _in_turns(turn: int, bare: _Action, ours: _Action) -> tuple[float, float]:
    """The seconds of both, each of which is the first as often."""
    if turn % 2:
        seconds = ours.seconds()
        return bare.seconds(), seconds
    return bare.seconds(), ours.seconds()


def _new() -> LayerId:
    return LayerId(str(uuid.uuid4()))


def _convert(source: Path, format: str, target: Path) -> None:
    """As a shell would run it, into a new file, and durable as a layer is."""
    command = ["qemu-img", "convert", "-W", "-f", format, "-O", "qcow2", str(source), str(target)]
    subprocess.run(command, check=True)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
