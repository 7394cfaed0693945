"""Files that become layers where they lie, and layers that other programs have open."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import os
from pathlib import Path

import pytest
from layer_mirror import Mirror, new_id, pattern
from qcow2_ground import (
    SIZE,
    adopted,
    chain,
    driver,
    located,
    mirror,
    opened_by_another_program,
    path_of,
    qemu_img,
    settled,
)

from stratal.storage.drivers.contract import (
    Direction,
)
from stratal.storage.drivers.errors import (
    LayerBusy,
    LayerExists,
    SourceRefused,
)


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
