"""How images come into the place: created, cloned, copied from a file, or taken over. Called by `driver`.

The catalogue knows of an image before it exists, as one that is in the making; it holds a layer only from the
one transaction on that publishes it.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from stratal.kernel.effects import Effect
from stratal.kernel.operation import Operation
from stratal.storage import images
from stratal.storage.drivers.contract import LayerId, Location, Source, Transport
from stratal.storage.drivers.errors import (
    BackendUnavailable,
    LayerDamaged,
    LayerExists,
    LayerNotFound,
    LayerNotFrozen,
    NoSpace,
    SourceRefused,
)
from stratal.storage.drivers.rbd.answers import AlreadyThere, NotThere
from stratal.storage.drivers.rbd.catalogue import Catalogue, ImageRecord, LayerRecord, Transaction
from stratal.storage.drivers.rbd.claims import Claims
from stratal.storage.drivers.rbd.image import FEATURES, TOLERATED_FEATURES, Image
from stratal.storage.drivers.rbd.place import IMAGE_PREFIX, RbdPlace, image_name
from stratal.storage.drivers.rbd.pool import Pool
from stratal.storage.drivers.rbd.tidying import Tidying
from stratal.storage.images import ImageFacts, ImageFormat, ImageRefused, tool
from stratal.storage.images.conversion import address

_BEGIN = Effect("rbd.make.begin")
_CREATE = Effect("rbd.make.create")
_CLONE = Effect("rbd.make.clone")
_RESIZE = Effect("rbd.make.resize")
_CONVERT = Effect("rbd.make.convert")
_PUBLISH = Effect("rbd.make.publish")
_ADOPT_FEATURES = Effect("rbd.adopt.features")
_ADOPT_RENAME = Effect("rbd.adopt.rename")

_SLOWEST_BYTES_PER_SECOND = 4 * 2**20


class Making:
    def __init__(self, pool: Pool, catalogue: Catalogue, claims: Claims, tidying: Tidying) -> None:
        self._pool = pool
        self._place = pool.place
        self._catalogue = catalogue
        self._claims = claims
        self._tidying = tidying

    def root(self, layer: LayerId, size_bytes: int, source: Source | None, operation: Operation) -> None:
        facts = None if source is None else _inspected(source, size_bytes)

        def create(name: str) -> None:
            with _CREATE:
                self._pool.create(name, size_bytes)

        with self._new_image(layer, create, ImageRecord()) as name:
            if source is not None and facts is not None:
                self._copy(layer, name, source, facts, operation)
            self._publish(layer, LayerRecord(image=name, size_bytes=size_bytes), ImageRecord(head=layer))

    def clone(self, layer: LayerId, parent: LayerId, below: LayerRecord, size_bytes: int) -> None:
        """A layer in an image of its own, on a frozen one."""

        def create(name: str) -> None:
            try:
                with _CLONE:
                    self._pool.clone(below.image, parent, name)
            except NotThere:
                raise self._gone(parent) from None
            if size_bytes != below.size_bytes:
                with self._pool.open(name) as image, _RESIZE:
                    image.resize(size_bytes)

        record = ImageRecord(parent=below.image, parent_snapshot=below.snapshot)
        with self._new_image(layer, create, record) as name:
            published = LayerRecord(image=name, size_bytes=size_bytes, parent=parent)
            self._publish(layer, published, msgspec.structs.replace(record, head=layer))

    def adopt(self, layer: LayerId, location: Location) -> None:
        """Take over by renaming. The layer is claimed, and was not there before."""
        source = self._place.image_of(location.address)
        if location.transport is not Transport.RBD or location.format != "raw" or source is None:
            raise _refused(location.address, f"only RBD images of {self._place} can be taken over")
        tx = self._catalogue.look()
        if source.startswith(IMAGE_PREFIX) and tx.find(ImageRecord, source) is not None:
            raise _refused(location.address, "it holds layers already")
        # An adoption that was interrupted: its image goes back to its old name first.
        for attempt in range(2):
            name = image_name(layer, attempt)
            record = tx.find(ImageRecord, name)
            if record is not None and record.adopted_from == source:
                self._tidying.tidy(name)
        try:
            with self._pool.open(source, read_only=True) as image:
                self._claims.refuse_strangers(layer, image)
                self._check_adoptable(location.address, image)
                size_bytes, missing = image.size_bytes, FEATURES & ~32 & ~image.features
            if missing:
                with self._pool.open(source) as image, _ADOPT_FEATURES:
                    image.enable(missing)
        except NotThere:
            raise _refused(location.address, "there is no such image") from None

        def rename(name: str) -> None:
            with _ADOPT_RENAME:
                self._pool.rename(source, name)

        with self._new_image(layer, rename, ImageRecord(adopted_from=source)) as name:
            self._publish(layer, LayerRecord(image=name, size_bytes=size_bytes), ImageRecord(head=layer))

    def _check_adoptable(self, source: str, image: Image) -> None:
        if image.snapshots():
            raise _refused(source, "it has snapshots; remove them first (rbd snap purge), or copy it")
        if image.has_parent:
            raise _refused(source, "it is a clone; flatten it first (rbd flatten)")
        if image.features & ~TOLERATED_FEATURES:
            raise _refused(source, "it is journaled, mirrored or being migrated; end that first")

    @contextmanager
    def _new_image(
        self, layer: LayerId, create: Callable[[str], None], record: ImageRecord
    ) -> Generator[str]:
        """An image in the making, under a free name, which goes away unless it is published."""
        session = self._claims.join()
        working = msgspec.structs.replace(record, worker=session)
        attempt = 0
        while True:
            name = image_name(layer, attempt)
            attempt += 1
            found = self._catalogue.look().find(ImageRecord, name)
            if found is not None and found.worker is not None:
                self._tidying.tidy(name)  # unless it is being made, it is of an attempt that failed
            if not self._tidying.reserve(name):
                continue
            try:
                if not self._created(name, create, working):
                    continue
                yield name
                return
            except Exception:
                # What has been published all the same is safe: only images without layers are removed.
                self._tidying.release(name)
                with suppress(Exception):  # the first error tells more; this stays a leftover
                    self._tidying.tidy(name)
                raise
            finally:
                self._tidying.release(name)

    def _created(self, name: str, create: Callable[[str], None], record: ImageRecord) -> bool:
        """Record and make the image; False where the name is taken."""
        if not self._catalogue.change(_BEGIN, lambda tx: _begin(tx, name, record)):
            return False
        try:
            create(name)
        except AlreadyThere:  # an image that is not Stratal's
            self._catalogue.change(_BEGIN, lambda tx: tx.drop(ImageRecord, name))
            return False
        return True

    def _publish(self, layer: LayerId, record: LayerRecord, image: ImageRecord) -> None:
        def body(tx: Transaction) -> None:
            if tx.find(LayerRecord, layer) is not None:
                raise LayerExists(layer=layer, reason="somebody else just made it")
            if record.parent is not None:
                parent = tx.layer(record.parent)
                if not parent.frozen:
                    raise LayerNotFrozen(layer=record.parent)
            if tx.image(record.image).worker is None:
                raise BackendUnavailable(place=self._place, reason="this process was taken for dead")
            tx.count_child(record.parent, 1)
            tx.put(layer, record)
            tx.put(record.image, image)

        self._catalogue.change(_PUBLISH, body)

    def _copy(
        self, layer: LayerId, name: str, source: Source, facts: ImageFacts, operation: Operation
    ) -> None:
        seconds = 600 + facts.virtual_size_bytes // _SLOWEST_BYTES_PER_SECOND
        target = _for_qemu(self._place, name)
        operation.expect(facts.virtual_size_bytes)
        try:
            with operation.phase("inspect"):
                images.confirm(source.path, facts)
            with operation.phase("copy"), _CONVERT:
                convert = ["qemu-img", "convert", "-p", "-n", "--target-is-zero", "-W", "-O", "raw", "--"]
                tool.run(
                    [*convert, address(source.path, facts.format), target],
                    deadline_seconds=seconds,
                    watch=tool.Watch(operation=operation, total_bytes=facts.virtual_size_bytes),
                )
                operation.advance(facts.virtual_size_bytes)
        except ImageRefused as error:
            raise _refused(source.path, str(error.fields["reason"])) from error
        except tool.ToolUnavailable as error:
            raise BackendUnavailable(place=self._place, reason=error.message) from error
        except tool.ToolFailed as error:
            said = str(error.fields["stderr"])
            if "error while reading" in said or "Could not open 'json:" in said:
                raise _refused(source.path, f"QEMU can't read it: {said}") from error
            if "No space left" in said or "quota exceeded" in said:
                raise NoSpace(place=self._place, action="copy an image") from error
            if "error while writing" in said or "error connecting" in said or "timed out" in said:
                raise BackendUnavailable(place=self._place, reason=said) from error
            raise LayerDamaged(layer=layer, reason=said) from error

    def _gone(self, layer: LayerId) -> LayerNotFound:
        return LayerNotFound(layer=layer, place=self._place, kind="layer", id=layer)


def _begin(tx: Transaction, name: str, record: ImageRecord) -> bool:
    if tx.find(ImageRecord, name) is not None:
        return False
    tx.put(name, record)
    return True


def _inspected(source: Source, size_bytes: int) -> ImageFacts:
    try:
        facts = images.inspect(source.path, claimed=ImageFormat(source.format))
    except ImageRefused as error:
        raise _refused(source.path, error.message) from error
    except ValueError:
        raise _refused(source.path, f"the format {source.format!r} is not known") from None
    except OSError as error:
        raise _refused(source.path, f"it can't be read: {error.strerror}") from error
    if facts.virtual_size_bytes > size_bytes:
        larger = f"it has {facts.virtual_size_bytes} bytes, the layer {size_bytes}"
        raise _refused(source.path, larger)
    return facts


def _refused(source: Path | str, reason: str) -> SourceRefused:
    return SourceRefused(source=source, reason=reason, field="source")


def _for_qemu(place: RbdPlace, image: str) -> str:
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
    return f"rbd:{place.address(image)}{escaped}"
