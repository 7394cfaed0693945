"""How layers come to be, are written to and grow. Part of `layer_driver_suite`."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from layer_mirror import Mirror, new_id, pattern
from layer_suite_base import KIB, MIB, TIB, LayerSuite

from stratal.kernel.operation import Cancelled
from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
    Source,
    Transport,
)
from stratal.storage.drivers.errors import (
    CannotShrink,
    LayerBusy,
    LayerExists,
    LayerFrozen,
    LayerNotFound,
    LayerNotFrozen,
    SourceRefused,
)


class Roots(LayerSuite):
    def test_an_empty_place_holds_nothing(self, driver: LayerDriver) -> None:
        assert driver.survey().layers == {}
        assert driver.observe(new_id()) is None

    def test_an_empty_root_reads_as_zeros(self, mirror: Mirror) -> None:
        mirror.root()
        mirror.verify()

    def test_creating_a_root_again_keeps_what_was_written(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, b"kept")
        mirror.driver.create_root(root, size_bytes=self.SIZE).run()
        mirror.verify()

    def test_a_root_of_another_size_is_not_taken_for_the_one_asked_for(self, mirror: Mirror) -> None:
        root = mirror.root()
        with pytest.raises(LayerExists):
            mirror.driver.create_root(root, size_bytes=2 * self.SIZE).run()
        mirror.verify()

    def test_a_child_is_not_taken_for_a_root(self, mirror: Mirror) -> None:
        child = mirror.snapshot(mirror.root())
        with pytest.raises(LayerExists):
            mirror.driver.create_root(child, size_bytes=self.SIZE).run()

    def test_a_root_from_an_image_reads_as_the_image_and_then_zeros(
        self, mirror: Mirror, tmp_path: Path
    ) -> None:
        image = tmp_path / "image.raw"
        image.write_bytes(pattern(1, self.UNIT) + bytes(3 * self.UNIT) + pattern(2, 5 * KIB))
        mirror.root(source=image)
        mirror.verify()

    def test_a_copy_leaves_the_image_alone(self, mirror: Mirror, tmp_path: Path) -> None:
        image = tmp_path / "image.raw"
        image.write_bytes(pattern(1, self.UNIT))
        root = mirror.root(source=image)
        mirror.write(root, 0, b"other")
        mirror.driver.delete(root)
        assert image.read_bytes() == pattern(1, self.UNIT)

    def test_a_copy_reports_progress_and_phases(self, driver: LayerDriver, tmp_path: Path) -> None:
        image = tmp_path / "image.raw"
        image.write_bytes(pattern(1, self.SIZE))
        operation = driver.create_root(
            new_id(), size_bytes=self.SIZE, source=Source.file(image, format="raw")
        )
        assert not operation.done
        operation.run()
        assert operation.done
        assert operation.progress.total_bytes > 0
        assert operation.progress.done_bytes == operation.progress.total_bytes
        assert operation.phases

    def test_nothing_happens_before_an_operation_runs(self, driver: LayerDriver) -> None:
        driver.create_root(new_id(), size_bytes=self.SIZE)
        assert driver.survey().layers == {}

    def test_a_cancelled_copy_leaves_no_layer_and_can_be_done_again(
        self, mirror: Mirror, tmp_path: Path
    ) -> None:
        image = tmp_path / "image.raw"
        image.write_bytes(pattern(1, self.SIZE))
        layer = new_id()
        source = Source.file(image, format="raw")
        operation = mirror.driver.create_root(layer, size_bytes=self.SIZE, source=source)
        operation.cancel()
        with pytest.raises(Cancelled):
            operation.run()
        assert operation.done
        assert mirror.driver.observe(layer) is None
        mirror.driver.reclaim()
        assert mirror.driver.survey().leftovers == ()
        mirror.driver.create_root(layer, size_bytes=self.SIZE, source=source).run()
        with mirror.driver.open_reading(layer) as reader:
            assert reader.read(0, self.SIZE) == pattern(1, self.SIZE)

    def test_an_image_larger_than_the_layer_is_refused(self, driver: LayerDriver, tmp_path: Path) -> None:
        image = tmp_path / "image.raw"
        image.write_bytes(bytes(self.SIZE + 512))
        with pytest.raises(SourceRefused):
            driver.create_root(new_id(), size_bytes=self.SIZE, source=Source.file(image, format="raw")).run()
        assert driver.survey().layers == {}

    def test_an_image_of_an_unknown_format_is_refused(self, driver: LayerDriver, tmp_path: Path) -> None:
        image = tmp_path / "image"
        image.write_bytes(bytes(self.UNIT))
        with pytest.raises(SourceRefused):
            driver.create_root(
                new_id(), size_bytes=self.SIZE, source=Source.file(image, format="nonsense")
            ).run()

    def test_an_image_that_is_not_what_it_claims_is_refused(
        self, driver: LayerDriver, tmp_path: Path
    ) -> None:
        image = tmp_path / "image.qcow2"
        image.write_bytes(pattern(1, self.UNIT))
        with pytest.raises(SourceRefused):
            driver.create_root(
                new_id(), size_bytes=self.SIZE, source=Source.file(image, format="qcow2")
            ).run()
        assert driver.survey().layers == {}

    def test_an_image_that_names_a_backing_file_is_refused(self, driver: LayerDriver, tmp_path: Path) -> None:
        if shutil.which("qemu-img") is None:
            pytest.skip("qemu-img, which makes the hostile image, is not installed")
        secret, image = tmp_path / "secret", tmp_path / "image.qcow2"
        secret.write_bytes(pattern(1, self.UNIT))
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", image], check=True
        )
        with pytest.raises(SourceRefused):
            driver.create_root(
                new_id(), size_bytes=self.SIZE, source=Source.file(image, format="qcow2")
            ).run()
        assert driver.survey().layers == {}

    def test_an_adopted_image_becomes_a_writable_root_and_is_gone_from_its_old_place(
        self, mirror: Mirror, tmp_path: Path
    ) -> None:
        location = self.foreign_image(tmp_path, pattern(1, self.SIZE))
        layer = new_id()
        for _ in range(2):
            mirror.driver.adopt(layer, location=location)
            info = mirror.driver.observe(layer)
            assert info is not None
            assert (info.parent, info.frozen, info.size_bytes) == (None, False, self.SIZE)
            with mirror.driver.open_reading(layer) as reader:
                assert reader.read(0, self.SIZE) == pattern(1, self.SIZE)
        with mirror.driver.open_writing(layer) as writer:
            writer.write(0, b"mine")
        with pytest.raises(SourceRefused):
            mirror.driver.adopt(new_id(), location=location)

    def test_a_foreign_image_can_be_examined_and_copied_from_where_it_lies(
        self, mirror: Mirror, tmp_path: Path
    ) -> None:
        content = pattern(1, self.SIZE)
        location = self.foreign_image(tmp_path, content)
        for in_place in (False, True):
            assert mirror.driver.examine(location, in_place=in_place) == self.SIZE
        assert mirror.driver.survey().layers == {}
        layer, source = new_id(), Source(location=location)
        for _ in range(2):
            mirror.driver.create_root(layer, size_bytes=self.SIZE + self.UNIT, source=source).run()
        with mirror.driver.open_reading(layer) as reader:
            assert reader.read(0, self.SIZE + self.UNIT) == content + bytes(self.UNIT)
        assert mirror.driver.examine(location, in_place=True) == self.SIZE, "it is still there"
        with pytest.raises(SourceRefused):
            mirror.driver.create_root(new_id(), size_bytes=self.SIZE - 512, source=source).run()

    def test_what_could_not_be_copied_or_taken_over_is_refused_when_it_is_examined(
        self, driver: LayerDriver, tmp_path: Path
    ) -> None:
        location = self.foreign_image(tmp_path, pattern(1, self.SIZE))
        missing = replace(location, address=location.address + ".not")
        nonsense = replace(location, format="nonsense")
        elsewhere = replace(location, transport=Transport.NBD)
        for refused in (missing, nonsense, elsewhere):
            for in_place in (False, True):
                with pytest.raises(SourceRefused):
                    driver.examine(refused, in_place=in_place)
            with pytest.raises(SourceRefused):
                driver.create_root(new_id(), size_bytes=self.SIZE, source=Source(location=refused)).run()
        assert driver.survey().layers == {}


class Children(LayerSuite):
    def test_a_child_reads_as_its_parent(self, mirror: Mirror) -> None:
        self.chain(mirror, 2)
        mirror.verify()

    def test_siblings_do_not_see_each_others_writes(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        mirror.freeze(root)
        for seed in (2, 3, 4):
            mirror.write(mirror.child(root), seed * self.UNIT + 100, pattern(seed, 1000))
        mirror.verify()

    def test_creating_a_child_again_keeps_what_was_written(self, mirror: Mirror) -> None:
        _, child = self.chain(mirror, 2)
        parent = mirror.layers[child].parent
        assert parent is not None
        mirror.driver.create_child(child, parent=parent, size_bytes=self.SIZE)
        mirror.verify()

    def test_a_child_larger_than_its_parent_ends_in_zeros(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, self.SIZE - self.UNIT, pattern(1, self.UNIT))
        mirror.freeze(root)
        mirror.child(root, self.SIZE + 3 * self.UNIT)
        mirror.verify()

    def test_a_child_smaller_than_its_parent_is_refused(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.freeze(root)
        with pytest.raises(CannotShrink):
            mirror.driver.create_child(new_id(), parent=root, size_bytes=self.SIZE // 2)

    def test_nothing_hangs_on_a_writable_layer(self, mirror: Mirror) -> None:
        with pytest.raises(LayerNotFrozen):
            mirror.driver.create_child(new_id(), parent=mirror.root(), size_bytes=self.SIZE)

    def test_a_child_of_nothing_is_refused(self, driver: LayerDriver) -> None:
        with pytest.raises(LayerNotFound):
            driver.create_child(new_id(), parent=new_id(), size_bytes=self.SIZE)

    def test_a_child_of_somebody_else_is_not_taken_for_the_one_asked_for(self, mirror: Mirror) -> None:
        first, second = mirror.root(), mirror.root()
        child = mirror.snapshot(first)
        mirror.freeze(second)
        with pytest.raises(LayerExists):
            mirror.driver.create_child(child, parent=second, size_bytes=self.SIZE)
        mirror.verify()

    def test_a_deep_chain_reads_right(self, mirror: Mirror) -> None:
        self.chain(mirror, 20)
        mirror.verify()

    def test_a_tebibyte_costs_nothing_until_it_is_written(self, driver: LayerDriver) -> None:
        root, child = new_id(), new_id()
        driver.create_root(root, size_bytes=TIB).run()
        driver.freeze(root)
        driver.create_child(child, parent=root, size_bytes=TIB)
        with driver.open_writing(child) as writer:
            writer.write(TIB - 5, b"tail!")
            assert writer.read(TIB - 10, 10) == bytes(5) + b"tail!"
        (extent,) = driver.extents(child, above=root)
        assert extent.offset + extent.length == TIB
        assert driver.usage(child).virtual_bytes == TIB
        assert driver.usage(child).allocated_bytes < 64 * MIB


class Writing(LayerSuite):
    def test_a_frozen_layer_refuses_writers(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.freeze(root)
        with pytest.raises(LayerFrozen), mirror.driver.open_writing(root):
            pass
        mirror.verify()

    def test_freezing_twice_is_freezing_once(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.freeze(root)
        mirror.freeze(root)
        mirror.verify()

    def test_a_layer_is_not_frozen_under_its_writer(self, mirror: Mirror) -> None:
        root = mirror.root()
        with mirror.driver.open_writing(root) as writer:
            writer.write(0, b"x")
            with pytest.raises(LayerBusy):
                mirror.driver.freeze(root)

    def test_a_second_writer_is_refused(self, mirror: Mirror) -> None:
        root = mirror.root()
        with (
            mirror.driver.open_writing(root),
            pytest.raises(LayerBusy),
            mirror.driver.open_writing(root),
        ):
            pass

    def test_a_writer_reads_what_it_wrote_over_what_lies_below(self, mirror: Mirror) -> None:
        root, child = self.chain(mirror, 2)
        with mirror.driver.open_writing(child) as writer:
            writer.write(10, b"new")
            assert writer.read(8, 7) == bytes(mirror.layers[root].content[8:10]) + b"new" + bytes(
                mirror.layers[child].content[13:15]
            )

    def test_small_unaligned_writes_keep_what_surrounds_them(self, mirror: Mirror) -> None:
        _, child = self.chain(mirror, 2)
        for offset, length in ((1, 1), (511, 2), (4095, 4098), (self.UNIT - 1, 3), (self.SIZE - 1, 1)):
            mirror.write(child, offset, pattern(offset, length))
        mirror.verify()

    def test_zeroed_ranges_hide_what_lies_below(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        child = mirror.snapshot(root)
        mirror.zero(child, 3 * self.UNIT + 7, 2 * self.UNIT)
        mirror.verify()

    def test_many_readers_at_once_read_a_frozen_layer(self, mirror: Mirror) -> None:
        chain = self.chain(mirror, 4)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(mirror.verify_layer, chain[:-1] * 4))

    def test_one_reader_serves_several_threads(self, mirror: Mirror) -> None:
        root, _ = self.chain(mirror, 2)
        expected = bytes(mirror.layers[root].content)
        with mirror.driver.open_reading(root) as reader, ThreadPoolExecutor(4) as pool:
            parts = pool.map(lambda at: reader.read(at, self.UNIT), range(0, self.SIZE, self.UNIT))
            assert b"".join(parts) == expected

    def test_different_layers_are_written_at_once(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.freeze(root)
        heads = [mirror.child(root) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda at: mirror.write(heads[at], at * 100, pattern(at, self.UNIT)), range(4)))
        mirror.verify()

    def test_what_is_not_there_cannot_be_worked_on(self, driver: LayerDriver) -> None:
        for attempt in (
            lambda layer: driver.freeze(layer),
            lambda layer: driver.resize(layer, size_bytes=self.SIZE),
            lambda layer: driver.usage(layer),
            lambda layer: driver.check(layer),
            lambda layer: driver.locate(layer),
            lambda layer: list(driver.extents(layer, above=None)),
            lambda layer: driver.flatten(layer).run(),
            lambda layer: driver.absorb(layer, into=new_id(), direction=Direction.UP).run(),
            lambda layer: driver.open_reading(layer).__enter__(),
            lambda layer: driver.open_writing(layer).__enter__(),
        ):
            with pytest.raises(LayerNotFound):
                attempt(new_id())


class Sizes(LayerSuite):
    def test_a_grown_layer_keeps_its_content_and_ends_in_zeros(self, mirror: Mirror) -> None:
        _, child = self.chain(mirror, 2)
        mirror.resize(child, self.SIZE + 5 * self.UNIT)
        mirror.verify()
        mirror.write(child, self.SIZE + 4 * self.UNIT, pattern(9, self.UNIT))
        mirror.verify()

    def test_a_layer_does_not_shrink(self, mirror: Mirror) -> None:
        root = mirror.root()
        with pytest.raises(CannotShrink):
            mirror.driver.resize(root, size_bytes=self.SIZE // 2)
        mirror.verify()

    def test_a_frozen_layer_does_not_grow(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.freeze(root)
        with pytest.raises(LayerFrozen):
            mirror.driver.resize(root, size_bytes=2 * self.SIZE)
