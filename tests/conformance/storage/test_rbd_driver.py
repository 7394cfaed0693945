"""The RBD driver, held by the suite of all layer drivers, on a real Ceph; and its use of snapshots."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import dataclasses
import statistics
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import layer_scenarios
import pytest
from layer_driver_suite import LayerDriverSuite
from layer_mirror import Expected, Mirror, new_id, pattern
from layer_scenarios import Ground as ScenarioGround
from layer_scenarios import Scenario
from layer_suite_changing import Flattening, Looking, Merging, Removing
from layer_suite_crashing import Crashes, Sequences
from layer_suite_making import Children, Sizes
from rbd_ground import KIB, MIB, SIZE, Ground, ceph_pool, driver, ground, mirror, shared_ceph

from stratal.storage.drivers.contract import Direction, LayerDriver, LayerId, Location, Source
from stratal.storage.drivers.errors import LayerBusy, SourceRefused
from stratal.storage.drivers.rbd import RbdDriver

pytestmark = pytest.mark.xdist_group("ceph")

#: images that are there besides those of layers
SESSIONS = 1


class TestRbdLayers(LayerDriverSuite):
    @pytest.fixture
    def driver(self, ground: Ground) -> LayerDriver:
        self.ground = ground
        return ground.driver()

    def foreign_image(self, folder: Path, content: bytes) -> Location:
        return self.ground.image(f"foreign-{uuid.uuid4()}", content)

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        assert isinstance(driver, RbdDriver)
        driver.close()
        return self.ground.driver()


class TestRbdLayersInImagesOfTheirOwn(
    Children, Sizes, Merging, Flattening, Removing, Looking, Sequences, Crashes
):
    """The same where every layer is a clone, as after many branches."""

    @pytest.fixture
    def driver(self, ground: Ground) -> LayerDriver:
        self.ground = ground
        ground.place = dataclasses.replace(ground.place, run_length=1)
        return ground.driver()

    foreign_image = TestRbdLayers.foreign_image
    reopen = TestRbdLayers.reopen

    @pytest.mark.parametrize("then_reclaim", [True])
    @pytest.mark.parametrize(
        "scenario",  # those in which a clone differs from a snapshot
        [
            layer_scenarios.a_child,
            layer_scenarios.a_layer_with_several_children_that_absorbs_up,
            layer_scenarios.a_head_made_a_root,
            layer_scenarios.a_layer_with_several_children_made_a_root,
            layer_scenarios.a_removal,
        ],
        ids=lambda scenario: scenario.__name__,
    )
    def test_a_verb_killed_anywhere_and_repeated_leads_to_the_same_place(
        self,
        mirror: Mirror,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        scenario: Callable[[Mirror, ScenarioGround], Scenario],
        then_reclaim: bool,
    ) -> None:
        super().test_a_verb_killed_anywhere_and_repeated_leads_to_the_same_place(
            mirror, monkeypatch, tmp_path, scenario, then_reclaim
        )


def snapshots_of(ground: Ground, driver: RbdDriver, layer: LayerId) -> list[str]:
    """The names of all snapshots in the image that a layer is in."""
    location = driver.locate(layer)
    assert location is not None
    name = location.address.rpartition("/")[2].partition("@")[0]
    with ground.rbd.Image(ground.ioctx, name, read_only=True) as image:
        return [each["name"] for each in image.list_snaps()]


# Runs and clones


def test_a_snapshot_and_its_new_head_stay_in_one_image(ground: Ground, mirror: Mirror) -> None:
    root = mirror.root()
    head = mirror.snapshot(root)
    assert snapshots_of(ground, ground.drivers[0], head) == [root]
    assert mirror.driver.hops(head) == 1


def test_a_hundred_snapshots_go_through_few_images(ground: Ground) -> None:
    place = dataclasses.replace(ground.place, run_length=32)
    driver = RbdDriver(place)
    mirror = Mirror(driver, SIZE)
    head = mirror.root()
    for step in range(100):
        if step % 10 == 0:
            mirror.write(head, step * KIB, pattern(step, KIB))
        head = mirror.snapshot(head)
    assert driver.hops(head) == 4
    mirror.verify_layer(head)
    driver.close()


def test_cloning_takes_as_long_from_a_deep_layer_as_from_a_root(ground: Ground) -> None:
    driver = RbdDriver(dataclasses.replace(ground.place, run_length=128))
    mirror = Mirror(driver, SIZE)
    root = mirror.root()
    head = mirror.snapshot(root)
    for _ in range(60):
        head = mirror.snapshot(head)
    deep = mirror.layers[head].parent
    assert deep is not None

    def clone_seconds(parent: LayerId) -> float:
        start = time.perf_counter()
        driver.create_child(new_id(), parent=parent, size_bytes=SIZE)
        return time.perf_counter() - start

    shallow_seconds = statistics.median(clone_seconds(root) for _ in range(7))
    deep_seconds = statistics.median(clone_seconds(deep) for _ in range(7))
    assert deep_seconds < 3 * shallow_seconds + 0.05
    driver.close()


def test_children_made_at_once_do_not_share_a_head(ground: Ground, mirror: Mirror) -> None:
    root = mirror.root()
    mirror.freeze(root)
    drivers = [ground.driver() for _ in range(4)]
    sizes = [SIZE, SIZE, SIZE + KIB, SIZE + 2 * KIB]
    children = [new_id() for _ in drivers]
    with ThreadPoolExecutor(4) as pool:
        made = [
            pool.submit(each.create_child, child, parent=root, size_bytes=size)
            for each, child, size in zip(drivers, children, sizes, strict=True)
        ]
    for each, child, size in zip(made, children, sizes, strict=True):
        each.result()
        mirror.layers[child] = Expected(parent=root, content=bytearray(size))
        mirror.write(child, 0, child.encode())
    mirror.verify()
    assert len({mirror.driver.locate(child) for child in children}) == 4


def test_a_merge_within_an_image_removes_the_snapshot_and_copies_nothing(
    ground: Ground, mirror: Mirror
) -> None:
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    middle = mirror.snapshot(root)
    mirror.write(middle, 0, pattern(2, KIB))
    head = mirror.snapshot(middle)
    before = mirror.driver.locate(head)
    mirror.absorb(middle, head, Direction.UP)
    assert mirror.driver.locate(head) == before
    assert snapshots_of(ground, ground.drivers[0], head) == [root]
    mirror.verify()


def test_a_merge_across_images_keeps_what_the_clone_needs_until_it_is_flattened(
    ground: Ground, mirror: Mirror
) -> None:
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    head = mirror.snapshot(root)
    clone = mirror.child(root)
    mirror.write(clone, KIB, pattern(2, KIB))
    mirror.delete(head)
    mirror.absorb(root, clone, Direction.UP)
    mirror.verify()
    assert len(ground.images()) == 2 + SESSIONS
    mirror.freeze(clone)
    child = mirror.child(clone)
    mirror.flatten(clone)  # a root already: nothing happens
    assert len(ground.images()) == 2 + SESSIONS
    mirror.flatten(child)
    mirror.verify()


def test_a_small_change_is_listed_as_such_though_objects_are_large(ground: Ground) -> None:
    driver = RbdDriver(dataclasses.replace(ground.place, object_bytes=4 * MIB))
    root, head = new_id(), new_id()
    driver.create_root(root, size_bytes=16 * MIB).run()
    with driver.open_writing(root) as writer:
        writer.write(0, pattern(1, 8 * MIB))
    driver.freeze(root)
    driver.create_child(head, parent=root, size_bytes=16 * MIB)
    with driver.open_writing(head) as writer:
        writer.write(5 * MIB, pattern(2, 4 * KIB))
    (extent,) = driver.extents(head, above=root)
    assert (extent.offset, extent.length, extent.zero) == (5 * MIB, 4 * KIB, False)
    driver.close()


def test_nothing_is_left_in_the_pool_when_all_layers_are_gone(ground: Ground, mirror: Mirror) -> None:
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    for _ in range(3):
        mirror.freeze(root)
        mirror.write(mirror.child(root), 0, pattern(2, KIB))
    mirror.clear()
    assert ground.images() == {"stratal.sessions"}

    def kinds() -> set[str]:
        return {each.key.partition(".")[0] for each in ground.ioctx.list_objects()}

    deadline = time.monotonic() + 60
    while "rbd_data" in kinds() and time.monotonic() < deadline:
        time.sleep(0.2)  # the OSDs trim what only removed snapshots held when they find the time
    assert kinds().isdisjoint({"rbd_data", "rbd_object_map"})


def test_a_compressed_qcow2_image_is_copied_in(ground: Ground, mirror: Mirror, tmp_path: Path) -> None:
    raw, image = tmp_path / "image.raw", tmp_path / "image.qcow2"
    raw.write_bytes(pattern(1, MIB) + bytes(SIZE // 2))
    subprocess.run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    layer = new_id()
    source = Source.file(image, format="qcow2")
    mirror.driver.create_root(layer, size_bytes=SIZE, source=source).run()
    content = bytearray(pattern(1, MIB).ljust(SIZE, b"\0"))
    mirror.layers[layer] = Expected(parent=None, content=content)
    mirror.verify()


def test_an_image_that_somebody_writes_to_is_not_copied_but_its_snapshot_is(
    ground: Ground, driver: RbdDriver
) -> None:
    location = ground.image("busy", pattern(1, SIZE))
    moment = dataclasses.replace(location, address=f"{location.address}@moment")
    layer = new_id()
    with ground.rbd.Image(ground.ioctx, "busy") as image:
        image.create_snap("moment")
        image.write(pattern(2, KIB), 0)
        with pytest.raises(SourceRefused, match="has its image open"):
            driver.examine(location, in_place=False)
        with pytest.raises(LayerBusy):
            driver.create_root(new_id(), size_bytes=SIZE, source=Source(location=location)).run()
        assert driver.examine(moment, in_place=False) == SIZE
        driver.create_root(layer, size_bytes=SIZE, source=Source(location=moment)).run()
    with driver.open_reading(layer) as reader:
        assert reader.read(0, SIZE) == pattern(1, SIZE)
    with pytest.raises(SourceRefused, match="it has snapshots"):
        driver.examine(location, in_place=True)
    assert driver.examine(location, in_place=False) == SIZE


def test_a_clone_is_copied_with_what_it_shares_and_not_taken_over(ground: Ground, driver: RbdDriver) -> None:
    ground.image("base", pattern(1, SIZE))
    with ground.rbd.Image(ground.ioctx, "base") as image:
        image.create_snap("moment")
        image.protect_snap("moment")
    ground.rbd.RBD().clone(ground.ioctx, "base", "moment", ground.ioctx, "linked", features=1)
    with ground.rbd.Image(ground.ioctx, "linked") as image:
        image.write(pattern(2, KIB), KIB)
    location, layer = ground.place.location("linked"), new_id()
    with pytest.raises(SourceRefused, match="it is a clone"):
        driver.examine(location, in_place=True)
    driver.create_root(layer, size_bytes=SIZE, source=Source(location=location)).run()
    content = bytearray(pattern(1, SIZE))
    content[KIB : 2 * KIB] = pattern(2, KIB)
    with driver.open_reading(layer) as reader:
        assert reader.read(0, SIZE) == content


def test_no_image_of_stratals_own_and_none_of_elsewhere_is_copied_or_taken_over(
    ground: Ground, driver: RbdDriver
) -> None:
    layer = new_id()
    driver.create_root(layer, size_bytes=SIZE).run()
    own = driver.locate(layer)
    assert own is not None
    sessions = ground.place.location("stratal.sessions")
    elsewhere = dataclasses.replace(own, address="another-pool/image")
    tricky = dataclasses.replace(own, address=ground.place.address("image:conf=/etc/passwd"))
    for refused in (own, sessions, elsewhere, tricky):
        for in_place in (False, True):
            with pytest.raises(SourceRefused):
                driver.examine(refused, in_place=in_place)
        with pytest.raises(SourceRefused):
            driver.create_root(new_id(), size_bytes=SIZE, source=Source(location=refused)).run()
