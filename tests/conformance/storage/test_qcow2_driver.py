"""The qcow2 driver, held by the suite of all layer drivers, and what only files can suffer."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from layer_driver_suite import LayerDriverSuite
from layer_mirror import Mirror, new_id, pattern
from qcow2_ground import (
    SIZE,
    adopted,
    chain,
    driver,
    mirror,
    path_of,
    prepared,
    qemu_img,
    settled,
    slow_tools,
)

from stratal.kernel.errors import Invalid
from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
    LayerId,
)
from stratal.storage.drivers.errors import (
    LayerBusy,
    LayerDamaged,
)
from stratal.storage.drivers.qcow2 import Qcow2Driver

#: The tests that walk over crash points start hundreds of processes: 20 s each on an idle machine, minutes
#: beside others.
pytestmark = pytest.mark.timeout(1200)


class TestQcow2Layers(LayerDriverSuite):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> LayerDriver:
        return prepared(tmp_path / "place")

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        assert isinstance(driver, Qcow2Driver)
        return Qcow2Driver(driver.place)


class TestFiles:
    @pytest.mark.parametrize("size", [512, 65536, 2**30, 2**40, 64 * 2**40], ids=str)
    def test_a_blank_layer_is_what_qemu_img_would_have_made(
        self, mirror: Mirror, tmp_path: Path, size: int
    ) -> None:
        root, child = new_id(), new_id()
        mirror.driver.create_root(root, size_bytes=size).run()
        mirror.driver.freeze(root)
        mirror.driver.create_child(child, parent=root, size_bytes=size)
        theirs = tmp_path / "theirs.qcow2"
        qemu_img("create", "-f", "qcow2", "-F", "qcow2", "-b", path_of(mirror, root), theirs)
        told = ("virtual-size", "cluster-size", "format", "backing-filename", "backing-filename-format")
        found = json.loads(qemu_img("info", "--output=json", path_of(mirror, child)))
        expected = json.loads(qemu_img("info", "--output=json", theirs))
        assert {name: found[name] for name in told} == {name: expected[name] for name in told}
        assert "leaks" not in json.loads(qemu_img("check", "--output=json", path_of(mirror, child)))

    def test_a_frozen_layers_file_is_read_only_for_everybody(self, mirror: Mirror) -> None:
        root, head = chain(mirror, 2)
        assert path_of(mirror, root).stat().st_mode & 0o777 == 0o444
        mirror.snapshot(head)
        mirror.absorb(root, head, Direction.UP)
        assert path_of(mirror, head).stat().st_mode & 0o777 == 0o444

    @pytest.mark.parametrize(
        "name", ["../../etc/passwd", "", "a", "/etc/passwd", "A" * 36, "{0}", "0" * 32, "\0"]
    )
    def test_a_name_that_is_no_uuid_never_becomes_a_path(self, driver: Qcow2Driver, name: str) -> None:
        layer = LayerId(name.format("11111111-1111-1111-1111-111111111111 "))
        for attempt in (
            lambda: driver.create_root(layer, size_bytes=SIZE).run(),
            lambda: driver.observe(layer),
            lambda: driver.delete(layer),
            lambda: driver.locate(layer),
        ):
            with pytest.raises(Invalid):
                attempt()

    def test_a_size_that_is_no_number_of_sectors_is_refused(self, driver: Qcow2Driver) -> None:
        for size in (0, -512, 100, 2**63):
            with pytest.raises(Invalid):
                driver.create_root(new_id(), size_bytes=size).run()

    def test_foreign_files_in_the_place_are_left_alone(self, mirror: Mirror) -> None:
        stranger = Path(path_of(mirror, mirror.root()).parent) / "README"
        stranger.write_text("mine")
        settled(mirror)
        assert stranger.read_text() == "mine"

    def test_a_file_with_a_broken_header_is_a_damaged_layer(self, mirror: Mirror) -> None:
        root, head = chain(mirror, 2)
        path_of(mirror, root).chmod(0o644)
        path_of(mirror, root).write_bytes(b"garbage" * 1000)
        with pytest.raises(LayerDamaged):
            mirror.driver.observe(head)

    def test_a_layer_whose_parent_file_is_lost_is_damaged(self, mirror: Mirror) -> None:
        root, head = chain(mirror, 2)
        path_of(mirror, root).unlink()
        with pytest.raises(LayerDamaged, match="missing"):
            mirror.driver.observe(head)

    def test_damaged_tables_are_found_by_a_check(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, SIZE))
        with path_of(mirror, root).open("r+b") as file:
            file.seek(2 * 65536 + 10)
            file.write(bytes(40))
        assert not mirror.driver.check(root).sound

    def test_extents_of_a_very_long_run_are_right(self, mirror: Mirror) -> None:
        layers = chain(mirror, 90)
        mirror.verify_extents(layers[-1], layers[3])
        mirror.verify_extents(layers[-1], layers[80])


class TestMergingInPlace:
    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_merge_that_nobody_watches_copies_no_file(self, mirror: Mirror, direction: Direction) -> None:
        layers = chain(mirror, 3)
        operation = mirror.driver.absorb(layers[0], into=layers[1], direction=direction)
        operation.run()
        assert f"merge {direction}" in {phase.name for phase in operation.phases}
        assert "copy" not in {phase.name for phase in operation.phases}
        assert operation.progress.done_bytes == operation.progress.total_bytes > 0
        mirror.layers[layers[1]].parent = None
        del mirror.layers[layers[0]]
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_merge_beside_a_reader_writes_into_no_file_that_is_read(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        layers = chain(mirror, 4)
        files = [path_of(mirror, layer) for layer in layers[:3]]
        before = [file.read_bytes() for file in files]
        descriptors = [os.open(file, os.O_RDONLY) for file in files]
        with mirror.driver.open_reading(layers[2]) as reader:
            mirror.absorb(layers[0], layers[1], direction)
            for descriptor, content in zip(descriptors, before, strict=True):
                assert os.pread(descriptor, 2**26, 0) == content
                os.close(descriptor)
            assert reader.read(0, SIZE) == bytes(mirror.layers[layers[2]].content)
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_reader_that_comes_in_the_middle_of_a_merge_gets_in(
        self, mirror: Mirror, direction: Direction, slow_tools: Callable[[str], None]
    ) -> None:
        layers = chain(mirror, 4)
        slow_tools("commit" if direction is Direction.DOWN else "rebase")
        with ThreadPoolExecutor(1) as pool:
            merging = pool.submit(mirror.absorb, layers[0], layers[1], direction)
            while mirror.driver.observe(layers[0]) is not None:
                time.sleep(0.01)
            time.sleep(0.2)
            mirror.verify_layer(layers[2])
            merging.result()
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_parent_that_is_read_by_itself_is_not_absorbed(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        root, head = chain(mirror, 2)
        with mirror.driver.open_reading(root), pytest.raises(LayerBusy):
            mirror.driver.absorb(root, into=head, direction=direction).run()
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_layers_with_unlike_clusters_merge_right(
        self, mirror: Mirror, tmp_path: Path, direction: Direction
    ) -> None:
        for cluster in ("512", "4k", "2M"):
            path = tmp_path / "image.qcow2"
            qemu_img("create", "-f", "qcow2", "-o", f"cluster_size={cluster}", path, SIZE)
            layer = adopted(mirror, path, "qcow2", bytes(SIZE))
            mirror.write(layer, 1000, pattern(1, SIZE // 2))
            middle = mirror.snapshot(layer)
            mirror.write(middle, 77_777, pattern(2, 70_000))
            mirror.zero(middle, 300_000, 200_000)
            mirror.snapshot(middle)
            mirror.absorb(layer, middle, direction)
            settled(mirror)
