"""What every layer driver must do: the tests that hold `stratal.storage.drivers.contract`.

A driver's test module subclasses `LayerDriverSuite` under a name that starts with Test and overrides the
`driver` fixture (a driver on an empty place of its own); sizes and hooks where its backend needs it.

    class TestQcow2Layers(LayerDriverSuite):
        @pytest.fixture
        def driver(self, tmp_path): return Qcow2Driver(...)
"""

import itertools
import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from layer_mirror import Mirror, Walk, new_id, pattern
from layer_scenarios import SCENARIOS, Ground, Scenario

from stratal.kernel import effects
from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
    LayerId,
    Location,
    Source,
    Transport,
)
from stratal.storage.drivers.errors import (
    Cancelled,
    CannotShrink,
    LayerBusy,
    LayerExists,
    LayerFrozen,
    LayerHasChildren,
    LayerNotFound,
    LayerNotFrozen,
    NotAnAncestor,
    SourceRefused,
)

KIB = 2**10
MIB = 2**20
TIB = 2**40

both_directions = pytest.mark.parametrize("direction", list(Direction))


class Killed(BaseException):
    """Stands for the SIGKILL at a crash point; no `except Exception` of a driver may catch it."""


class LayerDriverSuite:
    #: of ordinary layers; large enough to span several of the backend's allocation units
    SIZE: ClassVar[int] = 2 * MIB
    #: of one write in a test
    UNIT: ClassVar[int] = 64 * KIB
    #: steps of the random walk, and seeds to walk with
    WALK: ClassVar[int] = 60
    SEEDS: ClassVar[tuple[int, ...]] = (1, 2, 3)

    @pytest.fixture
    def driver(self) -> LayerDriver:
        raise NotImplementedError("a driver's test module overrides this fixture")

    @pytest.fixture
    def mirror(self, driver: LayerDriver) -> Mirror:
        return Mirror(driver, self.SIZE)

    def foreign_image(self, folder: Path, content: bytes) -> Location:
        """An existing image that the driver can take over in place. Hook."""
        path = folder / "foreign.raw"
        path.write_bytes(content)
        return Location(transport=Transport.FILE, address=str(path), format="raw")

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        """The driver as a new process would find its place after a crash of the old one. Hook."""
        return driver

    def chain(self, mirror: Mirror, length: int) -> list[LayerId]:
        """A root and layers on it, all but the last frozen; each overwrites half of the one below."""
        layers = [mirror.root()]
        mirror.write(layers[0], 0, pattern(0, 8 * self.UNIT))
        for level in range(1, length):
            layers.append(mirror.snapshot(layers[-1]))
            mirror.write(layers[-1], level % 16 * self.UNIT // 2, pattern(level, self.UNIT))
            mirror.zero(layers[-1], (level % 8 + 2) * self.UNIT, self.UNIT // 2)
        return layers

    # Roots

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
            new_id(), size_bytes=self.SIZE, source=Source(path=image, format="raw")
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
        source = Source(path=image, format="raw")
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
            driver.create_root(new_id(), size_bytes=self.SIZE, source=Source(path=image, format="raw")).run()
        assert driver.survey().layers == {}

    def test_an_image_of_an_unknown_format_is_refused(self, driver: LayerDriver, tmp_path: Path) -> None:
        image = tmp_path / "image"
        image.write_bytes(bytes(self.UNIT))
        with pytest.raises(SourceRefused):
            driver.create_root(
                new_id(), size_bytes=self.SIZE, source=Source(path=image, format="nonsense")
            ).run()

    def test_an_image_that_is_not_what_it_claims_is_refused(
        self, driver: LayerDriver, tmp_path: Path
    ) -> None:
        image = tmp_path / "image.qcow2"
        image.write_bytes(pattern(1, self.UNIT))
        with pytest.raises(SourceRefused):
            driver.create_root(
                new_id(), size_bytes=self.SIZE, source=Source(path=image, format="qcow2")
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
                new_id(), size_bytes=self.SIZE, source=Source(path=image, format="qcow2")
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

    # Children

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

    # Freezing and writing

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

    # Sizes

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

    # Merging

    @both_directions
    def test_a_head_absorbs_its_parent(self, mirror: Mirror, direction: Direction) -> None:
        layers = self.chain(mirror, 4)
        mirror.absorb(layers[2], layers[3], direction)
        mirror.verify()
        mirror.write(layers[3], 100, b"still writable")
        mirror.verify()

    @both_directions
    def test_a_layer_in_the_middle_absorbs_its_parent(self, mirror: Mirror, direction: Direction) -> None:
        layers = self.chain(mirror, 5)
        mirror.absorb(layers[1], layers[2], direction)
        mirror.verify()

    @both_directions
    def test_a_layer_absorbs_the_root(self, mirror: Mirror, direction: Direction) -> None:
        layers = self.chain(mirror, 4)
        mirror.absorb(layers[0], layers[1], direction)
        mirror.verify()

    @both_directions
    def test_a_layer_with_several_children_absorbs_its_parent(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        layers = self.chain(mirror, 4)
        branch = mirror.child(layers[2])
        mirror.write(branch, self.UNIT, pattern(7, self.UNIT))
        mirror.absorb(layers[1], layers[2], direction)
        mirror.verify()

    @both_directions
    def test_siblings_of_the_absorbed_layer_stay_as_they_are(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        root, middle, head = self.chain(mirror, 3)
        sibling = mirror.child(root)
        mirror.write(sibling, 0, pattern(8, self.UNIT))
        mirror.absorb(middle, head, direction)
        mirror.verify()

    @both_directions
    def test_a_larger_child_absorbs_a_smaller_parent(self, mirror: Mirror, direction: Direction) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        middle = mirror.snapshot(root)
        mirror.write(middle, self.SIZE - self.UNIT, pattern(2, self.UNIT))
        mirror.freeze(middle)
        head = mirror.child(middle, self.SIZE + 4 * self.UNIT)
        mirror.write(head, self.SIZE + self.UNIT, pattern(3, self.UNIT))
        mirror.absorb(middle, head, direction)
        mirror.verify()
        mirror.absorb(root, head, direction)
        mirror.verify()

    @both_directions
    def test_what_a_child_zeroed_stays_zero_when_it_absorbs(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        middle = mirror.snapshot(root)
        mirror.write(middle, 0, pattern(2, 8 * self.UNIT))
        head = mirror.snapshot(middle)
        mirror.zero(head, self.UNIT, 12 * self.UNIT)
        mirror.absorb(middle, head, direction)
        mirror.verify()
        mirror.absorb(root, head, direction)
        mirror.verify()

    @both_directions
    def test_absorbing_again_changes_nothing(self, mirror: Mirror, direction: Direction) -> None:
        layers = self.chain(mirror, 3)
        mirror.absorb(layers[1], layers[2], direction)
        mirror.write(layers[2], 0, b"written between")
        mirror.driver.absorb(layers[1], into=layers[2], direction=direction).run()
        mirror.verify()

    @both_directions
    def test_a_layer_that_others_hang_on_is_not_absorbed(self, mirror: Mirror, direction: Direction) -> None:
        _, middle, head = self.chain(mirror, 3)
        mirror.child(middle)
        with pytest.raises(LayerHasChildren):
            mirror.driver.absorb(middle, into=head, direction=direction).run()
        mirror.verify()

    @both_directions
    def test_a_layer_is_not_absorbed_by_one_that_does_not_hang_on_it(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        root, _, head = self.chain(mirror, 3)
        with pytest.raises((NotAnAncestor, LayerHasChildren)):
            mirror.driver.absorb(root, into=head, direction=direction).run()
        mirror.verify()

    @both_directions
    def test_a_cancelled_merge_changes_no_content_and_can_be_done_again(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        layers = self.chain(mirror, 3)
        operation = mirror.driver.absorb(layers[1], into=layers[2], direction=direction)
        operation.cancel()
        with pytest.raises(Cancelled):
            operation.run()
        mirror.verify_content()
        mirror.absorb(layers[1], layers[2], direction)
        mirror.verify()

    @both_directions
    def test_a_reader_above_reads_on_while_layers_below_merge(
        self, mirror: Mirror, direction: Direction
    ) -> None:
        layers = self.chain(mirror, 5)
        expected = bytes(mirror.layers[layers[3]].content)
        ended = threading.Event()

        def read() -> bool:
            right = True
            with mirror.driver.open_reading(layers[3]) as reader:
                while not ended.is_set():
                    right = right and reader.read(0, self.SIZE) == expected
                return right and reader.read(0, self.SIZE) == expected

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            try:
                mirror.absorb(layers[1], layers[2], direction)
            finally:
                ended.set()
            assert reading.result()
        mirror.verify()

    # Flattening

    def test_a_flattened_head_is_a_root_that_reads_the_same(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 4)
        mirror.flatten(layers[3])
        mirror.verify()
        mirror.write(layers[3], 0, b"alone")
        mirror.verify()

    def test_what_lies_below_can_go_after_flattening(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 3)
        mirror.flatten(layers[2])
        mirror.delete(layers[1])
        mirror.delete(layers[0])
        mirror.verify()

    def test_a_layer_is_flattened_down_to_an_ancestor(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 5)
        mirror.flatten(layers[4], onto=layers[1])
        mirror.verify()

    def test_a_frozen_layer_with_children_is_flattened_and_keeps_them(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 5)
        branch = mirror.child(layers[3])
        mirror.write(branch, 0, pattern(5, self.UNIT))
        mirror.flatten(layers[3])
        mirror.verify()

    def test_flattening_a_root_changes_nothing(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.flatten(root)
        mirror.verify()

    def test_a_grown_layer_is_flattened_right(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        head = mirror.snapshot(root)
        mirror.resize(head, self.SIZE + 4 * self.UNIT)
        mirror.zero(head, self.UNIT, 3 * self.UNIT)
        mirror.flatten(head)
        mirror.verify()

    def test_a_layer_is_not_flattened_onto_one_beside_it(self, mirror: Mirror) -> None:
        root, head = self.chain(mirror, 2)
        with pytest.raises(NotAnAncestor):
            mirror.driver.flatten(head, onto=mirror.child(root)).run()
        mirror.verify()

    def test_a_cancelled_flatten_changes_no_content_and_can_be_done_again(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 3)
        operation = mirror.driver.flatten(layers[2])
        operation.cancel()
        with pytest.raises(Cancelled):
            operation.run()
        mirror.verify_content()
        mirror.flatten(layers[2])
        mirror.verify()

    # Removing

    def test_a_deleted_layer_is_gone_and_its_parent_is_not(self, mirror: Mirror) -> None:
        _, head = self.chain(mirror, 2)
        mirror.delete(head)
        mirror.verify()

    def test_deleting_what_is_gone_is_done_already(self, driver: LayerDriver) -> None:
        driver.delete(new_id())

    def test_a_layer_that_others_hang_on_is_not_deleted(self, mirror: Mirror) -> None:
        root, _ = self.chain(mirror, 2)
        with pytest.raises(LayerHasChildren):
            mirror.driver.delete(root)
        mirror.verify()

    def test_a_layer_that_is_written_to_is_not_deleted(self, mirror: Mirror) -> None:
        root = mirror.root()
        with mirror.driver.open_writing(root), pytest.raises(LayerBusy):
            mirror.driver.delete(root)
        mirror.verify()

    def test_ordinary_work_leaves_nothing_over(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 5)
        mirror.absorb(layers[1], layers[2], Direction.DOWN)
        mirror.absorb(layers[2], layers[3], Direction.UP)
        mirror.flatten(layers[4])
        mirror.delete(layers[4])
        assert mirror.driver.survey().leftovers == ()
        assert mirror.driver.reclaim() == ()
        mirror.verify()

    # Extents, usage, checks

    def test_extents_cover_what_was_written_above_an_ancestor(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 5)
        for at, layer in enumerate(layers):
            for above in (None, *layers[:at]):
                mirror.verify_extents(layer, above)

    def test_extents_leave_out_what_was_not_written(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        head = mirror.snapshot(root)
        mirror.write(head, 0, b"x")
        listed = mirror.verify_extents(head, root)
        assert 0 < listed <= mirror.driver.traits.granularity_bytes

    def test_a_layer_has_no_extents_above_itself(self, mirror: Mirror) -> None:
        root, _ = self.chain(mirror, 2)
        assert list(mirror.driver.extents(root, above=root)) == []

    def test_extents_above_a_layer_beside_are_refused(self, mirror: Mirror) -> None:
        root, head = self.chain(mirror, 2)
        with pytest.raises(NotAnAncestor):
            list(mirror.driver.extents(head, above=mirror.child(root)))

    @both_directions
    def test_extents_are_kept_when_layers_merge(self, mirror: Mirror, direction: Direction) -> None:
        layers = self.chain(mirror, 5)
        mirror.absorb(layers[2], layers[3], direction)
        mirror.verify_extents(layers[4], layers[1])
        mirror.verify_extents(layers[3], None)

    def test_a_layer_uses_more_after_it_was_written_to(self, mirror: Mirror) -> None:
        root = mirror.root()
        before = mirror.driver.usage(root)
        mirror.write(root, 0, pattern(1, self.SIZE))
        after = mirror.driver.usage(root)
        assert before.virtual_bytes == after.virtual_bytes == self.SIZE
        assert after.allocated_bytes >= before.allocated_bytes + self.SIZE

    def test_a_place_has_room_for_what_it_holds(self, mirror: Mirror) -> None:
        root = mirror.root()
        mirror.write(root, 0, pattern(1, self.SIZE))
        capacity = mirror.driver.capacity()
        assert 0 <= capacity.used_bytes <= capacity.total_bytes

    def test_a_sound_layer_passes_its_check(self, mirror: Mirror) -> None:
        for layer in self.chain(mirror, 3):
            report = mirror.driver.check(layer)
            assert report.sound
            assert report.leaked_bytes == 0

    def test_each_layer_has_its_own_location_or_none_has(self, mirror: Mirror) -> None:
        chain = self.chain(mirror, 3)
        locations = [mirror.driver.locate(layer) for layer in chain]
        assert locations == [None] * 3 or len(set(locations)) == 3

    # Crashes

    def test_a_new_process_finds_everything_as_it_was(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 4)
        mirror.child(layers[1])
        mirror.driver = self.reopen(mirror.driver)
        mirror.verify()

    @pytest.mark.parametrize("then_reclaim", [False, True], ids=["then_repeated", "then_reclaimed"])
    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
    def test_a_verb_killed_anywhere_and_repeated_leads_to_the_same_place(
        self,
        mirror: Mirror,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        scenario: Callable[[Mirror, Ground], Scenario],
        then_reclaim: bool,
    ) -> None:
        """Passes every crash point of the verb in turn, in this process. Unlike in the crash suite, which
        sends SIGKILL, `finally` still runs; but here every driver is killed everywhere in seconds."""
        for point in itertools.count(1):
            folder = tmp_path / str(point)
            folder.mkdir()
            verb = scenario(mirror, Ground(folder=folder, unit=self.UNIT, adoptable=self.foreign_image))
            killed = self.killed_at(point, lambda: verb.act(mirror.driver), monkeypatch)  # noqa: B023
            mirror.driver = self.reopen(mirror.driver)
            mirror.verify_content(but=verb.unsettled)
            if then_reclaim:
                mirror.driver.reclaim()
                mirror.verify_content(but=verb.unsettled)
            verb.act(mirror.driver)
            verb.settle()
            mirror.verify()
            mirror.driver.reclaim()
            assert mirror.driver.survey().leftovers == ()
            mirror.verify()
            mirror.clear()
            if not killed:
                break
        assert point > 2, "the verb passes its crash points"

    def killed_at(self, point: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> bool:
        """Do it, dying at the n-th crash point that it passes; False if it passes fewer."""
        left = [point]

        def passing(name: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed(name)

        with monkeypatch.context() as patch:
            patch.setattr(effects, "_pass", passing)
            try:
                act()
            except Killed:
                return True
        return False

    # All together

    def test_any_sequence_of_verbs_keeps_every_layer_right(self, driver: LayerDriver) -> None:
        for seed in self.SEEDS:
            walk = Walk(Mirror(driver, self.SIZE, twice=True), random.Random(seed), self.UNIT)
            for _ in range(self.WALK):
                walk.step()
            walk.mirror.verify()
            walk.mirror.clear()
            assert driver.survey().leftovers == ()
