"""Full disks, vanished directories, tools that die or hang: what is said of it, and that nothing is lost."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from layer_mirror import Mirror, new_id, pattern
from qcow2_ground import (
    MIB,
    SIZE,
    chain,
    driver,
    killed_tools,
    mirror,
    path_of,
    prepared,
    settled,
    shim,
    slow_tools,
)

from stratal.kernel.operation import Cancelled, Operation
from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
    LayerId,
    Source,
)
from stratal.storage.drivers.errors import (
    BackendUnavailable,
    NoSpace,
)
from stratal.storage.drivers.qcow2 import Qcow2Driver


class TestFailures:
    def test_a_place_that_vanished_is_unavailable_and_comes_back(self, mirror: Mirror) -> None:
        layers = chain(mirror, 3)
        place = path_of(mirror, layers[0]).parent
        away = place.with_name("away")
        place.rename(away)
        for replacement in (None, place):
            if replacement is not None:
                replacement.mkdir()  # the mount point of what is not mounted
            for attempt in every_verb(mirror.driver, layers):
                with pytest.raises(BackendUnavailable):
                    attempt()
        place.rmdir()
        away.rename(place)
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_full_disk_stops_a_merge_and_loses_nothing(
        self, small_place: Path, direction: Direction
    ) -> None:
        mirror = Mirror(prepared(small_place / "place"), 12 * MIB)
        layers = [mirror.root()]
        mirror.write(layers[0], 0, pattern(1, 5 * MIB))
        layers.append(mirror.snapshot(layers[0]))
        mirror.write(layers[1], 6 * MIB, pattern(2, 5 * MIB))
        layers.append(mirror.snapshot(layers[1]))
        ballast = fill(small_place, leaving=2 * MIB)
        self.run_out_of_space(mirror, mirror.driver.absorb(layers[0], into=layers[1], direction=direction))
        ballast.unlink()
        mirror.absorb(layers[0], layers[1], direction)
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_full_disk_stops_a_merge_beside_a_reader_and_removes_the_copy(
        self, small_place: Path, direction: Direction
    ) -> None:
        mirror = Mirror(prepared(small_place / "place"), 12 * MIB)
        layers = [mirror.root()]
        mirror.write(layers[0], 0, pattern(1, 5 * MIB))
        layers.append(mirror.snapshot(layers[0]))
        mirror.write(layers[1], 6 * MIB, pattern(2, 5 * MIB))
        layers.append(mirror.snapshot(layers[1]))
        fill(small_place, leaving=2 * MIB)
        with mirror.driver.open_reading(layers[1]):
            self.run_out_of_space(
                mirror, mirror.driver.absorb(layers[0], into=layers[1], direction=direction)
            )
        assert [file for file in (small_place / "place").iterdir() if file.suffix == ".new"] == []

    def test_a_full_disk_stops_the_flattening_of_a_clone_and_removes_the_copy(
        self, small_place: Path
    ) -> None:
        mirror = Mirror(prepared(small_place / "place"), 12 * MIB)
        root = mirror.root()
        mirror.write(root, 0, pattern(1, 5 * MIB))
        clone = mirror.snapshot(root)
        ballast = fill(small_place, leaving=2 * MIB)
        self.run_out_of_space(mirror, mirror.driver.flatten(clone))
        assert [file for file in (small_place / "place").iterdir() if file.suffix == ".new"] == []
        ballast.unlink()
        mirror.flatten(clone)
        settled(mirror)

    def test_a_qemu_img_that_is_killed_leaves_a_clone_that_can_be_flattened(
        self, mirror: Mirror, killed_tools: Callable[[str], None]
    ) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, SIZE))
        clone = mirror.snapshot(root)
        killed_tools("convert")
        with pytest.raises(BackendUnavailable, match="killed by SIGKILL"):
            mirror.driver.flatten(clone).run()
        assert mirror.driver.survey().leftovers == ()
        mirror.verify()
        killed_tools("")
        mirror.flatten(clone)
        settled(mirror)

    def test_a_clone_that_somebody_reads_is_flattened_beside_the_reader(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, SIZE))
        clone = mirror.snapshot(root)
        with mirror.driver.open_reading(clone) as reader:
            mirror.flatten(clone)
            assert reader.read(0, SIZE) == pattern(1, SIZE)
        settled(mirror)

    def test_a_full_disk_stops_a_copy_and_a_writer(self, small_place: Path, tmp_path: Path) -> None:
        mirror = Mirror(prepared(small_place / "place"), 12 * MIB)
        root = mirror.root()
        image = tmp_path / "image.raw"
        image.write_bytes(pattern(1, 12 * MIB))
        ballast = fill(small_place, leaving=3 * MIB)
        source = Source.file(image, format="raw")
        with pytest.raises(NoSpace):
            mirror.driver.create_root(new_id(), size_bytes=12 * MIB, source=source).run()
        with pytest.raises(NoSpace), mirror.driver.open_writing(root) as writer:
            writer.write(0, image.read_bytes())
        ballast.unlink()
        mirror.write(root, 0, image.read_bytes())
        settled(mirror)

    def run_out_of_space(self, mirror: Mirror, operation: Operation) -> None:
        with pytest.raises(NoSpace):
            operation.run()
        for layer in mirror.layers:
            if mirror.driver.observe(layer) is not None:
                mirror.verify_layer(layer)
        mirror.driver.reclaim()  # cannot end the merge, and does not fail

    @pytest.mark.parametrize(("verb", "direction"), [("commit", "down"), ("rebase", "up"), ("check", "up")])
    def test_a_qemu_img_that_is_killed_leaves_a_merge_that_can_be_repeated(
        self, mirror: Mirror, killed_tools: Callable[[str], None], verb: str, direction: str
    ) -> None:
        layers = chain(mirror, 4)
        killed_tools(verb)
        with pytest.raises(BackendUnavailable, match="killed by SIGKILL"):
            mirror.driver.absorb(layers[1], into=layers[2], direction=Direction(direction)).run()
        killed_tools("")
        mirror.verify_content(but=layers[1])
        mirror.absorb(layers[1], layers[2], Direction(direction))
        settled(mirror)

    def test_a_qemu_img_that_is_killed_leaves_no_half_copied_layer(
        self, driver: Qcow2Driver, tmp_path: Path, killed_tools: Callable[[str], None]
    ) -> None:
        image, layer = tmp_path / "image.raw", new_id()
        image.write_bytes(pattern(1, SIZE))
        killed_tools("convert")
        source = Source.file(image, format="raw")
        with pytest.raises(BackendUnavailable, match="killed by SIGKILL"):
            driver.create_root(layer, size_bytes=SIZE, source=source).run()
        assert driver.survey().leftovers == ()
        assert driver.observe(layer) is None
        killed_tools("")
        driver.create_root(layer, size_bytes=SIZE, source=source).run()

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_merge_that_is_cancelled_in_the_middle_is_taken_up_again(
        self, mirror: Mirror, direction: Direction, slow_tools: Callable[[str], None]
    ) -> None:
        layers = chain(mirror, 4)
        slow_tools("commit" if direction is Direction.DOWN else "check")
        operation = mirror.driver.absorb(layers[1], into=layers[2], direction=direction)
        timer = threading.Timer(0.3, operation.cancel)
        timer.start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            operation.run()
        assert time.monotonic() - started < 3
        timer.join()
        slow_tools("")
        mirror.absorb(layers[1], layers[2], direction)
        settled(mirror)


def every_verb(driver: LayerDriver, layers: list[LayerId]) -> list[Callable[[], object]]:
    root, middle, head = layers
    return [
        lambda: driver.observe(head),
        driver.survey,
        driver.capacity,
        driver.reclaim,
        lambda: driver.usage(head),
        lambda: driver.covered(middle, by=head),
        lambda: driver.check(head),
        lambda: list(driver.extents(head, above=root)),
        lambda: driver.locate(head),
        lambda: driver.open_reading(head).__enter__(),
        lambda: driver.open_writing(head).__enter__(),
        lambda: driver.create_root(new_id(), size_bytes=SIZE).run(),
        lambda: driver.create_child(new_id(), parent=root, size_bytes=SIZE),
        lambda: driver.freeze(head),
        lambda: driver.resize(head, size_bytes=2 * SIZE),
        lambda: driver.absorb(middle, into=head, direction=Direction.UP).run(),
        lambda: driver.flatten(head).run(),
        lambda: driver.delete(head),
    ]


@pytest.fixture
def small_place(tmp_path: Path) -> Generator[Path]:
    """A file system of 24 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount the small file system that this fills")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(place: Path, *, leaving: int) -> Path:
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(place).free - leaving)))
    return ballast
