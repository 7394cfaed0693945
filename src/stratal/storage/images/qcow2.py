"""The header of a qcow2 file, versions 2 and 3. Source: QEMU's docs/interop/qcow2.txt.

`read_header` understands it and judges only its soundness; `inspect_qcow2` decides whether a foreign image
may be opened. The qcow2 layer driver reads its own files with `read_header` as well, so that looking at a
layer costs one small read and no process.
"""

from dataclasses import dataclass

from stratal.storage.images.facts import ImageFacts, ImageFormat, UnsupportedImage
from stratal.storage.images.reading import ImageFile

MAGIC = b"QFI\xfb"

_EXTENSION_END = 0
_EXTENSION_BACKING_FORMAT = 0xE2792ACA
_EXTENSION_DATA_FILE = 0x44415441
_EXTENSION_LUKS = 0x0537BE77

_INCOMPATIBLE_DIRTY = 1 << 0
_INCOMPATIBLE_CORRUPT = 1 << 1
_INCOMPATIBLE_DATA_FILE = 1 << 2
_INCOMPATIBLE_KNOWN = 0b11111  # dirty, corrupt, external data file, compression type, extended L2
_AUTOCLEAR_RAW_DATA_FILE = 1 << 1

_MOST_L1_BYTES = 32 * 2**20  # QCOW_MAX_L1_SIZE
_MOST_REFTABLE_BYTES = 8 * 2**20  # QCOW_MAX_REFTABLE_SIZE
_MOST_SNAPSHOTS = 65536  # QCOW_MAX_SNAPSHOTS
_LONGEST_BACKING_NAME = 1023


@dataclass(frozen=True, kw_only=True)
class Qcow2Header:
    """What of a header matters here."""

    version: int
    cluster_bits: int
    size_bytes: int
    #: None where the image stands by itself
    backing_name: str | None
    backing_format: str | None
    encrypted: bool
    incompatible: int
    external_data_file: bool
    snapshots: int

    @property
    def cluster_bytes(self) -> int:
        return 1 << self.cluster_bits

    @property
    def dirty(self) -> bool:
        return bool(self.incompatible & _INCOMPATIBLE_DIRTY)

    @property
    def corrupt(self) -> bool:
        return bool(self.incompatible & _INCOMPATIBLE_CORRUPT)


def read_header(image: ImageFile) -> Qcow2Header:
    """Raises DamagedImage where the header can't be right, UnsupportedImage for other versions."""
    if image.read(0, 4, "header") != MAGIC:
        raise image.damaged("it does not begin as a qcow2 image")
    (version,) = image.unpack(">I", 4, "header")
    if version not in (2, 3):
        raise UnsupportedImage(field=image.field, reason=f"qcow2 version {version} is not known")
    (
        backing_offset,
        backing_length,
        cluster_bits,
        size_bytes,
        crypt_method,
        l1_entries,
        l1_offset,
        reftable_offset,
        reftable_clusters,
        snapshots,
        _snapshots_offset,
    ) = image.unpack(">QIIQIIQQIIQ", 8, "header")
    if not 9 <= cluster_bits <= 21:
        raise image.damaged(f"a cluster size of 2^{cluster_bits} bytes is impossible")
    incompatible = autoclear = 0
    header_bytes = 72
    if version == 3:
        incompatible, _, autoclear, refcount_order, header_bytes = image.unpack(">QQQII", 72, "header")
        if refcount_order > 6 or header_bytes < 104 or header_bytes % 8 or header_bytes > 1 << cluster_bits:
            raise image.damaged("its header is inconsistent")
    raw = _Raw(image, cluster_bits=cluster_bits)
    raw.check_table("L1 table", l1_offset, l1_entries * 8, most=_MOST_L1_BYTES)
    reftable_bytes = reftable_clusters << cluster_bits
    raw.check_table("refcount table", reftable_offset, reftable_bytes, most=_MOST_REFTABLE_BYTES)
    extended_l2 = bool(incompatible & 1 << 4)
    per_l1_entry = (1 << cluster_bits) * ((1 << cluster_bits) // (16 if extended_l2 else 8))
    if l1_entries < -(-size_bytes // per_l1_entry):
        raise image.damaged("its L1 table is too small for its size")
    if snapshots > _MOST_SNAPSHOTS:
        raise image.damaged(f"{snapshots} internal snapshots are impossible")
    if bool(backing_offset) != bool(backing_length) or backing_length > _LONGEST_BACKING_NAME:
        raise image.damaged("the name of its backing file is inconsistent")
    if backing_offset and backing_offset + backing_length > 1 << cluster_bits:
        raise image.damaged("the name of its backing file lies outside the header")
    extensions = raw.extensions(header_bytes, backing_offset or 1 << cluster_bits)
    backing_format = extensions.get(_EXTENSION_BACKING_FORMAT)
    return Qcow2Header(
        version=version,
        cluster_bits=cluster_bits,
        size_bytes=size_bytes,
        backing_name=image.read(backing_offset, backing_length, "header").decode(errors="surrogateescape")
        if backing_offset
        else None,
        backing_format=None if backing_format is None else backing_format.decode(errors="replace"),
        encrypted=crypt_method != 0 or _EXTENSION_LUKS in extensions,
        incompatible=incompatible,
        external_data_file=bool(incompatible & _INCOMPATIBLE_DATA_FILE)
        or bool(autoclear & _AUTOCLEAR_RAW_DATA_FILE)
        or _EXTENSION_DATA_FILE in extensions,
        snapshots=snapshots,
    )


def inspect_qcow2(image: ImageFile) -> ImageFacts:
    """Facts of a self-contained qcow2 image. Refuses backing and data files, encryption, unknown features."""
    header = read_header(image)
    if header.backing_name is not None:
        raise image.hostile(f"it names a backing file ({header.backing_name[:80]!r})")
    if header.external_data_file:
        raise image.hostile("it keeps its data in another file")
    if header.encrypted:
        raise UnsupportedImage(field=image.field, reason="it is encrypted")
    if header.incompatible & ~_INCOMPATIBLE_KNOWN:
        raise UnsupportedImage(field=image.field, reason="it uses qcow2 features that are not known here")
    if header.corrupt:
        raise image.damaged("it is marked as corrupt")
    return ImageFacts(
        format=ImageFormat.QCOW2,
        variant=f"v{header.version}",
        virtual_size_bytes=header.size_bytes,
        file_size_bytes=image.size_bytes,
        internal_snapshots=header.snapshots,
        dirty=header.dirty,
    )


class _Raw:
    """The checks that need the file next to the numbers."""

    def __init__(self, image: ImageFile, *, cluster_bits: int) -> None:
        self._image = image
        self._cluster_bytes = 1 << cluster_bits

    def check_table(self, what: str, offset: int, length: int, *, most: int) -> None:
        if offset % self._cluster_bytes or length > most or (length and not offset):
            raise self._image.damaged(f"its {what} is inconsistent")
        if offset + length > self._image.size_bytes:
            raise self._image.damaged(f"it ends before the end of its {what}")

    def extensions(self, start: int, end: int) -> dict[int, bytes]:
        """The header extensions. They end at an end mark, the backing name or the first cluster's end."""
        found: dict[int, bytes] = {}
        while start + 8 <= end:
            kind, length = self._image.unpack(">II", start, "header extensions")
            if kind == _EXTENSION_END:
                break
            if length > end - start - 8:
                raise self._image.damaged("a header extension is longer than the header")
            found[kind] = self._image.read(start + 8, length, "header extensions")
            start += 8 + -(-length // 8) * 8
        return found
