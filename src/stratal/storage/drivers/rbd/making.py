"""How images come into the place: created, cloned, copied from a file, or taken over. Called by `driver`.

The catalogue knows of an image before it exists, as one that is in the making; it holds a layer only from the
one transaction on that publishes it.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import msgspec

from stratal.kernel.effects import Effect
from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import LayerId, Location, Source
from stratal.storage.drivers.errors import (
    BackendUnavailable,
    LayerDamaged,
    LayerExists,
    LayerNotFound,
    LayerNotFrozen,
    NoSpace,
)
from stratal.storage.drivers.rbd.answers import AlreadyThere, NotThere
from stratal.storage.drivers.rbd.catalogue import Catalogue, ImageRecord, LayerRecord, Transaction
from stratal.storage.drivers.rbd.claims import Claims
from stratal.storage.drivers.rbd.foreign import Foreign, Original, for_qemu, refused
from stratal.storage.drivers.rbd.place import image_name
from stratal.storage.drivers.rbd.pool import Pool
from stratal.storage.drivers.rbd.tidying import Tidying
from stratal.storage.images import ImageRefused, tool

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
        self._foreign = Foreign(pool, catalogue, claims)

    def examine(self, location: Location, *, in_place: bool) -> int:
        return self._foreign.examine(location, in_place=in_place)

    def root(self, layer: LayerId, size_bytes: int, source: Source | None, operation: Operation) -> None:
        original = None if source is None else self._foreign.original(layer, source, size_bytes)

        def create(name: str) -> None:
            with _CREATE:
                self._pool.create(name, size_bytes)

        with self._new_image(layer, create, ImageRecord()) as name:
            if original is not None:
                self._copy(layer, name, original, operation)
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
        source = self._foreign.own_name(location)
        tx = self._catalogue.look()
        # An adoption that was interrupted: its image goes back to its old name first.
        for attempt in range(2):
            name = image_name(layer, attempt)
            record = tx.find(ImageRecord, name)
            if record is not None and record.adopted_from == source:
                self._tidying.tidy(name)
        size_bytes, missing = self._foreign.adoptable(layer, location)
        if missing:
            with self._pool.open(source) as image, _ADOPT_FEATURES:
                image.enable(missing)

        def rename(name: str) -> None:
            with _ADOPT_RENAME:
                self._pool.rename(source, name)

        with self._new_image(layer, rename, ImageRecord(adopted_from=source)) as name:
            self._publish(layer, LayerRecord(image=name, size_bytes=size_bytes), ImageRecord(head=layer))

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
            reserved = True
            try:
                if not self._created(name, create, working):
                    continue
                yield name
                return
            except Exception:
                # What has been published all the same is safe: only images without layers are removed.
                self._tidying.release(name)
                reserved = False
                with suppress(Exception):  # the first error tells more; this stays a leftover
                    self._tidying.tidy(name)
                raise
            finally:
                if reserved:
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

    def _copy(self, layer: LayerId, name: str, original: Original, operation: Operation) -> None:
        seconds = 600 + original.size_bytes // _SLOWEST_BYTES_PER_SECOND
        operation.expect(original.size_bytes)
        try:
            with operation.phase("inspect"):
                original.confirm()
            with operation.phase("copy"), _CONVERT:
                convert = ["qemu-img", "convert", "-p", "-n", "--target-is-zero", "-W", "-O", "raw", "--"]
                tool.run(
                    [*convert, original.address, for_qemu(self._place, name)],
                    deadline_seconds=seconds,
                    watch=tool.Watch(operation=operation, total_bytes=original.size_bytes),
                )
                operation.advance(original.size_bytes)
        except ImageRefused as error:
            raise refused(original.name, str(error.fields["reason"])) from error
        except tool.ToolUnavailable as error:
            raise BackendUnavailable(place=self._place, reason=error.message) from error
        except tool.ToolFailed as error:
            said = str(error.fields["stderr"])
            if "error while reading" in said or "Could not open 'json:" in said:
                raise refused(original.name, f"QEMU can't read it: {said}") from error
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
