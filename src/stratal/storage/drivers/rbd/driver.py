"""The layer driver on Ceph RBD. Built by the composition root and by tests; `__init__` tells how it works.

Each verb prepares what nobody sees yet, changes the catalogue in one transaction, and tidies up.
"""

from collections.abc import Container, Generator, Iterator
from contextlib import contextmanager, suppress

from stratal.kernel.effects import Effect
from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import (
    Capacity,
    CheckReport,
    Direction,
    Extent,
    LayerId,
    LayerInfo,
    LayerReader,
    LayerWriter,
    Location,
    OpenDisk,
    Source,
    Survey,
    Traits,
    Usage,
)
from stratal.storage.drivers.errors import (
    LayerBusy,
    LayerExists,
    LayerFrozen,
    LayerNotFrozen,
    NotAnAncestor,
)
from stratal.storage.drivers.overlap import covered_bytes
from stratal.storage.drivers.rbd import moves
from stratal.storage.drivers.rbd.answers import NotThere
from stratal.storage.drivers.rbd.catalogue import Catalogue, ImageRecord, LayerRecord, Transaction
from stratal.storage.drivers.rbd.claims import Claims, Mode
from stratal.storage.drivers.rbd.extents import Extents
from stratal.storage.drivers.rbd.handles import RbdReader, RbdWriter
from stratal.storage.drivers.rbd.image import Image, Snapshot
from stratal.storage.drivers.rbd.layers import Layers
from stratal.storage.drivers.rbd.making import Making
from stratal.storage.drivers.rbd.place import RbdPlace
from stratal.storage.drivers.rbd.pool import Pool
from stratal.storage.drivers.rbd.tidying import Tidying

_CONTINUE = Effect("rbd.child.continue")
_FIT = Effect("rbd.head.fit")
_SNAPSHOT = Effect("rbd.snapshot.create")
_RESNAPSHOT = Effect("rbd.snapshot.replace")
_FREEZE = Effect("rbd.freeze")
_RESIZE = Effect("rbd.resize")
_GROWN = Effect("rbd.resize.record")
_ABSORB = Effect("rbd.absorb")
_FLATTEN = Effect("rbd.flatten")
_REHANG = Effect("rbd.flatten.record")
_DELETE = Effect("rbd.delete")


