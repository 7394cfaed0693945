"""What inspection says about an image, and the ways in which it refuses one.

Returned by `inspection.inspect`; read by the drivers before a copy and by the image service after an upload.
"""

from dataclasses import dataclass
from enum import StrEnum

from stratal.kernel.errors import Invalid


class ImageFormat(StrEnum):
    """The formats that are taken, in QEMU's own words but for `iso`."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VMDK = "vmdk"
    VHDX = "vhdx"
    ISO = "iso"

    @property
    def qemu_driver(self) -> str:
        """What QEMU calls the format: an ISO 9660 image is a raw disk to it."""
        return "raw" if self is ImageFormat.ISO else self.value


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What the headers of a self-contained, complete-looking image say."""

    format: ImageFormat
    #: the flavour in the format's own words: v2, v3, monolithicSparse, streamOptimized, dynamic, fixed
    variant: str
    #: what a guest sees
    virtual_size_bytes: int
    file_size_bytes: int
    #: qcow2: how many snapshots lie inside the file; copying drops them
    internal_snapshots: int = 0
    #: qcow2: the file was not closed properly; its reference counts may be stale
    dirty: bool = False
    #: iso: has an El Torito boot record; None where the format does not say
    bootable: bool | None = None


@dataclass(frozen=True, kw_only=True)
class InspectionLimits:
    """What an image may at most be."""

    virtual_size_bytes: int = 64 * 2**40
    file_size_bytes: int = 64 * 2**40


class ImageRefused(Invalid):
    """Base of the refusals. `field` names where the image came from; `reason` says what is wrong."""

    template = "{field}: {reason}"


class HostileImage(ImageRefused):
    """The image makes whoever opens it open something else, or is several formats at once."""

    code = "hostile_image"
    remedy = "Convert it on your side to one self-contained file (qemu-img convert -O qcow2), and send that."


class DamagedImage(ImageRefused):
    """The headers contradict themselves or the length of the file: truncated or corrupted."""

    code = "damaged_image"
    remedy = "Compare its checksum with the original's and send it again, or repair it (qemu-img check -r)."


class UnsupportedImage(ImageRefused):
    """A sound image, perhaps, but of a kind that is not taken."""

    code = "unsupported_image"
    remedy = "Convert it to qcow2 or raw (qemu-img convert -O qcow2), and send that."


class WrongFormat(ImageRefused):
    """The image is of another format than was said."""

    code = "wrong_image_format"
    template = "{field}: said to be {claimed}, but the file is {found}"
    remedy = "Name the format the file really has."


class ImageTooLarge(ImageRefused):
    """The image is larger than the limits allow."""

    code = "image_too_large"
    template = "{field}: its {what} is {size_bytes} bytes, and {limit_bytes} are allowed"
    remedy = "Send a smaller image, or have the limit raised."
