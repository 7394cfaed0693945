"""VMDK files that hold everything themselves: monolithicSparse and streamOptimized.

Every other flavour is a text that names further files, which is exactly what must not be followed. What is
checked here is checked where QEMU looks (block/vmdk.c of 7.2): it takes the descriptor from sector 1
whatever the header says, follows the descriptor's extents when the capacity is 0, and lets a footer replace
the header.
"""

import re
from dataclasses import dataclass

from stratal.storage.images.facts import ImageFacts, ImageFormat, UnsupportedImage
from stratal.storage.images.reading import ImageFile

MAGIC = b"KDMV"
ESX_MAGIC = b"COWD"
MAGICS = (b"kdmv", b"cowd", b"# disk descriptorfile")
"""What any VMDK begins with, in lower case."""

_SECTOR = 512
_DESCRIPTOR_OFFSET = _SECTOR
_QEMU_READS = 20 * _SECTOR  # DESC_SIZE
_MOST_DESCRIPTOR_SECTORS = 2048
_AT_END = 0xFFFFFFFFFFFFFFFF
_FOOTER_FROM_END = 1024
_SELF_CONTAINED = frozenset({"monolithicsparse", "streamoptimized"})
_LINES = re.IGNORECASE | re.MULTILINE
_EXTENT = re.compile(rb'^\s*(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"\n]*)")?', _LINES)
_ENTRY = re.compile(rb'^\s*(createType|parentCID)\s*=\s*"?([^"\r\n]*)"?', _LINES)


@dataclass(frozen=True, kw_only=True)
class _SparseHeader:
    version: int
    capacity: int
    grain: int
    descriptor_offset: int
    descriptor_sectors: int
    gtes: int
    directory_offset: int


def inspect_vmdk(image: ImageFile) -> ImageFacts:
    """Facts of a self-contained VMDK. Refuses everything that names another file, and ESX's own flavours."""
    start = image.peek(0, 64)
    if start.startswith(ESX_MAGIC):
        raise UnsupportedImage(field=image.field, reason="it is an ESX sparse extent, which is not taken")
    if not start.startswith(MAGIC):
        raise image.hostile("it is a VMDK descriptor, which names the files that hold the data")
    header = _read_sparse_header(image, 0)
    if header.directory_offset == _AT_END:
        header = _read_footer(image, header)
    return ImageFacts(
        format=ImageFormat.VMDK,
        variant=_check_descriptor(image, header),
        virtual_size_bytes=header.capacity * _SECTOR,
        file_size_bytes=image.size_bytes,
    )


def _read_sparse_header(image: ImageFile, offset: int) -> _SparseHeader:
    version, _flags, capacity, grain, where, sectors, gtes, _redundant, directory = image.unpack(
        "<IIQQQQIQQ", offset + 4, "header"
    )
    if version not in (1, 2, 3):
        raise UnsupportedImage(field=image.field, reason=f"VMDK version {version} is not known")
    if capacity == 0:
        raise image.hostile("it has no capacity of its own, so its data would come from other files")
    if not 1 <= grain <= 2**17 or grain & (grain - 1) or not 1 <= gtes <= 512:
        raise image.damaged("its grain size or grain table size is impossible")
    return _SparseHeader(
        version=version,
        capacity=capacity,
        grain=grain,
        descriptor_offset=where,
        descriptor_sectors=sectors,
        gtes=gtes,
        directory_offset=directory,
    )


def _read_footer(image: ImageFile, header: _SparseHeader) -> _SparseHeader:
    """The copy of the header at the end of a stream, which counts; only the directory may differ."""
    offset = image.size_bytes - _FOOTER_FROM_END
    if offset < _SECTOR or image.peek(offset, 4) != MAGIC:
        raise image.damaged("it ends before its footer")
    footer = _read_sparse_header(image, offset)
    if (footer.capacity, footer.grain, footer.gtes) != (header.capacity, header.grain, header.gtes):
        raise image.damaged("its footer contradicts its header")
    if footer.directory_offset == _AT_END:
        raise image.damaged("its footer names no grain directory")
    return footer


def _check_descriptor(image: ImageFile, header: _SparseHeader) -> str:
    """The descriptor's createType, once nothing in it points outside."""
    if header.descriptor_offset != 1 or not 1 <= header.descriptor_sectors <= _MOST_DESCRIPTOR_SECTORS:
        raise image.hostile("its descriptor is not where it belongs")
    declared = image.read(_DESCRIPTOR_OFFSET, header.descriptor_sectors * _SECTOR, "descriptor")
    text = (declared + image.peek(_DESCRIPTOR_OFFSET + len(declared), _QEMU_READS - len(declared)))[
        : max(len(declared), _QEMU_READS)
    ]
    if b"parentfilenamehint" in text.lower():
        raise image.hostile("it names a parent image")
    text = declared.split(b"\0", 1)[0]
    entries = {name.lower(): value.strip() for name, value in _ENTRY.findall(text)}
    kind = entries.get(b"createtype", b"").decode(errors="replace")
    if kind.lower() not in _SELF_CONTAINED:
        raise image.hostile(f"a VMDK of type {kind[:40]!r} keeps its data in other files")
    if entries.get(b"parentcid", b"ffffffff").lower() != b"ffffffff":
        raise image.hostile("it is a difference to a parent image")
    extents: list[tuple[bytes, bytes, bytes, bytes]] = _EXTENT.findall(text)
    if len(extents) != 1:
        raise image.hostile(f"its descriptor names {len(extents)} extents where one, itself, is due")
    _access, _sectors, extent_kind, name = extents[0]
    if extent_kind.upper() != b"SPARSE" or b"/" in name or b"\\" in name:
        raise image.hostile(f"its descriptor names another file ({name[:80]!r})")
    return kind
