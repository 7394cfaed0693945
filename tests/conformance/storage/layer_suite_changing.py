"""How layers merge, are flattened and go, and what is seen of them. Part of `layer_driver_suite`."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from layer_mirror import Mirror, new_id, pattern
from layer_suite_base import LayerSuite, both_directions

from stratal.kernel.operation import Cancelled
from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
)
from stratal.storage.drivers.errors import (
    LayerBusy,
    LayerHasChildren,
    NotAnAncestor,
)


class Merging(LayerSuite):
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


class Flattening(LayerSuite):
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


class Removing(LayerSuite):
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


class Looking(LayerSuite):
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

    def test_what_a_child_has_written_over_is_told(self, mirror: Mirror) -> None:
        unit = max(self.UNIT, mirror.driver.traits.granularity_bytes)
        root = mirror.root()
        mirror.write(root, 0, pattern(1, 4 * unit))
        child = mirror.snapshot(root)
        assert mirror.driver.covered(root, by=child) == 0
        mirror.write(child, unit, pattern(2, unit))
        mirror.write(child, 5 * unit, pattern(3, unit))
        head = mirror.snapshot(child)
        mirror.write(head, 0, pattern(4, 2 * unit))
        assert mirror.driver.covered(root, by=child) == unit
        assert mirror.driver.covered(child, by=head) == unit
        with pytest.raises(NotAnAncestor):
            mirror.driver.covered(root, by=head)

    def test_what_a_child_has_written_over_is_told_while_somebody_writes_to_it(self, mirror: Mirror) -> None:
        unit = max(self.UNIT, mirror.driver.traits.granularity_bytes)
        root = mirror.root()
        mirror.write(root, 0, pattern(1, 4 * unit))
        child = mirror.snapshot(root)
        mirror.write(child, 0, pattern(2, unit))
        with mirror.driver.open_writing(child) as writer:
            assert mirror.driver.covered(root, by=child) >= unit
            writer.write(0, pattern(3, unit))
        assert mirror.driver.covered(root, by=child) == unit

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
