"""The RBD driver beside others who use its pool, after processes that died, and on a pool in trouble."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from layer_mirror import Expected, Mirror, new_id, pattern
from rbd_ground import KIB, MIB, SIZE, Ground, ceph_pool, driver, ground, mirror, shared_ceph

from ceph import Cluster
from stratal.kernel import effects
from stratal.storage.drivers.contract import Direction, LayerId, Location, Transport
from stratal.storage.drivers.errors import (
    BackendUnavailable,
    LayerBusy,
    LayerDamaged,
    NoSpace,
    SourceRefused,
)
from stratal.storage.drivers.rbd import RbdDriver, RbdPlace

pytestmark = pytest.mark.xdist_group("ceph")


def in_another_process(place: RbdPlace, code: str, *, crash_at: str = "") -> subprocess.Popen[str]:
    """Run code with a `driver` of the place. Whoever starts it kills it or waits for it."""
    arguments = {each.name: getattr(place, each.name) for each in dataclasses.fields(place)}
    arguments["conf"] = str(place.conf)
    start = (
        "import sys\nfrom pathlib import Path\n"
        "from stratal.storage.drivers.contract import *\n"
        "from stratal.storage.drivers.rbd import RbdDriver, RbdPlace\n"
        f"arguments = {arguments!r}\n"
        "arguments['conf'] = Path(arguments['conf'])\n"
        "driver = RbdDriver(RbdPlace(**arguments))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + code],
        stdout=subprocess.PIPE,
        text=True,
        stdin=subprocess.PIPE,
        env={**os.environ, "STRATAL_CRASH_AT": crash_at},
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


# Other users of the pool


def test_images_of_others_stay_as_they_are(ground: Ground, mirror: Mirror) -> None:
    content = pattern(1, SIZE)
    taken = new_id()
    others = ["database", "stratal-of-somebody-else", f"stratal-{taken}"]
    for name in others:
        ground.image(name, content)
    mirror.driver.create_root(taken, size_bytes=SIZE).run()
    mirror.layers[taken] = Expected(parent=None, content=bytearray(SIZE))
    mirror.snapshot(taken)
    mirror.child(taken)
    mirror.verify()
    mirror.clear()
    assert mirror.driver.reclaim() == ()
    assert set(others) <= ground.images()
    for name in others:
        with ground.rbd.Image(ground.ioctx, name, read_only=True) as image:
            assert image.read(0, SIZE) == content
            assert list(image.list_snaps()) == []


def test_a_layer_that_a_guest_has_open_is_busy(ground: Ground, mirror: Mirror) -> None:
    root = mirror.root()
    location = mirror.driver.locate(root)
    assert location is not None
    with ground.rbd.Image(ground.ioctx, location.address.rpartition("/")[2]):  # as QEMU does
        for attempt in (
            lambda: mirror.driver.freeze(root),
            lambda: mirror.driver.delete(root),
            lambda: mirror.driver.resize(root, size_bytes=2 * SIZE),
            lambda: mirror.driver.open_writing(root).__enter__(),
            lambda: mirror.driver.open_reading(root).__enter__(),
        ):
            with pytest.raises(LayerBusy):
                attempt()
    mirror.freeze(root)
    mirror.verify()


@pytest.mark.parametrize("flaw", ["snapshot", "clone", "missing", "layer", "elsewhere"])
def test_an_image_that_cannot_be_taken_over_is_refused_and_stays(
    ground: Ground, mirror: Mirror, flaw: str
) -> None:
    location = ground.image("foreign", pattern(1, SIZE))
    with ground.rbd.Image(ground.ioctx, "foreign") as image:
        if flaw in ("snapshot", "clone"):
            image.create_snap("s")
            image.protect_snap("s")
    if flaw == "clone":
        ground.rbd.RBD().clone(ground.ioctx, "foreign", "s", ground.ioctx, "clone")
        location = ground.place.location("clone")
    elif flaw == "missing":
        location = ground.place.location("nowhere")
    elif flaw == "elsewhere":
        location = Location(transport=Transport.RBD, address="rbd/foreign", format="raw")
    elif flaw == "layer":
        found = mirror.driver.locate(mirror.root())
        assert found is not None
        location = found
    images = ground.images()
    layer = new_id()
    with pytest.raises(SourceRefused):
        mirror.driver.adopt(layer, location=location)
    assert mirror.driver.observe(layer) is None
    assert ground.images() == images | {"stratal.sessions"}


def test_a_foreign_image_without_object_map_gets_one_when_it_is_taken_over(
    ground: Ground, driver: RbdDriver
) -> None:
    content = pattern(1, SIZE)
    ground.rbd.RBD().create(ground.ioctx, "plain", SIZE, order=18, old_format=False, features=1)
    with ground.rbd.Image(ground.ioctx, "plain") as image:
        image.write(content, 0)
    layer, child = new_id(), new_id()
    driver.adopt(layer, location=ground.place.location("plain"))
    driver.freeze(layer)
    driver.create_child(child, parent=layer, size_bytes=SIZE)
    with driver.open_writing(child) as writer:
        writer.write(100, b"changed")
    assert [(each.offset, each.length) for each in driver.extents(child, above=layer)] == [(100, 7)]
    with driver.open_reading(layer) as reader:
        assert reader.read(0, SIZE) == content


# Other processes


def test_a_layer_that_another_process_writes_to_is_busy_until_it_ends(ground: Ground, mirror: Mirror) -> None:
    root = mirror.root()
    process = in_another_process(
        ground.place,
        f"with driver.open_writing(LayerId({root!r})) as writer:\n"
        "    writer.write(0, b'theirs')\n    writer.flush()\n    print('open', flush=True)\n"
        "    sys.stdin.read()\n",
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for attempt in (mirror.driver.freeze, mirror.driver.delete):
            with pytest.raises(LayerBusy):
                attempt(root)
    finally:
        kill(process)
    # Ceph itself would hold the dead process's lock for another 30 s.
    start = time.monotonic()
    mirror.layers[root].content[:6] = b"theirs"
    mirror.verify()
    mirror.write(root, 0, b"ours now")
    assert time.monotonic() - start < 10
    mirror.driver.reclaim()
    assert mirror.driver.survey().leftovers == ()


@pytest.mark.parametrize(
    ("crash_at", "verb"),
    [
        ("rbd.make.create.after", "driver.create_root(new, size_bytes=size).run()"),
        ("rbd.make.clone.after", "driver.create_child(new, parent=root, size_bytes=size)"),
        ("rbd.snapshot.create.after", "driver.freeze(head)"),
        ("rbd.absorb.after", "driver.absorb(root, into=head, direction=Direction.UP).run()"),
        ("rbd.flatten.after", "driver.flatten(clone).run()"),
        ("rbd.delete.after", "driver.delete(clone)"),
        ("rbd.image.remove.before", "driver.delete(clone)"),
        ("rbd.claim.release.before", "driver.freeze(head)"),
    ],
)
def test_a_verb_that_was_really_killed_can_be_repeated_at_once(
    ground: Ground, mirror: Mirror, crash_at: str, verb: str
) -> None:
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    head = mirror.snapshot(root)
    mirror.write(head, KIB, pattern(2, KIB))
    names = {"root": root, "head": head, "new": new_id(), "size": SIZE}
    if "clone" in verb:
        names["clone"] = mirror.child(root)
    code = "".join(f"{name} = {value!r}\n" for name, value in names.items()) + verb
    process = in_another_process(ground.place, code, crash_at=crash_at)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    start = time.monotonic()
    exec(verb, {"driver": mirror.driver, "Direction": Direction, **names})
    mirror.driver.reclaim()
    assert time.monotonic() - start < 10
    assert mirror.driver.survey().leftovers == ()
    for layer in (root, head):
        if mirror.driver.observe(layer) is not None:
            mirror.verify_layer(layer)


def test_what_another_thread_is_making_is_no_leftover(
    ground: Ground, driver: RbdDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def passing(name: str) -> None:
        if name == "rbd.make.publish.before":
            begun.set()
            assert go_on.wait(30)

    root = new_id()
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(effects, "_pass", passing)
        making = pool.submit(driver.create_root(root, size_bytes=SIZE).run)
        assert begun.wait(30)
        try:
            for each in (driver, ground.driver()):
                assert each.reclaim() == ()
        finally:
            go_on.set()
        making.result()
    assert driver.observe(root) is not None


def test_a_process_that_was_taken_for_dead_gets_an_error_and_then_a_new_session(
    ground: Ground, mirror: Mirror
) -> None:
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    with pytest.raises(BackendUnavailable), mirror.driver.open_writing(root) as writer:  # noqa: PT012
        with ground.rbd.Image(ground.ioctx, f"stratal-{root}", read_only=True) as image:
            (watcher,) = image.watchers_list()
        with ground.cluster.connected() as handle:
            handle.blocklist_add(watcher["addr"], 60)
            handle.wait_for_latest_osdmap()
        writer.write(0, b"from the grave")
        writer.flush()
    with contextlib.suppress(BackendUnavailable):
        mirror.driver.observe(root)
    mirror.verify()
    mirror.write(root, 0, b"alive")
    mirror.verify()
    assert mirror.driver.survey().leftovers == ()


# A pool in trouble


def test_a_silent_pool_gives_an_error_in_time_and_works_when_it_answers_again(ground: Ground) -> None:
    driver = RbdDriver(dataclasses.replace(ground.place, timeout_seconds=3))
    mirror = Mirror(driver, SIZE)
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    mirror.freeze(root)
    head = mirror.child(root)
    with ground.cluster.paused_osds():
        for attempt in (
            lambda: driver.observe(root),
            lambda: driver.freeze(head),
            lambda: driver.create_child(new_id(), parent=root, size_bytes=SIZE),
            lambda: driver.open_reading(root).__enter__(),
        ):
            start = time.monotonic()
            with pytest.raises(BackendUnavailable):
                attempt()
            assert time.monotonic() - start < 15
    _until_it_answers(driver, root)
    mirror.freeze(head)
    mirror.child(head)
    mirror.verify()
    driver.close()


def _until_it_answers(driver: RbdDriver, layer: LayerId) -> None:
    """OSDs that stood still have to be found up again first, which may take longer than a verb waits."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with driver.open_reading(layer) as reader:
                reader.read(0, KIB)
            return
        except BackendUnavailable:
            assert time.monotonic() < deadline


