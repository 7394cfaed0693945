"""Look at an untrusted image file before any other program opens it.

QEMU follows what a header names: a backing file, a data file, an extent. So the headers are read here first,
by code that follows nothing, and what would make QEMU open another file is refused. A file that could be
taken for two formats is refused as well: what one program checks, another would open differently.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stratal.storage.images import iso9660, qcow2, vhdx, vmdk
from stratal.storage.images.facts import (
    ImageFacts,
    ImageFormat,
    ImageTooLarge,
    InspectionLimits,
    UnsupportedImage,
    WrongFormat,
)
from stratal.storage.images.reading import ImageFile, open_image

_INSPECTORS: dict[ImageFormat, Callable[[ImageFile], ImageFacts]] = {
    ImageFormat.QCOW2: qcow2.inspect_qcow2,
    ImageFormat.VMDK: vmdk.inspect_vmdk,
    ImageFormat.VHDX: vhdx.inspect_vhdx,
    ImageFormat.ISO: iso9660.inspect_iso,
}

_FOREIGN_DISKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"QED\0", "a QED image"),
    (0, b"LUKS\xba\xbe", "a LUKS volume"),
    (0, b"conectix", "a VHD image"),
    (0, b"WithoutFreeSpace", "a Parallels image"),
    (0, b"WithouFreSpacExt", "a Parallels image"),
    (0, b"Bochs Virtual HD Image", "a Bochs image"),
    (64, b"\x7f\x10\xda\xbe", "a VDI image"),
)
"""Formats that QEMU knows and that are not taken: offset, magic and name."""

_PACKED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b\x08", "packed with gzip"),
    (0, b"\xfd7zXZ\0", "packed with xz"),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstd"),
    (0, b"BZh91AY&SY", "packed with bzip2"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (257, b"ustar", "a tar archive (an OVA, perhaps)"),
)
"""What people upload by mistake. A disk may begin like this only if it is explicitly said to be raw."""


def inspect(
    path: Path,
    *,
    claimed: ImageFormat | None = None,
    limits: InspectionLimits | None = None,
    field: str = "image",
) -> ImageFacts:
    """The facts of a self-contained image, or an `ImageRefused` that says what to do.

    `claimed` is the format that the user named; an ISO image may be called raw. Raises OSError where the
    file can't be read. Opens nothing but `path`, which must be a regular file.
    """
    limits = limits or InspectionLimits()
    with open_image(path, field=field) as image:
        _check_limit(field, "length", image.size_bytes, limits.file_size_bytes)
        if image.size_bytes == 0:
            raise image.damaged("it is empty")
        found = _detect(image)
        facts = _inspect_as(image, found, claimed)
    if facts.virtual_size_bytes == 0:
        raise image.damaged("its disk has no size")
    _check_limit(field, "disk", facts.virtual_size_bytes, limits.virtual_size_bytes)
    return facts


def _detect(image: ImageFile) -> ImageFormat:
    """The one format whose signature the file carries. Raises HostileImage for several."""
    start = image.peek(0, 64)
    found: list[ImageFormat] = []
    if start.startswith(qcow2.MAGIC):
        found.append(ImageFormat.QCOW2)
    if start.lower().startswith(vmdk.MAGICS):
        found.append(ImageFormat.VMDK)
    if start.startswith(vhdx.MAGIC):
        found.append(ImageFormat.VHDX)
    if iso9660.looks_like_iso(image):
        found.append(ImageFormat.ISO)
    if len(found) > 1:
        raise image.hostile(f"it can be read as {' and as '.join(found)}")
    return found[0] if found else ImageFormat.RAW


def _inspect_as(image: ImageFile, found: ImageFormat, claimed: ImageFormat | None) -> ImageFacts:
    called_raw = found is ImageFormat.ISO and claimed is ImageFormat.RAW
    if claimed not in (None, found) and not called_raw:
        raise WrongFormat(field=image.field, claimed=claimed, found=found)
    inspector = _INSPECTORS.get(found)
    if inspector is None:
        _refuse_foreign(image, claimed)
        return _raw_facts(image)
    facts = inspector(image)
    return replace(facts, format=ImageFormat.RAW) if called_raw else facts


def _refuse_foreign(image: ImageFile, claimed: ImageFormat | None) -> None:
    """What has no reader here, but is known not to be a bare disk."""
    signs = _FOREIGN_DISKS if claimed is ImageFormat.RAW else _FOREIGN_DISKS + _PACKED
    for offset, magic, name in signs:
        if image.peek(offset, len(magic)) == magic:
            raise UnsupportedImage(field=image.field, reason=f"it is {name}, which is not taken")
    if image.peek(image.size_bytes - 512, 8) == b"conectix":
        raise UnsupportedImage(field=image.field, reason="it is a fixed VHD image, which is not taken")


def _raw_facts(image: ImageFile) -> ImageFacts:
    return ImageFacts(
        format=ImageFormat.RAW,
        variant="raw",
        # QEMU counts in sectors and pads the last one with zeros.
        virtual_size_bytes=-(-image.size_bytes // 512) * 512,
        file_size_bytes=image.size_bytes,
    )


def _check_limit(field: str, what: str, size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise ImageTooLarge(field=field, what=what, size_bytes=size_bytes, limit_bytes=limit_bytes)
