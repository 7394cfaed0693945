"""Images that are no layers: what they are, and whether they may be copied or taken over. Called by `making`.

A file is read by its headers alone until QEMU copies it. An image of the pool is looked at through librbd.
While somebody has it open for writing it is not copied, for that copy would be of no moment at all, but a
snapshot of it can be.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stratal.storage import images
from stratal.storage.drivers.contract import LayerId, Location, Source, Transport
from stratal.storage.drivers.errors import LayerBusy, SourceRefused
from stratal.storage.drivers.rbd.answers import NotThere
from stratal.storage.drivers.rbd.catalogue import Catalogue, ImageRecord
from stratal.storage.drivers.rbd.claims import Claims
from stratal.storage.drivers.rbd.image import FEATURES, TOLERATED_FEATURES, Image
from stratal.storage.drivers.rbd.place import IMAGE_PREFIX, RESERVED_PREFIX, RbdPlace
from stratal.storage.drivers.rbd.pool import Pool
from stratal.storage.images import ImageFacts, ImageFormat, ImageRefused
from stratal.storage.images.conversion import address

_DEEP_FLATTEN = 32
_NO_LAYER = LayerId("")


@dataclass(frozen=True, kw_only=True)
class Original:
    """An image that may be copied."""

    #: for people
    name: str
    size_bytes: int
    #: as qemu-img takes it
    address: str
    #: the last look before it is copied. Raises ImageRefused, SourceRefused and LayerBusy
    confirm: Callable[[], object]


class Foreign:
    def __init__(self, pool: Pool, catalogue: Catalogue, claims: Claims) -> None:
        self._pool = pool
        self._place = pool.place
        self._catalogue = catalogue
        self._claims = claims

    def examine(self, location: Location, *, in_place: bool) -> int:
        """The virtual size of what could be copied, or taken over. Raises SourceRefused."""
        try:
            if in_place:
                return self.adoptable(_NO_LAYER, location)[0]
            if location.transport is Transport.FILE:
                return _facts_of(location).virtual_size_bytes
            return self._image_size(_NO_LAYER, location)
        except LayerBusy as error:
            raise refused(location.address, str(error.fields["reason"])) from error

    # -- to copy ---------------------------------------------------------------------------------------

    def original(self, layer: LayerId, source: Source, size_bytes: int) -> Original:
        """Raises SourceRefused, and LayerBusy for `layer` while somebody writes to the image."""
        location = source.location
        if location.transport is Transport.FILE:
            facts = _facts_of(location)
            original = Original(
                name=location.address,
                size_bytes=facts.virtual_size_bytes,
                address=address(source.path, facts.format),
                confirm=lambda: images.confirm(source.path, facts),
            )
        else:
            name, snapshot = self._source(location)
            original = Original(
                name=location.address,
                size_bytes=self._image_size(layer, location),
                address=for_qemu(self._place, name, snapshot),
                confirm=lambda: self._image_size(layer, location),
            )
        if original.size_bytes > size_bytes:
            larger = f"it has {original.size_bytes} bytes, the layer {size_bytes}"
            raise refused(location.address, larger)
        return original

    def _image_size(self, layer: LayerId, location: Location) -> int:
        name, snapshot = self._source(location)
        self._refuse_own(location, name)
        try:
            with self._pool.open(name, read_only=True) as image:
                if snapshot is None:
                    self._claims.refuse_strangers(layer, image)
                    return image.size_bytes
                for each in image.snapshots():
                    if each.name == snapshot and not each.trashed:
                        return each.size_bytes
        except NotThere:
            pass
        raise refused(location.address, "there is no such image")

    def _source(self, location: Location) -> tuple[str, str | None]:
        """The image and the snapshot that a location names."""
        found = self._place.source_of(location.address)
        if location.transport is not Transport.RBD or location.format != "raw" or found is None:
            raise refused(location.address, f"only files and RBD images of {self._place} can be copied")
        return found

    # -- to take over ----------------------------------------------------------------------------------

    def own_name(self, location: Location) -> str:
        """The name of an image of this place that is to be taken over. Raises SourceRefused."""
        name = self._place.image_of(location.address)
        if location.transport is not Transport.RBD or location.format != "raw" or name is None:
            raise refused(location.address, f"only RBD images of {self._place} can be taken over")
        self._refuse_own(location, name)
        return name

    def adoptable(self, layer: LayerId, location: Location) -> tuple[int, int]:
        """The size of an image that can be taken over, and the features that it lacks for that."""
        name = location.address
        try:
            with self._pool.open(self.own_name(location), read_only=True) as image:
                self._claims.refuse_strangers(layer, image)
                _check_adoptable(name, image)
                return image.size_bytes, FEATURES & ~_DEEP_FLATTEN & ~image.features
        except NotThere:
            raise refused(name, "there is no such image") from None

    def _refuse_own(self, location: Location, name: str) -> None:
        self._pool.connect()
        taken = name.startswith(IMAGE_PREFIX) and self._catalogue.look().find(ImageRecord, name) is not None
        if taken or name.startswith(RESERVED_PREFIX):
            raise refused(location.address, "it holds layers already")


def refused(source: str, reason: str) -> SourceRefused:
    return SourceRefused(source=source, reason=reason, field="source")


def for_qemu(place: RbdPlace, image: str, snapshot: str | None = None) -> str:
    """An image as QEMU's rbd driver takes it: with options of librados, so that it too gives up in time."""
    options = {
        "conf": str(place.conf),
        "id": place.user,
        "client_mount_timeout": str(place.timeout_seconds),
        "rados_osd_op_timeout": str(place.timeout_seconds),
        "rados_mon_op_timeout": str(place.timeout_seconds),
    }
    escaped = "".join(
        f":{key}=" + "".join("\\" + each if each in ":=@\\" else each for each in value)
        for key, value in options.items()
    )
    return f"rbd:{place.address(image, snapshot)}{escaped}"


def _check_adoptable(source: str, image: Image) -> None:
    if image.snapshots():
        raise refused(source, "it has snapshots; remove them first (rbd snap purge), or copy it")
    if image.has_parent:
        raise refused(source, "it is a clone; flatten it first (rbd flatten)")
    if image.features & ~TOLERATED_FEATURES:
        raise refused(source, "it is journaled, mirrored or being migrated; end that first")


def _facts_of(location: Location) -> ImageFacts:
    source = Source(location=location)
    try:
        return images.inspect(source.path, claimed=ImageFormat(source.format))
    except ImageRefused as error:
        raise refused(location.address, error.message) from error
    except ValueError:
        raise refused(location.address, f"the format {source.format!r} is not known") from None
    except OSError as error:
        raise refused(location.address, f"it can't be read: {error.strerror}") from error
