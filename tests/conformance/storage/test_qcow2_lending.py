"""Layers under a running guest: snapshots, merges in both directions and flattening through its hypervisor,
killed at every effect, while the guest writes and siblings read.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from layer_mirror import Mirror, new_id, pattern

from lent_disk import LentDisk
from stratal.kernel import effects
from stratal.storage.drivers.contract import Direction, LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2 import Qcow2Driver

MIB = 2**20
SIZE = 2 * MIB
CLUSTER = 64 * 2**10


class Killed(BaseException):
    """Stands for the end of the process at a crash point."""


@pytest.fixture
def driver(tmp_path: Path) -> Qcow2Driver:
    driver = Qcow2Driver(tmp_path)
    driver.prepare()
    return driver


class Guest:
    """A guest on the topmost of some layers, each with something of its own, and what it must read."""

    def __init__(self, driver: Qcow2Driver, frozen: int) -> None:
        self.driver = driver
        self.mirror = Mirror(driver, SIZE)
        self.layers = [self.mirror.root()]
        for at in range(frozen):
            self.mirror.write(self.layers[-1], at * CLUSTER, pattern(at, 3 * CLUSTER))
            self.mirror.freeze(self.layers[-1])
            self.layers.append(self.mirror.child(self.layers[-1]))
        self.disk = LentDisk(driver.lend(self.head))
        self.write(9, 5 * CLUSTER)

    @property
    def head(self) -> LayerId:
        return self.layers[-1]

    def write(self, seed: int, offset: int) -> None:
        data = pattern(seed, CLUSTER + 512)
        self.disk.write(offset, data)
        self.mirror.layers[self.head].content[offset : offset + len(data)] = data

    def snapshot(self) -> None:
        """As the keeper of a guest takes one."""
        layer, before = new_id(), self.head
        below = self.disk.chain()[0]
        location = self.driver.create_overlay(layer, parent=before, size_bytes=SIZE, below=below)
        assert self.driver.create_overlay(layer, parent=before, size_bytes=SIZE, below=below) == location
        self.disk.switch(location)
        self.driver.freeze(before)
        expected = self.mirror.layers[before]
        expected.frozen = True
        self.mirror.layers[layer] = type(expected)(parent=before, content=bytearray(expected.content))
        self.layers.append(layer)

    def absorb(self, parent: LayerId, direction: Direction) -> None:
        into = self.layers[self.layers.index(parent) + 1]
        self.driver.absorb(parent, into=into, direction=direction, disk=self.disk).run()
        self.absorbed(parent)

    def absorbed(self, parent: LayerId) -> None:
        gone = self.mirror.layers.pop(parent)
        for expected in self.mirror.layers.values():
            if expected.parent == parent:
                expected.parent = gone.parent
        self.layers.remove(parent)

    def agrees(self) -> None:
        """What the guest reads, and what the driver says of all layers, is as it must be."""
        assert self.disk.read(0, SIZE) == bytes(self.mirror.layers[self.head].content)
        for layer, expected in self.mirror.layers.items():
            info = self.driver.observe(layer)
            assert info is not None
            assert (info.parent, info.frozen) == (expected.parent, expected.frozen)
        assert set(self.driver.survey().layers) == set(self.mirror.layers)
        assert {self.driver.layer_at(each) for each in self.disk.chain()} <= set(self.mirror.layers)

    def ends(self) -> None:
        """The guest ends, and every layer reads right; nothing is left over."""
        self.disk.shut_down()
        self.mirror.verify()
        self.driver.reclaim()
        self.mirror.verify()
        assert self.driver.survey().leftovers == ()
        names = {path.name for path in self.driver.place.iterdir() if not path.name.startswith(".")}
        assert names == {f"{layer}.qcow2" for layer in self.mirror.layers}


@pytest.fixture
def guest(driver: Qcow2Driver) -> Iterator[Guest]:
    guest = Guest(driver, frozen=3)
    yield guest
    if guest.disk.process.poll() is None:
        guest.disk.kill()


def test_a_snapshot_of_a_running_guest_holds_what_was_written_before_and_nothing_after(guest: Guest) -> None:
    guest.snapshot()
    guest.write(10, 0)
    guest.snapshot()
    guest.write(11, 6 * CLUSTER)
    guest.agrees()
    guest.ends()


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_layer_is_merged_anywhere_in_the_chain_of_a_running_guest(
    guest: Guest, at: int, direction: Direction
) -> None:
    guest.absorb(guest.layers[at], direction)
    guest.agrees()
    guest.write(12, 0)
    guest.agrees()
    guest.ends()


def test_merges_and_snapshots_follow_each_other_in_any_order(guest: Guest) -> None:
    guest.absorb(guest.layers[1], Direction.DOWN)
    guest.snapshot()
    guest.write(13, CLUSTER)
    guest.absorb(guest.layers[0], Direction.DOWN)
    guest.agrees()
    guest.absorb(guest.layers[-2], Direction.DOWN)
    guest.write(14, 2 * CLUSTER)
    guest.snapshot()
    guest.absorb(guest.layers[0], Direction.DOWN)
    guest.agrees()
    guest.write(15, 3 * CLUSTER)
    guest.absorb(guest.layers[-2], Direction.UP)
    guest.agrees()
    guest.ends()


def test_what_hangs_on_a_layer_beside_the_guest_reads_right_during_and_after_a_merge(guest: Guest) -> None:
    clone = guest.mirror.child(guest.layers[1])
    guest.mirror.write(clone, 7 * CLUSTER, pattern(20, CLUSTER))
    guest.absorb(guest.layers[0], Direction.DOWN)
    guest.agrees()
    with guest.driver.open_reading(clone) as reader:
        assert reader.read(0, SIZE) == bytes(guest.mirror.layers[clone].content)
    guest.ends()


def test_a_guest_can_be_started_again_on_what_a_merge_under_it_left(guest: Guest) -> None:
    guest.absorb(guest.layers[1], Direction.DOWN)
    guest.absorb(guest.layers[-2], Direction.DOWN)
    guest.disk.shut_down()
    guest.disk = LentDisk(guest.driver.lend(guest.head))
    assert guest.driver.survey().leftovers == ()
    guest.write(16, 0)
    guest.agrees()
    guest.ends()


def test_two_guests_on_one_frozen_layer_keep_it_from_being_merged(guest: Guest) -> None:
    clone = guest.mirror.child(guest.layers[2])
    other = LentDisk(guest.driver.lend(clone))
    try:
        with pytest.raises((LayerBusy, RuntimeError)):
            guest.absorb(guest.layers[1], Direction.DOWN)
        assert other.read(0, SIZE) == bytes(guest.mirror.layers[clone].content)
        assert guest.disk.read(0, SIZE) == bytes(guest.mirror.layers[guest.head].content)
    finally:
        other.shut_down()


def test_nothing_is_left_when_the_layers_that_were_merged_under_a_guest_are_deleted(guest: Guest) -> None:
    guest.absorb(guest.layers[1], Direction.DOWN)
    guest.absorb(guest.layers[-2], Direction.DOWN)
    guest.disk.kill()
    for layer in reversed(guest.layers):
        guest.driver.delete(layer)
    assert [path.name for path in guest.driver.place.iterdir()] == [".stratal-layers"]


def test_what_was_merged_into_a_layer_goes_with_it_when_that_is_copied_up(guest: Guest) -> None:
    guest.absorb(guest.layers[-3], Direction.DOWN)
    guest.absorb(guest.layers[-2], Direction.UP)
    guest.agrees()
    names = {path.name for path in guest.driver.place.iterdir() if not path.name.startswith(".")}
    assert names == {f"{layer}.qcow2" for layer in guest.layers}


def test_a_running_guest_is_flattened(guest: Guest) -> None:
    guest.driver.flatten(guest.head, disk=guest.disk).run()
    guest.mirror.layers[guest.head].parent = None
    guest.agrees()
    assert len(guest.disk.chain()) == 1
    guest.ends()


def test_a_running_guest_keeps_others_from_its_files(guest: Guest) -> None:
    with pytest.raises(LayerBusy):
        guest.driver.delete(guest.head)
    with pytest.raises(LayerBusy):
        guest.driver.freeze(guest.head)
    with pytest.raises(LayerBusy), guest.driver.open_writing(guest.head) as writer:
        writer.write(0, b"x")


@pytest.mark.parametrize("ends", ["runs", "killed"])
@pytest.mark.parametrize(("at", "direction"), [(0, "down"), (1, "down"), (2, "down"), (2, "up")])
def test_a_merge_under_a_guest_that_is_killed_anywhere_is_brought_to_its_end(
    driver: Qcow2Driver, monkeypatch: pytest.MonkeyPatch, at: int, direction: str, ends: str
) -> None:
    """Whether the guest goes on or is killed as well: all layers read right at once, and after the repair."""
    for number in range(1, 1000):
        guest = Guest(driver, frozen=3)
        parent, into = guest.layers[at], guest.layers[at + 1]
        try:
            with monkeypatch.context() as patch:
                patch.setattr(effects, "_pass", _killer(number))
                guest.driver.absorb(parent, into=into, direction=Direction(direction), disk=guest.disk).run()
            done = True
        except Killed:
            done = False
        again = Qcow2Driver(driver.place)
        guest.driver = guest.mirror.driver = again
        if driver_has(again, parent):
            assert guest.disk.read(0, SIZE) == bytes(guest.mirror.layers[guest.head].content)
        if ends == "killed":
            guest.disk.kill()
            guest.disk = LentDisk(again.lend(guest.head))
        again.absorb(parent, into=into, direction=Direction(direction), disk=guest.disk).run()
        guest.absorbed(parent)
        guest.agrees()
        guest.ends()
        for layer in reversed(guest.layers):
            again.delete(layer)
        assert [path.name for path in driver.place.iterdir()] == [".stratal-layers"]
        if done:
            return
    raise AssertionError("it never came to its end")


def driver_has(driver: Qcow2Driver, layer: LayerId) -> bool:
    return driver.observe(layer) is not None


def _killer(number: int) -> Callable[[str], None]:
    """Dies at the n-th crash point that is passed."""
    passed = 0

    def passing(point: str) -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            raise Killed(point)

    return passing
