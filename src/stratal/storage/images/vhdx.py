"""VHDX files, dynamic and fixed. Source: [MS-VHDX].

QEMU reads the first region table only; both are read here and have to agree, so that it plays no role which
one another reader takes.
"""

import uuid
from dataclasses import dataclass

from stratal.storage.images.facts import ImageFacts, ImageFormat
from stratal.storage.images.reading import ImageFile

MAGIC = b"vhdxfile"

_KIB = 1024
_HEADERS = (64 * _KIB, 128 * _KIB)
_REGION_TABLES = (192 * _KIB, 256 * _KIB)
_MOST_ENTRIES = 2047
_METADATA_REGION = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_VIRTUAL_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
_LEAVE_ALLOCATED = 1
_HAS_PARENT = 2


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One metadata item, by its place in the file."""

    offset: int
    length: int


def inspect_vhdx(image: ImageFile) -> ImageFacts:
    """Facts of a self-contained VHDX. Refuses differencing disks and files whose log waits to be replayed."""
    _check_headers(image)
    items = _metadata_items(image, _metadata_offset(image))
    if _PARENT_LOCATOR in items:
        raise image.hostile("it is a difference to a parent image")
    parameters, size = items.get(_FILE_PARAMETERS), items.get(_VIRTUAL_SIZE)
    if parameters is None or parameters.length < 8 or size is None or size.length < 8:
        raise image.damaged("its metadata lacks the size")
    block_bytes, flags = image.unpack("<II", parameters.offset, "metadata")
    if flags & _HAS_PARENT:
        raise image.hostile("it is a difference to a parent image")
    if not 2**20 <= block_bytes <= 2**28 or block_bytes & (block_bytes - 1):
        raise image.damaged(f"a block size of {block_bytes} bytes is impossible")
    (virtual_bytes,) = image.unpack("<Q", size.offset, "metadata")
    return ImageFacts(
        format=ImageFormat.VHDX,
        variant="fixed" if flags & _LEAVE_ALLOCATED else "dynamic",
        virtual_size_bytes=virtual_bytes,
        file_size_bytes=image.size_bytes,
    )


def _check_headers(image: ImageFile) -> None:
    """One of the two headers must be there, and the newer must not point at a log."""
    newest = (-1, b"")
    for offset in _HEADERS:
        if image.peek(offset, 4) == b"head":
            (sequence,) = image.unpack("<Q", offset + 8, "header")
            newest = max(newest, (sequence, image.read(offset + 48, 16, "header")))
    sequence, log = newest
    if sequence < 0:
        raise image.damaged("it has no header")
    if log != bytes(16):
        raise image.damaged("it was not closed properly; opening and closing it in Hyper-V replays its log")


def _metadata_offset(image: ImageFile) -> int:
    """Where the metadata region begins, on which all readable region tables agree."""
    found: set[int] = set()
    for table in _REGION_TABLES:
        if image.peek(table, 4) != b"regi":
            continue
        (count,) = image.unpack("<I", table + 8, "region table")
        if count > _MOST_ENTRIES:
            raise image.damaged(f"a region table with {count} entries is impossible")
        for index in range(count):
            entry = table + 16 + 32 * index
            if image.read(entry, 16, "region table") == _METADATA_REGION:
                found.add(image.unpack("<Q", entry + 16, "region table")[0])
    if len(found) != 1:
        raise image.damaged("its region tables don't agree on one metadata region")
    return found.pop()


def _metadata_items(image: ImageFile, region: int) -> dict[bytes, _Item]:
    if image.read(region, 8, "metadata") != b"metadata":
        raise image.damaged("its metadata region is empty")
    (count,) = image.unpack("<H", region + 10, "metadata")
    if count > _MOST_ENTRIES:
        raise image.damaged(f"metadata with {count} items is impossible")
    items: dict[bytes, _Item] = {}
    for index in range(count):
        entry = region + 32 + 32 * index
        guid = image.read(entry, 16, "metadata")
        offset, length = image.unpack("<II", entry + 16, "metadata")
        if guid in items:
            raise image.damaged("a metadata item is there twice")
        items[guid] = _Item(offset=region + offset, length=length)
    return items