class RbdDriver:
    """A `LayerDriver`. Connects when it is first used; `close` lets go of the cluster."""

    def __init__(self, place: RbdPlace) -> None:
        self.place = place
        self.traits = Traits(
            name="rbd",
            granularity_bytes=place.object_bytes,
            merging_moves_data=False,
            switches_guests=False,
        )
        self._pool = Pool(place)
        self._catalogue = Catalogue(self._pool)
        self._claims = Claims(self._pool, self._catalogue)
        self._tidying = Tidying(self._pool, self._catalogue, self._claims)
        self._making = Making(self._pool, self._catalogue, self._claims, self._tidying)
        self._layers = Layers(self._pool, self._catalogue, self._claims)
        self._extents = Extents(self._pool, self._catalogue)

    def close(self) -> None:
        """End the session. Nothing may be open; a driver that is used again connects again."""
        try:
            self._claims.leave()
        finally:
            self._pool.disconnect()

    # Looking.

    def observe(self, layer: LayerId) -> LayerInfo | None:
        self._pool.connect()
        tx = self._catalogue.look()
        record = tx.find(LayerRecord, layer)
        if record is None:
            return None
        return moves.info(layer, record)

    def hops(self, layer: LayerId) -> int:
        self._pool.connect()
        image = self._catalogue.look().image(self._catalogue.layer(layer).image)
        count = 1
        while image.parent is not None:
            count, image = count + 1, self._catalogue.look().image(image.parent)
        return count

    def survey(self) -> Survey:
        self._claims.join()
        everything = self._catalogue.everything()
        infos = {
            LayerId(layer): moves.info(LayerId(layer), record) for layer, record in everything.layers.items()
        }
        leftovers = tuple(each.name for each in self._tidying.survey(everything))
        return Survey(layers=infos, leftovers=leftovers)

    def usage(self, layer: LayerId) -> Usage:
        self._pool.connect()
        record = self._catalogue.layer(layer)
        extents = self._extents.between(layer, record.parent, exact=False)
        return Usage(
            virtual_bytes=record.size_bytes,
            allocated_bytes=sum(each.length for each in extents if not each.zero),
        )

    def covered(self, layer: LayerId, *, by: LayerId) -> int:
        self._pool.connect()
        below, above = self._catalogue.layer(layer), self._catalogue.layer(by)
        if above.parent != layer:
            raise NotAnAncestor(ancestor=layer, layer=by)
        over = self._extents.between(by, layer, exact=False)
        return covered_bytes(self._extents.between(layer, below.parent, exact=False), over)

    def capacity(self) -> Capacity:
        self._pool.connect()
        used, left = self._pool.usage()
        return Capacity(total_bytes=used + left, used_bytes=used)

    def check(self, layer: LayerId) -> CheckReport:
        self._pool.connect()
        record = self._catalogue.layer(layer)
        with self._claims.claim(layer, Mode.READ):
            try:
                with self._pool.open(record.image, snapshot=record.snapshot, read_only=True) as image:
                    if image.size_bytes >= record.size_bytes:
                        return CheckReport()
                    damage = f"{record.image} has {image.size_bytes} bytes instead of {record.size_bytes}"
            except NotThere:
                damage = f"{self._layers.address(layer, record)} is missing"
        return CheckReport(damages=(damage,))

    def extents(self, layer: LayerId, *, above: LayerId | None) -> Iterator[Extent]:
        self._pool.connect()
        if not self._layers.is_ancestor(above, layer):
            raise NotAnAncestor(ancestor=above, layer=layer)
        if above == layer:
            return iter(())
        with self._layers.using(layer, Mode.READ):
            return iter(self._extents.between(layer, above))

    def locate(self, layer: LayerId) -> Location | None:
        self._pool.connect()
        return self._layers.location(layer, self._catalogue.layer(layer))

    def layer_at(self, address: str) -> LayerId | None:
        name = self.place.image_of(address)
        if name is None:
            return None
        self._pool.connect()
        record = self._catalogue.look().find(ImageRecord, name)
        return None if record is None else record.head

    @contextmanager
    def open_reading(self, layer: LayerId) -> Generator[LayerReader]:
        with (
            self._layers.using(layer, Mode.READ) as record,
            self._layers.image(layer, record, read_only=True) as image,
        ):
            if not record.frozen:
                self._claims.refuse_strangers(layer, image)
            yield RbdReader(image, record.size_bytes, self._layers.location(layer, record))

    @contextmanager
    def open_writing(self, layer: LayerId) -> Generator[LayerWriter]:
        with self._layers.using(layer, Mode.WRITE) as record:
            if record.frozen:
                raise LayerFrozen(layer=layer)
            with self._layers.image(layer, record) as image:
                self._claims.refuse_strangers(layer, image)
                yield RbdWriter(image, record.size_bytes, self._layers.location(layer, record))
                image.flush()

    def examine(self, location: Location, *, in_place: bool) -> int:
        return self._making.examine(location, in_place=in_place)

    # Making.

    def create_root(self, layer: LayerId, *, size_bytes: int, source: Source | None = None) -> Operation:
        def body(operation: Operation) -> None:
            self._pool.connect()
            if not self._layers.is_made(layer, None, size_bytes):
                self._making.root(layer, size_bytes, source, operation)

        return Operation(f"create root {layer}", body)

    def adopt(self, layer: LayerId, *, location: Location) -> None:
        with self._claims.claim(layer, Mode.REMOVE):
            record = self._catalogue.look().find(LayerRecord, layer)
            if record is None:
                self._making.adopt(layer, location)
            elif record.parent is not None or self._layers.is_there(location):
                raise LayerExists(layer=layer, reason="it is not the image that was to be adopted")

    def create_child(self, layer: LayerId, *, parent: LayerId, size_bytes: int) -> None:
        self._pool.connect()
        if self._layers.is_made(layer, parent, size_bytes):
            return
        below = self._catalogue.layer(parent)
        if not below.frozen:
            raise LayerNotFrozen(layer=parent)
        moves.forbid_shrinking(parent, below, size_bytes)

        def body(tx: Transaction, fitted: bool = False) -> bool:
            return moves.continue_run(tx, layer, parent, size_bytes, fitted=fitted)

        if self._catalogue.change(_CONTINUE, body):
            return
        with suppress(LayerBusy), self._claims.claim(parent, Mode.WORK):
            fitted = self._fit_head(parent, below, size_bytes)
            if fitted and self._catalogue.change(_CONTINUE, lambda tx: body(tx, fitted=True)):
                return
        self._making.clone(layer, parent, below, size_bytes)

    def _fit_head(self, parent: LayerId, below: LayerRecord, size_bytes: int) -> bool:
        """Give the free head of an image this size; False where it is not free."""
        if not self._catalogue.change(_FIT, lambda tx: moves.mark_resized(tx, below.image, parent)):
            return False
        with self._layers.image(parent, below, head=True) as image:
            self._claims.fence_dead_watchers(image)
            if image.size_bytes != size_bytes:
                with _FIT:
                    image.resize(size_bytes)
        return True

    # Lending to hypervisors, which open one image, whatever it is a clone of.

    def lend(self, layer: LayerId) -> tuple[Location, ...]:
        self._pool.connect()
        return (self._layers.location(layer, self._catalogue.layer(layer)),)

    def create_overlay(self, layer: LayerId, *, parent: LayerId, size_bytes: int, below: str) -> Location:
        """The guest goes on in the same image: this is the instant that the parent keeps."""
        self._pool.connect()
        if not self._layers.is_made(layer, parent, size_bytes):
            with self._layers.using(parent, Mode.WORK) as record:
                if self._layers.location(parent, record).address != below or record.size_bytes != size_bytes:
                    raise LayerBusy(layer=parent, reason="its guest has another image open")
                with self._layers.image(parent, record) as image:
                    _without(parent, image)  # what was not written down is no instant
                    with _SNAPSHOT:
                        snapshot = image.create_snapshot(parent)

                def body(tx: Transaction) -> bool:
                    moves.freeze(tx, parent, snapshot, ends_run=False)
                    return moves.continue_run(tx, layer, parent, size_bytes, fitted=True)

                if not self._catalogue.change(_CONTINUE, body):
                    raise LayerBusy(layer=parent, reason="its image goes on in another layer")
        return self._layers.location(layer, self._catalogue.layer(layer))

    # Changing.

    def freeze(self, layer: LayerId) -> None:
        with self._layers.using(layer, Mode.WORK) as record:
            if record.frozen:
                return
            with self._layers.image(layer, record) as image:
                self._claims.fence_dead_watchers(image)
                self._claims.refuse_strangers(layer, image)
                count = len(_without(layer, image))
                if image.size_bytes != record.size_bytes:  # a growth that was interrupted
                    with _FIT:
                        image.resize(record.size_bytes)
                with _SNAPSHOT:
                    snapshot = image.create_snapshot(layer)
            ends_run = count + 1 >= self.place.run_length
            self._catalogue.change(_FREEZE, lambda tx: moves.freeze(tx, layer, snapshot, ends_run=ends_run))

    def resize(self, layer: LayerId, *, size_bytes: int, disk: OpenDisk | None = None) -> None:
        with self._layers.using(layer, Mode.WORK) as record:
            if record.size_bytes == size_bytes:
                return
            if record.frozen:
                raise LayerFrozen(layer=layer)
            moves.forbid_shrinking(layer, record, size_bytes)
            with self._layers.image(layer, record) as image:
                if disk is None:
                    self._claims.fence_dead_watchers(image)
                    self._claims.refuse_strangers(layer, image)
                with _RESIZE:
                    if disk is None:
                        image.resize(size_bytes)
                    else:
                        disk.resize(size_bytes)
            self._catalogue.change(_GROWN, lambda tx: moves.grow(tx, layer, size_bytes))

    def absorb(
        self, parent: LayerId, *, into: LayerId, direction: Direction, disk: OpenDisk | None = None
    ) -> Operation:
        def body(operation: Operation) -> None:
            self._pool.connect()
            above = self._catalogue.layer(into)
            below = self._catalogue.look().find(LayerRecord, parent)
            if below is None:
                self._tidying.tidy(above.image)
                return
            with self._claims.claim(parent, Mode.REMOVE), self._claims.claim(into, Mode.WORK):
                image = self._catalogue.change(_ABSORB, lambda tx: moves.absorb(tx, parent, into))
            # Only now: what is claimed is not tidied away.
            with operation.phase("tidy up"):
                self._tidying.tidy(image)

        return Operation(f"absorb {parent} into {into}", body)

    def settle(self, layer: LayerId, *, disk: OpenDisk | None = None) -> Operation:
        def body(operation: Operation) -> None:
            self._tidying.tidy(self._catalogue.layer(layer).image)

        return Operation(f"settle {layer}", body)

    def flatten(
        self, layer: LayerId, *, onto: LayerId | None = None, disk: OpenDisk | None = None
    ) -> Operation:
        def body(operation: Operation) -> None:
            with self._layers.using(layer, Mode.WORK) as record:
                if record.parent is None or record.parent == onto:
                    return
                if onto == layer or not self._layers.is_ancestor(onto, layer):
                    raise NotAnAncestor(ancestor=onto, layer=layer)
                target = None if onto is None else self._catalogue.layer(onto)
                if target is not None and target.image == record.image:
                    self._catalogue.change(_REHANG, lambda tx: moves.rehang(tx, layer, onto))
                    return
                with operation.phase("flatten"):
                    self._flatten_image(layer, record)
                with operation.phase("tidy up"):
                    self._tidying.tidy(self._catalogue.change(_REHANG, lambda tx: _uproot(tx, layer)))

        return Operation(f"flatten {layer}", body)

    # Removing.

    def delete(self, layer: LayerId) -> None:
        self._pool.connect()
        if self._catalogue.look().find(LayerRecord, layer) is None:
            return
        with self._layers.using(layer, Mode.REMOVE) as record:
            if not record.frozen:
                try:
                    with self._pool.open(record.image, read_only=True) as image:
                        self._claims.refuse_strangers(layer, image)
                except NotThere:
                    pass  # damaged; nothing is left to refuse
            self._catalogue.change(_DELETE, lambda tx: moves.delete(tx, layer))
        self._tidying.tidy(record.image)

    def reclaim(self, *, spare: Container[LayerId] = ()) -> tuple[str, ...]:
        self._claims.join()
        return self._tidying.reclaim()

    # Parts.

    def _flatten_image(self, layer: LayerId, record: LayerRecord) -> None:
        if self._catalogue.look().image(record.image).parent is None:
            return
        with self._layers.image(layer, record, head=True) as image:
            self._claims.fence_dead_watchers(image)
            if image.has_parent:  # else only the record is missing
                with _FLATTEN:
                    image.flatten()


def _without(layer: LayerId, image: Image) -> list[Snapshot]:
    """The snapshots, but for one that an interrupted freeze took: more may have been written since."""
    snapshots = image.snapshots()
    for stale in [each for each in snapshots if each.name == layer]:
        with _RESNAPSHOT:
            image.trash_snapshot(stale.name)
        snapshots.remove(stale)
    return snapshots


def _uproot(tx: Transaction, layer: LayerId) -> str | None:
    """Make a layer whose image was flattened a root; what the image was a clone of."""
    moves.rehang(tx, layer, None)
    return moves.detach(tx, tx.layer(layer).image)
