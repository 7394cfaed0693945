"""The qcow2 driver, held by the suite of all layer drivers, and what only files can suffer."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from layer_driver_suite import LayerDriverSuite
from layer_mirror import Expected, Mirror, new_id, pattern

import stratal
from stratal.kernel import effects
from stratal.kernel.effects import ENVIRONMENT_VARIABLE, Effect
from stratal.kernel.errors import Invalid
from stratal.kernel.operation import Cancelled, Operation
from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
    LayerId,
    Location,
    Source,
    Transport,
)
from stratal.storage.drivers.errors import (
    BackendUnavailable,
    LayerBusy,
    LayerDamaged,
    LayerExists,
    NoSpace,
    SourceRefused,
)
from stratal.storage.drivers.qcow2 import Qcow2Driver

#: The tests that walk over crash points start hundreds of processes: 20 s each on an idle machine, minutes
#: beside others.
pytestmark = pytest.mark.timeout(1200)

MIB = 2**20
SIZE = 2 * MIB


def prepared(directory: Path) -> Qcow2Driver:
    directory.mkdir(exist_ok=True)
    driver = Qcow2Driver(directory)
    driver.prepare()
    return driver


def qemu_img(*arguments: object) -> str:
    return subprocess.run(
        ["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


class TestQcow2Layers(LayerDriverSuite):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> LayerDriver:
        return prepared(tmp_path / "place")

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        assert isinstance(driver, Qcow2Driver)
        return Qcow2Driver(driver.place)


@pytest.fixture
def driver(tmp_path: Path) -> Qcow2Driver:
    return prepared(tmp_path / "place")


@pytest.fixture
def mirror(driver: Qcow2Driver) -> Mirror:
    return Mirror(driver, SIZE)


def path_of(mirror: Mirror, layer: LayerId) -> Path:
    location = mirror.driver.locate(layer)
    assert location is not None
    return Path(location.address)


def chain(mirror: Mirror, length: int) -> list[LayerId]:
    layers = [mirror.root()]
    mirror.write(layers[0], 0, pattern(0, SIZE // 2))
    for level in range(1, length):
        layers.append(mirror.snapshot(layers[-1]))
        mirror.write(layers[-1], level % 7 * 100_000, pattern(level, 150_000))
    return layers


def settled(mirror: Mirror) -> None:
    """Everything reads right, is sound, and nothing is left over."""
    mirror.driver.reclaim()
    assert mirror.driver.survey().leftovers == ()
    mirror.verify()
    for layer in mirror.layers:
        report = mirror.driver.check(layer)
        assert report.sound
        assert report.leaked_bytes == 0


@contextmanager
def opened_by_another_program(path: Path, *options: str) -> Generator[None]:
    """As a guest would have it open."""
    with subprocess.Popen(
        ["qemu-io", *options, "-f", "qcow2", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("length\n")
        process.stdin.flush()
        while "MiB" not in process.stdout.readline():
            pass
        yield
        process.stdin.close()


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


class TestAdoption:
    def test_a_qcow2_image_is_moved_in(self, mirror: Mirror, tmp_path: Path) -> None:
        path = tmp_path / "image.qcow2"
        (tmp_path / "raw").write_bytes(pattern(1, SIZE))
        qemu_img("convert", "-c", "-O", "qcow2", tmp_path / "raw", path)
        layer = adopted(mirror, path, "qcow2", pattern(1, SIZE))
        mirror.write(layer, 5, b"mine")
        settled(mirror)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_an_adopted_raw_image_merges_flattens_and_goes_like_any_other(
        self, mirror: Mirror, tmp_path: Path, direction: Direction
    ) -> None:
        path = tmp_path / "image.raw"
        path.write_bytes(pattern(1, SIZE))
        layer = adopted(mirror, path, "raw", pattern(1, SIZE))
        mirror.write(layer, 100, b"one")
        head = mirror.snapshot(layer)
        mirror.write(head, 200, b"two")
        mirror.absorb(layer, head, direction)
        settled(mirror)
        mirror.flatten(head)
        settled(mirror)
        place = path_of(mirror, head).parent
        assert [file.suffix for file in place.iterdir() if file.stem == head] == [".qcow2"]
        mirror.delete(head)
        settled(mirror)

    def test_deleting_an_adopted_raw_image_removes_both_files(self, mirror: Mirror, tmp_path: Path) -> None:
        path = tmp_path / "image.raw"
        path.write_bytes(pattern(1, SIZE))
        layer = adopted(mirror, path, "raw", pattern(1, SIZE))
        place = path_of(mirror, layer).parent
        mirror.delete(layer)
        assert [file for file in place.iterdir() if not file.name.startswith(".")] == []

    def test_what_may_not_be_taken_over_is_refused_and_stays(self, mirror: Mirror, tmp_path: Path) -> None:
        secret = tmp_path / "secret.raw"
        secret.write_bytes(pattern(1, SIZE))
        hostile, snapshots, linked = tmp_path / "a.qcow2", tmp_path / "b.qcow2", tmp_path / "c.raw"
        qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", secret, hostile)
        qemu_img("create", "-f", "qcow2", snapshots, SIZE)
        qemu_img("snapshot", "-c", "one", snapshots)
        os.link(secret, linked)
        own = path_of(mirror, mirror.root())
        (tmp_path / "link.raw").symlink_to(secret)
        vmdk = tmp_path / "d.vmdk"
        qemu_img("create", "-f", "vmdk", vmdk, SIZE)
        for path, format in (
            (hostile, "qcow2"),
            (snapshots, "qcow2"),
            (linked, "raw"),
            (own, "qcow2"),
            (tmp_path / "link.raw", "raw"),
            (vmdk, "vmdk"),
            (secret, "qcow2"),
            (tmp_path / "missing", "raw"),
        ):
            before = path.read_bytes() if path.exists() else None
            with pytest.raises(SourceRefused):
                mirror.driver.adopt(new_id(), location=located(path, format))
            assert (path.read_bytes() if path.exists() else None) == before
        settled(mirror)

    def test_an_image_on_another_file_system_can_only_be_copied(self, mirror: Mirror) -> None:
        memory = Path("/dev/shm") / f"stratal-test-{new_id()}"
        if (
            not memory.parent.is_dir()
            or memory.parent.stat().st_dev == path_of(mirror, mirror.root()).stat().st_dev
        ):
            pytest.skip("there is no second file system")
        memory.write_bytes(pattern(1, SIZE))
        try:
            with pytest.raises(SourceRefused, match="another file system"):
                mirror.driver.adopt(new_id(), location=located(memory, "raw"))
        finally:
            memory.unlink()

    def test_an_image_that_is_in_use_is_busy(self, mirror: Mirror, tmp_path: Path) -> None:
        path = tmp_path / "image.qcow2"
        qemu_img("create", "-f", "qcow2", path, SIZE)
        with opened_by_another_program(path), pytest.raises(LayerBusy):
            mirror.driver.adopt(new_id(), location=located(path, "qcow2"))

    def test_a_name_that_is_taken_is_not_given_to_another_image(self, mirror: Mirror, tmp_path: Path) -> None:
        layer = mirror.root()
        path = tmp_path / "image.raw"
        path.write_bytes(bytes(SIZE))
        with pytest.raises(LayerExists):
            mirror.driver.adopt(layer, location=located(path, "raw"))
        assert path.exists()


class TestOtherPrograms:
    """What QEMU's own locks say is believed, whoever holds them."""

    def test_a_layer_that_a_guest_writes_to_is_busy(self, mirror: Mirror) -> None:
        root, head = chain(mirror, 2)
        with opened_by_another_program(path_of(mirror, head)):
            for attempt in (
                lambda: mirror.driver.freeze(head),
                lambda: mirror.driver.delete(head),
                lambda: mirror.driver.resize(head, size_bytes=2 * SIZE),
                lambda: mirror.driver.check(head),
                lambda: list(mirror.driver.extents(head, above=None)),
                lambda: mirror.driver.open_writing(head).__enter__(),
                lambda: mirror.driver.open_reading(head).__enter__(),
                lambda: mirror.driver.flatten(head).run(),
                lambda: mirror.driver.absorb(root, into=head, direction=Direction.UP).run(),
                lambda: mirror.driver.absorb(root, into=head, direction=Direction.DOWN).run(),
            ):
                with pytest.raises(LayerBusy):
                    attempt()
        mirror.driver.absorb(root, into=head, direction=Direction.DOWN).run()
        mirror.layers[head].parent = None
        del mirror.layers[root]
        settled(mirror)

    def test_a_guest_above_does_not_keep_frozen_layers_from_being_read_or_merged(
        self, mirror: Mirror
    ) -> None:
        layers = chain(mirror, 4)
        with opened_by_another_program(path_of(mirror, layers[3])):
            mirror.verify_layer(layers[2])
            mirror.verify_extents(layers[2], layers[0])
            mirror.absorb(layers[0], layers[1], Direction.DOWN)
        settled(mirror)


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


