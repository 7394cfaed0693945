"""Inspection of images from outside: real ones made by qemu-img, hostile ones, and nonsense."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from made_images import MADE, MIB, qemu_img

from stratal.storage.images import (
    DamagedImage,
    HostileImage,
    ImageFormat,
    ImageRefused,
    ImageTooLarge,
    InspectionLimits,
    UnsupportedImage,
    WrongFormat,
    confirm,
    convert,
    inspect,
)

CONTENT = bytes(range(256)) * 4096 + bytes(MIB) + b"end" * 1024


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "content.raw"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def make(tmp_path: Path, raw: Path) -> Callable[[str, str], Path]:
    def made(format: str, options: str = "") -> Path:
        path = tmp_path / f"image.{format}"
        qemu_img("convert", "-O", format, *(["-o", options] if options else []), raw, path)
        return path

    return made


def patch(path: Path, offset: int, data: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    return path


class TestSoundImages:
    @pytest.mark.parametrize("kind", MADE)
    def test_an_image_of_qemus_own_making_is_understood_and_converts(
        self, make: Callable[..., Path], tmp_path: Path, raw: Path, kind: str
    ) -> None:
        driver, options, format, variant = MADE[kind]
        path = make(driver, options)
        facts = inspect(path, claimed=format)
        assert (facts.format, facts.variant) == (format, variant)
        assert facts.virtual_size_bytes == len(CONTENT)
        assert facts.file_size_bytes == path.stat().st_size
        confirm(path, facts)
        target = tmp_path / "copy.raw"
        convert(path, facts, target=target, target_format=ImageFormat.RAW)
        assert target.read_bytes() == CONTENT

    def test_what_has_no_signature_is_raw_and_is_rounded_up_to_sectors(self, tmp_path: Path) -> None:
        path = tmp_path / "disk"
        path.write_bytes(b"\xeb" * 700)
        facts = inspect(path)
        assert (facts.format, facts.virtual_size_bytes, facts.file_size_bytes) == (ImageFormat.RAW, 1024, 700)
        confirm(path, facts)

    def test_an_iso_is_known_by_its_volume_descriptor_and_says_whether_it_boots(self, tmp_path: Path) -> None:
        plain = inspect(iso(tmp_path / "plain.iso"))
        assert (plain.format, plain.bootable) == (ImageFormat.ISO, False)
        assert inspect(iso(tmp_path / "boot.iso", el_torito=True)).bootable

    def test_an_iso_may_be_called_raw(self, tmp_path: Path) -> None:
        assert inspect(iso(tmp_path / "a.iso"), claimed=ImageFormat.RAW).format is ImageFormat.RAW

    def test_internal_snapshots_are_counted(self, make: Callable[..., Path]) -> None:
        path = make("qcow2")
        qemu_img("snapshot", "-c", "before", path)
        assert inspect(path).internal_snapshots == 1

    def test_a_dirty_image_says_so(self, make: Callable[..., Path]) -> None:
        assert inspect(patch(make("qcow2"), 72, struct.pack(">Q", 1))).dirty


class TestHostileImages:
    def test_a_qcow2_that_names_a_backing_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.qcow2"
        qemu_img("create", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/passwd", path, "1M")
        with pytest.raises(HostileImage, match="backing file"):
            inspect(path)

    def test_an_old_qcow2_that_names_a_backing_file_without_format_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.qcow2"
        qemu_img("create", "-f", "qcow2", "-o", "compat=0.10", path, "1M")
        patch(path, 1024, b"/etc/passwd")
        with pytest.raises(HostileImage):
            inspect(patch(path, 8, struct.pack(">QI", 1024, 11)))

    def test_a_qcow2_with_an_outside_data_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.qcow2"
        qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on", path, "1M")
        with pytest.raises(HostileImage, match="another file"):
            inspect(path)

    def test_a_data_file_is_found_by_each_of_its_signs_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "a.qcow2"
        qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data", path, "1M")
        with pytest.raises(HostileImage):  # the header extension, without the feature
            inspect(patch(path, 72, struct.pack(">Q", 0)))

    @pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
    def test_a_vmdk_whose_data_lies_in_other_files_is_refused(
        self, make: Callable[..., Path], subformat: str
    ) -> None:
        with pytest.raises(HostileImage):
            inspect(make("vmdk", f"subformat={subformat}"))

    def test_a_vmdk_descriptor_that_names_etc_passwd_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.vmdk"
        path.write_text(
            "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n\n"
            'createType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n'
        )
        with pytest.raises(HostileImage):
            inspect(path)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"monolithicSparse", b"monolithicFlat\0\0"),
            (b'SPARSE "', b'FLAT "/e'),
            (b"parentCID=ffffffff", b"parentCID=12345678"),
            (b"ddb.adapterType", b"parentFileNameHint"),
        ],
    )
    def test_a_sparse_vmdk_whose_descriptor_points_outside_is_refused(
        self, make: Callable[..., Path], old: bytes, new: bytes
    ) -> None:
        path = make("vmdk")
        where = path.read_bytes().index(old)
        with pytest.raises(HostileImage):
            inspect(patch(path, where, new))

    def test_a_sparse_vmdk_without_capacity_is_refused(self, make: Callable[..., Path]) -> None:
        """QEMU would then follow the extents of its descriptor."""
        with pytest.raises(HostileImage, match="capacity"):
            inspect(patch(make("vmdk"), 12, bytes(8)))

    def test_a_sparse_vmdk_that_hides_its_descriptor_is_refused(self, make: Callable[..., Path]) -> None:
        """QEMU reads it from sector 1 whatever the header says."""
        with pytest.raises(HostileImage, match="where it belongs"):
            inspect(patch(make("vmdk"), 28, struct.pack("<Q", 4)))

    def test_a_stream_whose_footer_contradicts_its_header_is_refused(self, make: Callable[..., Path]) -> None:
        path = with_footer(make("vmdk", "subformat=streamOptimized"))
        facts = inspect(path)
        confirm(path, facts)
        with pytest.raises(DamagedImage, match="footer"):
            inspect(patch(path, path.stat().st_size - 1024 + 12, struct.pack("<Q", 2**30)))

    def test_a_differencing_vhdx_is_refused(self, make: Callable[..., Path]) -> None:
        path = make("vhdx")
        data = path.read_bytes()
        where = data.index(bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b"), 2**20)
        offset = struct.unpack_from("<I", data, where + 16)[0]
        region = data.index(b"metadata", 2**20)
        with pytest.raises(HostileImage, match="parent"):
            inspect(patch(path, region + offset + 4, struct.pack("<I", 2)))

    def test_a_file_that_is_two_formats_at_once_is_refused(self, make: Callable[..., Path]) -> None:
        with pytest.raises(HostileImage, match="qcow2 and as iso"):
            inspect(patch(make("qcow2"), 32769, b"CD001"))

    def test_what_is_no_regular_file_is_refused_without_opening_it(self, tmp_path: Path, raw: Path) -> None:
        link, pipe = tmp_path / "link", tmp_path / "pipe"
        link.symlink_to(raw)
        os.mkfifo(pipe)
        for path in (link, pipe, tmp_path, Path("/dev/zero")):
            with pytest.raises(HostileImage, match="regular"):
                inspect(path)


class TestDamagedAndUnsupportedImages:
    @pytest.mark.parametrize("kind", ["qcow2 v3", "vhdx dynamic"])
    def test_an_image_that_was_cut_off_in_its_headers_is_damaged(
        self, make: Callable[..., Path], kind: str
    ) -> None:
        path = make(*MADE[kind][:2])
        with path.open("r+b") as file:
            file.truncate(100_000)
        with pytest.raises(DamagedImage):
            inspect(path)

    def test_a_stream_that_was_cut_off_is_damaged(self, make: Callable[..., Path]) -> None:
        path = with_footer(make("vmdk", "subformat=streamOptimized"))
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 600)
        with pytest.raises(DamagedImage, match="footer"):
            inspect(path)

    @pytest.mark.parametrize("kind", ["qcow2 v3", "qcow2 v2", "vmdk sparse"])
    def test_an_image_that_was_cut_off_in_its_data_is_damaged_in_qemus_opinion(
        self, make: Callable[..., Path], kind: str
    ) -> None:
        path = make(*MADE[kind][:2])
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - MIB)
        with pytest.raises(DamagedImage):
            confirm(path, inspect(path))

    def test_an_iso_that_was_cut_off_is_damaged(self, tmp_path: Path) -> None:
        path = iso(tmp_path / "a.iso", sectors=4096)
        with path.open("r+b") as file:
            file.truncate(MIB)
        with pytest.raises(DamagedImage, match="ends after"):
            inspect(path)

    @pytest.mark.parametrize(
        ("offset", "data"),
        [
            (20, struct.pack(">I", 40)),  # cluster bits
            (36, struct.pack(">I", 0)),  # L1 entries
            (40, struct.pack(">Q", 77)),  # where the L1 table is
            (40, struct.pack(">Q", 2**50)),
            (56, struct.pack(">I", 2**30)),  # clusters of the refcount table
            (72, struct.pack(">Q", 2)),  # marked as corrupt
            (100, struct.pack(">I", 12)),  # length of the header
        ],
    )
    def test_a_qcow2_header_that_contradicts_itself_is_damaged(
        self, make: Callable[..., Path], offset: int, data: bytes
    ) -> None:
        with pytest.raises(DamagedImage):
            inspect(patch(make("qcow2"), offset, data))

    @pytest.mark.parametrize(
        ("offset", "data"),
        [(4, struct.pack(">I", 1)), (32, struct.pack(">I", 1)), (72, struct.pack(">Q", 2**40))],
        ids=["version 1", "encrypted", "unknown feature"],
    )
    def test_a_qcow2_of_a_kind_that_is_not_taken_is_unsupported(
        self, make: Callable[..., Path], offset: int, data: bytes
    ) -> None:
        with pytest.raises(UnsupportedImage):
            inspect(patch(make("qcow2"), offset, data))

    @pytest.mark.parametrize("format", ["vdi", "vpc", "qed"])
    def test_a_format_that_is_not_taken_is_not_mistaken_for_raw(
        self, make: Callable[..., Path], format: str
    ) -> None:
        with pytest.raises(UnsupportedImage):
            inspect(make(format))

    @pytest.mark.parametrize("magic", [b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"])
    def test_a_packed_image_is_refused_unless_it_is_said_to_be_raw(
        self, tmp_path: Path, magic: bytes
    ) -> None:
        path = tmp_path / "image"
        path.write_bytes(magic.ljust(4096, b"x"))
        with pytest.raises(UnsupportedImage):
            inspect(path)
        assert inspect(path, claimed=ImageFormat.RAW).format is ImageFormat.RAW

    def test_a_format_that_is_not_the_one_claimed_is_refused(self, make: Callable[..., Path]) -> None:
        path = make("qcow2")
        for claimed in (ImageFormat.RAW, ImageFormat.ISO, ImageFormat.VMDK):
            with pytest.raises(WrongFormat, match="qcow2"):
                inspect(path, claimed=claimed)

    def test_an_empty_file_is_damaged(self, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        with pytest.raises(DamagedImage, match="empty"):
            inspect(tmp_path / "empty")

    def test_an_image_over_the_limits_is_refused(self, tmp_path: Path, raw: Path) -> None:
        path = tmp_path / "huge.qcow2"
        qemu_img("create", "-f", "qcow2", path, "3T")
        with pytest.raises(ImageTooLarge):
            inspect(path, limits=InspectionLimits(virtual_size_bytes=2**40))
        with pytest.raises(ImageTooLarge):
            inspect(raw, limits=InspectionLimits(file_size_bytes=100))

    def test_qemus_opinion_counts_as_well(self, make: Callable[..., Path]) -> None:
        path = make("qcow2")
        facts = inspect(path)
        patch(path, 24, struct.pack(">Q", 4096 * 512))
        with pytest.raises(DamagedImage, match="QEMU takes it for"):
            confirm(path, facts)

    def test_a_backing_file_that_appears_after_inspection_is_not_opened(
        self, make: Callable[..., Path], tmp_path: Path
    ) -> None:
        path = make("qcow2")
        facts = inspect(path)
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret" * MIB)
        qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", secret, path, len(CONTENT))
        target = tmp_path / "copy.raw"
        convert(path, facts, target=target, target_format=ImageFormat.RAW)
        assert b"secret" not in target.read_bytes()
        with pytest.raises(HostileImage):
            confirm(path, facts)

    def test_every_refusal_says_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        with pytest.raises(ImageRefused) as caught:
            inspect(tmp_path / "empty", field="body")
        assert caught.value.remedy
        assert caught.value.message.startswith("body: ")


def with_footer(path: Path) -> Path:
    """QEMU writes streams without the footer that VMware's tools write, but reads one."""
    data = bytearray(path.read_bytes())
    header = bytes(data[:512])
    data[56:64] = b"\xff" * 8
    marker = struct.pack("<QII", 1, 0, 3).ljust(512, b"\0")
    path.write_bytes(bytes(data) + marker + header + bytes(512))
    return path


def iso(path: Path, *, el_torito: bool = False, sectors: int = 40) -> Path:
    """The least that is an ISO 9660 image; there is no tool that is always there to make one."""

    def descriptor(kind: int, body: bytes = b"") -> bytes:
        return (bytes([kind]) + b"CD001\1\0" + body).ljust(2048, b"\0")

    primary = bytearray(descriptor(1))
    struct.pack_into("<I", primary, 80, sectors)
    struct.pack_into("<H", primary, 128, 2048)
    boot = bytearray(descriptor(0))
    boot[7:30] = b"EL TORITO SPECIFICATION"
    parts = [bytes(primary), *([bytes(boot)] if el_torito else []), descriptor(255)]
    path.write_bytes((bytes(16 * 2048) + b"".join(parts)).ljust(sectors * 2048, b"\0"))
    return path