def test_a_pool_that_falls_silent_under_a_writer_gives_an_error_and_keeps_what_was_flushed(
    ground: Ground,
) -> None:
    driver = RbdDriver(dataclasses.replace(ground.place, timeout_seconds=3))
    mirror = Mirror(driver, SIZE)
    root = mirror.root()
    mirror.write(root, 0, pattern(1, SIZE))
    with pytest.raises(BackendUnavailable), driver.open_writing(root) as writer:  # noqa: PT012
        writer.write(0, b"flushed")
        writer.flush()
        with ground.cluster.paused_osds():
            writer.write(SIZE - 4, b"lost")
            writer.flush()
    mirror.layers[root].content[:7] = b"flushed"
    with driver.open_reading(root) as reader:
        assert reader.read(0, SIZE - 4) == mirror.layers[root].content[:-4]
    mirror.write(root, SIZE - 4, b"kept")
    mirror.verify()
    driver.close()


def test_a_pool_that_is_not_there_is_unavailable(ground: Ground) -> None:
    driver = RbdDriver(dataclasses.replace(ground.place, pool="no-such-pool", namespace=""))
    with pytest.raises(BackendUnavailable, match="no such pool"):
        driver.observe(new_id())


def test_a_full_pool_is_said_to_be_full_and_can_be_emptied(shared_ceph: Cluster) -> None:
    pool = shared_ceph.create_pool()
    driver = RbdDriver(RbdPlace(conf=shared_ceph.conf, pool=pool, object_bytes=256 * KIB))
    mirror = Mirror(driver, 64 * MIB)
    root = mirror.root()
    mirror.write(root, 0, pattern(1, 4 * MIB))
    head = mirror.snapshot(root)
    shared_ceph.command("osd pool set-quota", pool=pool, field="max_bytes", val=str(MIB))
    with pytest.raises(NoSpace):  # noqa: PT012  # as soon as Ceph has noticed
        for offset in range(4 * MIB, 64 * MIB, MIB):
            mirror.write(head, offset, pattern(2, MIB))
            time.sleep(0.5)
    mirror.verify_layer(root)
    driver.delete(head)
    driver.delete(root)
    assert driver.survey().layers == {}
    assert driver.survey().leftovers == ()
    driver.close()
    shared_ceph.delete_pool(pool)


def test_a_layer_whose_image_is_missing_is_damaged(ground: Ground, driver: RbdDriver) -> None:
    layer = new_id()
    driver.create_root(layer, size_bytes=SIZE).run()
    ground.rbd.RBD().remove(ground.ioctx, f"stratal-{layer}")
    report = driver.check(layer)
    assert not report.sound
    with pytest.raises(LayerDamaged), driver.open_reading(layer):
        pass
    driver.delete(layer)
    assert driver.survey().layers == {}