class TestKilledProcess:
    """SIGKILL, as a power cut would, at every crash point of the driver."""

    def test_a_script_of_all_verbs_killed_anywhere_ends_where_it_would_have_ended(
        self, tmp_path: Path, sockets: Path
    ) -> None:
        expected = run_script(tmp_path / "whole", sockets, None)
        assert expected is not None
        points = [point for point in Effect.crash_points() if point.startswith("qcow2.")]
        passed = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for died in pool.map(lambda at: self.killed_at(tmp_path, sockets, at, expected), points):
                passed += died
        assert passed >= 0.8 * len(points), "the script comes by most crash points"

    def killed_at(self, folder: Path, sockets: Path, point: str, expected: str) -> bool:
        here = folder / point
        died = run_script(here, sockets, point) is None
        assert run_script(here, sockets, None) == expected, point
        return died

    def test_no_server_outlives_the_process_that_started_it(self, tmp_path: Path, sockets: Path) -> None:
        place, layer = tmp_path / "place", new_id()
        driver = prepared(place)
        driver.create_root(layer, size_bytes=SIZE).run()
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, place, sockets, layer],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            with pytest.raises(LayerBusy), driver.open_writing(layer):
                pass
            assert list(sockets.glob("stratal-nbd-*"))
            process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while True:
            try:
                with driver.open_writing(layer) as writer:
                    assert writer.read(0, 7) == b"flushed"
                break
            except LayerBusy:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        Qcow2Driver(place, runtime=sockets).reclaim()
        assert not list(sockets.glob("stratal-nbd-*"))

    def test_a_server_that_was_just_started_ends_when_its_user_is_interrupted(
        self, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted(BaseException):
            """As KeyboardInterrupt, which may come anywhere."""

        def interrupt(point: str) -> None:
            if point == "qcow2.export.serve.after":
                time.sleep(0.3)  # the server is up and has the file locked
                raise Interrupted

        root = mirror.root()
        with monkeypatch.context() as patched:
            patched.setattr(effects, "_pass", interrupt)
            with pytest.raises(Interrupted):
                mirror.write(root, 0, b"never")
        mirror.write(root, 0, b"again")
        settled(mirror)

    def test_reclaim_spares_what_running_work_holds(
        self, mirror: Mirror, slow_tools: Callable[[str], None]
    ) -> None:
        layers = chain(mirror, 3)
        slow_tools("commit")
        with ThreadPoolExecutor(1) as pool:
            merging = pool.submit(mirror.absorb, layers[0], layers[1], Direction.DOWN)
            while mirror.driver.observe(layers[0]) is not None:
                time.sleep(0.01)
            assert mirror.driver.survey().leftovers != ()
            assert mirror.driver.reclaim() == ()
            merging.result()
        settled(mirror)


HOLD = """
import sys, time
from pathlib import Path
from stratal.storage.drivers.qcow2 import Qcow2Driver
driver = Qcow2Driver(Path(sys.argv[1]), runtime=Path(sys.argv[2]))
with driver.open_writing(sys.argv[3]) as writer:
    writer.write(0, b"flushed")
    writer.flush()
    print("open", flush=True)
    time.sleep(60)
"""

SCRIPT = """
import hashlib, sys, uuid
from pathlib import Path
from stratal.storage.drivers.contract import Direction, Location, Source, Transport
from stratal.storage.drivers.qcow2 import Qcow2Driver

folder, runtime = Path(sys.argv[1]), Path(sys.argv[2])
place, journal = folder / "place", folder / "journal"
place.mkdir(exist_ok=True)
driver = Qcow2Driver(place, runtime=runtime)
A, B, C, D, E, F, G = (str(uuid.UUID(int=number)) for number in range(1, 8))
SIZE = 2**20

def write(layer, offset, text):
    with driver.open_writing(layer) as writer:
        writer.write(offset, text * 1000)
        writer.zero(offset + 300_000, 70_000)

def absorb(parent, into, direction):
    # A planner that finds the parent gone takes the step for done; what is left is reclaim's.
    driver.absorb(parent, into=into, direction=direction).run()

def beside_a_reader(parent, into):
    with driver.open_reading(into):
        absorb(parent, into, Direction.DOWN)

image, raw = folder / "image.raw", folder / "adopted.raw"
steps = [
    driver.prepare,
    lambda: image.write_bytes(b"image" * 100_000),
    lambda: raw.write_bytes(b"adopted" * 10_000),
    lambda: driver.create_root(A, size_bytes=SIZE, source=Source.file(image, format="raw")).run(),
    lambda: write(A, 5, b"first"),
    lambda: driver.freeze(A),
    lambda: driver.create_child(B, parent=A, size_bytes=SIZE),
    lambda: write(B, 100_000, b"second"),
    lambda: driver.freeze(B),
    lambda: driver.create_child(C, parent=B, size_bytes=SIZE),
    lambda: driver.resize(C, size_bytes=2 * SIZE),
    lambda: write(C, 200_000, b"third"),
    lambda: driver.freeze(C),
    lambda: driver.create_child(D, parent=C, size_bytes=2 * SIZE),
    lambda: write(D, SIZE, b"fourth"),
    lambda: driver.create_child(E, parent=C, size_bytes=2 * SIZE),
    lambda: absorb(B, C, Direction.DOWN),
    lambda: driver.adopt(F, location=Location(transport=Transport.FILE, address=str(raw), format="raw")),
    lambda: driver.freeze(F),
    lambda: driver.create_child(G, parent=F, size_bytes=driver.observe(F).size_bytes),
    lambda: beside_a_reader(F, G),
    lambda: absorb(A, C, Direction.UP),
    lambda: driver.flatten(E).run(),
    lambda: driver.delete(E),
    lambda: driver.flatten(D).run(),
    lambda: driver.reclaim(),
]
done = len(journal.read_text()) if journal.exists() else 0
for step in steps[done:]:
    step()
    with journal.open("a") as file:
        file.write(".")
driver.reclaim()
survey = driver.survey()
print(survey.leftovers, sorted(runtime.iterdir()))
for layer, info in sorted(survey.layers.items()):
    report = driver.check(layer)
    with driver.open_reading(layer) as reader:
        content = hashlib.sha256(reader.read(0, reader.size_bytes)).hexdigest()
    print(layer, info.parent, info.frozen, info.size_bytes, info.hops, report, content)
print(sorted(file.name for file in place.iterdir()))
"""


def environment(**more: str) -> dict[str, str]:
    source = Path(stratal.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": str(source), **more}


def run_script(folder: Path, sockets: Path, point: str | None) -> str | None:
    """What the script says in the end; None if it was killed at the crash point."""
    folder.mkdir(exist_ok=True)
    runtime = sockets / folder.name
    runtime.mkdir(exist_ok=True)
    arming = {ENVIRONMENT_VARIABLE: point} if point else {}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, runtime],
        env=environment(**arming),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout


def adopted(mirror: Mirror, path: Path, format: str, content: bytes) -> LayerId:
    layer = new_id()
    mirror.driver.adopt(layer, location=located(path, format))
    mirror.layers[layer] = Expected(parent=None, content=bytearray(content))
    return layer


def located(path: Path, format: str) -> Location:
    return Location(transport=Transport.FILE, address=str(path), format=format)


def every_verb(driver: LayerDriver, layers: list[LayerId]) -> list[Callable[[], object]]:
    root, middle, head = layers
    return [
        lambda: driver.observe(head),
        driver.survey,
        driver.capacity,
        driver.reclaim,
        lambda: driver.usage(head),
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
def sockets() -> Generator[Path]:
    """A directory with a name that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="stratal-") as name:
        yield Path(name)


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


@pytest.fixture
def killed_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes `qemu-img <verb>` die of SIGKILL a few milliseconds after it began to work."""
    return shim(tmp_path, monkeypatch, '"$real" "$@" & sleep 0.02; kill -9 $! 2>/dev/null; kill -9 $$')


@pytest.fixture
def slow_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes `qemu-img <verb>` take a second, with its images open."""
    return shim(tmp_path, monkeypatch, 'sleep 1; exec "$real" "$@"')


def shim(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Callable[[str], None]:
    real, programs = shutil.which("qemu-img"), folder / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def install(verb: str) -> None:
        script = f'#!/bin/sh\nreal={real}\nif [ "$1" = "{verb}" ]; then {body}; fi\nexec "$real" "$@"\n'
        new = programs / "new"
        new.write_text(script)
        new.chmod(0o755)
        new.rename(programs / "qemu-img")

    return install
