"""ISO 9660 images (ECMA-119), which may boot by El Torito. To QEMU they are raw disks."""

from stratal.storage.images.facts import ImageFacts, ImageFormat
from stratal.storage.images.reading import ImageFile

_SECTOR = 2048
_PRIMARY = 16 * _SECTOR
_MOST_DESCRIPTORS = 64
_PADDING = 150 * _SECTOR
"""mkisofs counts 150 sectors of padding in, which some tools cut off again."""


def looks_like_iso(image: ImageFile) -> bool:
    return image.peek(_PRIMARY + 1, 5) == b"CD001"


def inspect_iso(image: ImageFile) -> ImageFacts:
    """Facts of a complete ISO 9660 image."""
    bootable = False
    size: int | None = None
    for index in range(_MOST_DESCRIPTORS):
        descriptor = image.read(_PRIMARY + index * _SECTOR, _SECTOR, "volume descriptors")
        if descriptor[1:6] != b"CD001" or descriptor[0] == 255:
            break
        if descriptor[0] == 0 and descriptor[7:30] == b"EL TORITO SPECIFICATION":
            bootable = True
        if descriptor[0] == 1 and size is None:
            size = int.from_bytes(descriptor[80:84], "little") * int.from_bytes(descriptor[128:130], "little")
    if not size:
        raise image.damaged("it has no primary volume descriptor")
    if size > image.size_bytes + _PADDING:
        raise image.damaged(f"it ends after {image.size_bytes} of {size} bytes")
    return ImageFacts(
        format=ImageFormat.ISO,
        variant="iso9660",
        virtual_size_bytes=-(-image.size_bytes // 512) * 512,
        file_size_bytes=image.size_bytes,
        bootable=bootable,
    )
