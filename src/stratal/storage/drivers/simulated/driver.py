"""The layer driver whose layers are in memory. Built by the composition root and by tests."""

from collections.abc import Container, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from stratal.kernel.effects import Effect
from stratal.kernel.operation import Operation
from stratal.kernel.script import Script
from stratal.storage.drivers.contract import (
    Capacity,
    CheckReport,
    Direction,
    Extent,
    LayerId,
    LayerInfo,
    Location,
    OpenDisk,
    Source,
    Survey,
    Traits,
    Transport,
    Usage,
)
from stratal.storage.drivers.errors import (
    CannotShrink,
    LayerBusy,
    LayerExists,
    LayerFrozen,
    LayerHasChildren,
    LayerNotFrozen,
    NotAnAncestor,
    SourceRefused,
)
from stratal.storage.drivers.overlap import covered_bytes
from stratal.storage.drivers.simulated.claims import Claim, Claims
from stratal.storage.drivers.simulated.handles import Handle
from stratal.storage.drivers.simulated.moving import Moving, is_file, read_image
from stratal.storage.drivers.simulated.place import Held, Place
from stratal.storage.drivers.simulated.sparse import Piece

_PREFIX = "simulated."
_EFFECTS = {
    name: Effect(_PREFIX + name)
    for name in (
        "create",  # an empty layer, root or child
        "stage",  # a copy under a temporary name
        "publish",  # the staged copy takes its layer's place
        "discard",  # what a publication left over goes
        "adopt",  # a foreign image moves in
        "freeze",
        "resize",
        "commit",  # a child's data go into its parent
        "delete",
        "reclaim",
    )
}


class SimulatedDriver:
    """A `LayerDriver`. Everything that outlives it is in `place`; `script` says what goes wrong."""

    traits = Traits(name="simulated", granularity_bytes=1, merging_moves_data=True, switches_guests=True)

    def __init__(self, place: Place | None = None, *, script: Script | None = None) -> None:
        self.place = place or Place()
        self.script = script or Script()
        self._claims = Claims()
        self._moving = Moving(self.place, self._effect)

    @contextmanager
    def _effect(self, name: str) -> Generator[None]:
        """The side effect, atomic for all who use the place. Delays don't hold others up."""
        with self.script.around(name), _EFFECTS[name], self.place.lock:
            yield

    # Looking.

    def observe(self, layer: LayerId) -> LayerInfo | None:
        with self.place.lock:
            held = self.place.layers.get(layer)
            if held is None:
                return None
            return LayerInfo(
                layer=layer,
                parent=held.parent,
                frozen=held.frozen,
                size_bytes=held.size_bytes,
            )

    def hops(self, layer: LayerId) -> int:
        with self.place.lock:
            return sum(1 for _ in self.place.path(layer, None))

    def survey(self) -> Survey:
        with self.place.lock:
            infos = (self.observe(layer) for layer in self.place.layers)
            return Survey(
                layers={info.layer: info for info in infos if info is not None},
                leftovers=tuple(name for name in self.place.leftovers if name not in self._moving.staging),
            )

    def usage(self, layer: LayerId) -> Usage:
        held = self.place.get(layer)
        return Usage(virtual_bytes=held.size_bytes, allocated_bytes=held.own.allocated_bytes)

    def covered(self, layer: LayerId, *, by: LayerId) -> int:
        below, above = self.place.get(layer), self.place.get(by)
        if above.parent != layer:
            raise NotAnAncestor(ancestor=layer, layer=by)
        with self.place.lock:
            over = list(_joined(list(above.own.pieces(0, above.size_bytes))))
            return covered_bytes(_joined(list(below.own.pieces(0, below.size_bytes))), over)

    def capacity(self) -> Capacity:
        return Capacity(total_bytes=self.place.total_bytes, used_bytes=self.place.used_bytes)

    def check(self, layer: LayerId) -> CheckReport:
        self.place.get(layer)
        return CheckReport()

    def extents(self, layer: LayerId, *, above: LayerId | None) -> Iterator[Extent]:
        pieces = self.place.pieces(layer, 0, self.place.get(layer).size_bytes, above)
        return _joined(pieces)

    def locate(self, layer: LayerId) -> Location | None:
        self.place.get(layer)

    def layer_at(self, address: str) -> LayerId | None:
        here = self._location(LayerId("")).address
        return LayerId(address.removeprefix(here)) if address.startswith(here) else None

    @contextmanager
    def open_reading(self, layer: LayerId) -> Generator[Handle]:
        self.place.get(layer)
        with self._claims.claim(layer, Claim.READ):
            yield Handle(self.place, layer)

    @contextmanager
    def open_writing(self, layer: LayerId) -> Generator[Handle]:
        self.place.get(layer)
        with self._claims.claim(layer, Claim.WRITE):
            if self.place.get(layer).frozen:
                raise LayerFrozen(layer=layer)
            yield Handle(self.place, layer)

    def examine(self, location: Location, *, in_place: bool) -> int:
        if not is_file(location) or location.format != "raw":
            raise SourceRefused(field="source", source=location.address, reason="it is no raw file")
        return Path(location.address).stat().st_size

    # Making.

    def create_root(self, layer: LayerId, *, size_bytes: int, source: Source | None = None) -> Operation:
        def body(operation: Operation) -> None:
            held = self.place.layers.get(layer)
            if held is not None:
                _same(layer, held, None, size_bytes)
            elif source is None:
                with self._effect("create"):
                    self.place.put(layer, Held(parent=None, size_bytes=size_bytes))
            else:
                with self._claims.claim(layer, Claim.REMOVE):
                    own = read_image(operation, source, size_bytes)
                    self._moving.publish(layer, Held(parent=None, size_bytes=size_bytes, own=own))

        return Operation(f"create root {layer}", body)

    def adopt(self, layer: LayerId, *, location: Location) -> None:
        path = Path(location.address)
        there = is_file(location)
        held = self.place.layers.get(layer)
        if held is not None:
            if held.parent is not None or there:
                raise LayerExists(layer=layer, reason="it is not the image that was to be adopted")
            return
        size_bytes = self.examine(location, in_place=True)
        source = Source(location=location)
        own = read_image(Operation("adopt", lambda _: None), source, size_bytes)
        with self._effect("adopt"):
            self.place.put(layer, Held(parent=None, size_bytes=size_bytes, own=own))
            path.unlink()

    def create_child(self, layer: LayerId, *, parent: LayerId, size_bytes: int) -> None:
        self._create_child(layer, parent, size_bytes, lent=False)

    def _create_child(self, layer: LayerId, parent: LayerId, size_bytes: int, *, lent: bool) -> None:
        with self._effect("create"):
            held = self.place.layers.get(layer)
            if held is not None:
                _same(layer, held, parent, size_bytes)
                return
            below = self.place.get(parent)
            if not below.frozen and not lent:
                raise LayerNotFrozen(layer=parent)
            if size_bytes < below.size_bytes:
                raise CannotShrink(
                    field="size_bytes",
                    layer=parent,
                    size_bytes=below.size_bytes,
                    wanted_bytes=size_bytes,
                )
            self.place.put(layer, Held(parent=parent, size_bytes=size_bytes))

    # Lending to hypervisors: simulated ones know a disk by its topmost layer alone.

    def lend(self, layer: LayerId) -> tuple[Location, ...]:
        self.place.get(layer)
        return (self._location(layer),)

    def create_overlay(self, layer: LayerId, *, parent: LayerId, size_bytes: int, below: str) -> Location:
        if self.layer_at(below) != parent:
            raise LayerBusy(layer=parent, reason="its guest has another layer open")
        self._create_child(layer, parent, size_bytes, lent=True)
        return self._location(layer)

    def _location(self, layer: LayerId) -> Location:
        address = f"/simulated/{self.place.name}/{layer}"  # no such file: guests of this are simulated too
        return Location(transport=Transport.FILE, address=address, format="qcow2")

    # Changing.

    def freeze(self, layer: LayerId) -> None:
        if self.place.get(layer).frozen:
            return
        with self._claims.claim(layer, Claim.WORK), self._effect("freeze"):
            self.place.get(layer).frozen = True

    def resize(self, layer: LayerId, *, size_bytes: int, disk: OpenDisk | None = None) -> None:
        self.place.get(layer)
        if disk is not None:
            disk.resize(size_bytes)
        with self._claims.claim(layer, Claim.WORK), self._effect("resize"):
            held = self.place.get(layer)
            if held.size_bytes == size_bytes:
                return
            if held.frozen:
                raise LayerFrozen(layer=layer)
            if size_bytes < held.size_bytes:
                raise CannotShrink(
                    field="size_bytes",
                    layer=layer,
                    size_bytes=held.size_bytes,
                    wanted_bytes=size_bytes,
                )
            held.size_bytes = size_bytes

    def absorb(
        self, parent: LayerId, *, into: LayerId, direction: Direction, disk: OpenDisk | None = None
    ) -> Operation:
        def body(operation: Operation) -> None:
            self.place.get(into)
            if parent not in self.place.layers:
                self._moving.discard(parent)
                return
            with self._claims.claim(parent, Claim.REMOVE), self._claims.claim(into, Claim.WORK):
                with self.place.lock:
                    children = self.place.children(parent)
                    if into not in children:
                        raise NotAnAncestor(ancestor=parent, layer=into)
                    if len(children) > 1:
                        raise LayerHasChildren(layer=parent, children=len(children))
                if direction is Direction.DOWN:
                    self._moving.commit(operation, parent, into)
                else:
                    self._moving.pull(operation, into, self.place.get(parent).parent, absorbed=parent)
                self._moving.discard(parent)

        return Operation(f"absorb {parent} {direction} into {into}", body)

    def settle(self, layer: LayerId, *, disk: OpenDisk | None = None) -> Operation:
        return Operation(f"settle {layer}", lambda _: None)  # nothing is ever left half done

    def flatten(
        self, layer: LayerId, *, onto: LayerId | None = None, disk: OpenDisk | None = None
    ) -> Operation:
        def body(operation: Operation) -> None:
            held = self.place.get(layer)
            if held.parent == onto:
                return
            with self._claims.claim(layer, Claim.WORK):
                self._moving.pull(operation, layer, onto)

        return Operation(f"flatten {layer}", body)

    # Removing.

    def delete(self, layer: LayerId) -> None:
        if layer not in self.place.layers:
            return
        with self._claims.claim(layer, Claim.REMOVE), self._effect("delete"):
            children = self.place.children(layer)
            if children:
                raise LayerHasChildren(layer=layer, children=len(children))
            self.place.remove(layer)

    def reclaim(self, *, spare: Container[LayerId] = ()) -> tuple[str, ...]:
        leftovers = self.survey().leftovers
        for name in leftovers:
            with self._effect("reclaim"):
                self.place.leftovers.pop(name, None)
        return leftovers


def _same(layer: LayerId, held: Held, parent: LayerId | None, size_bytes: int) -> None:
    if held.parent != parent:
        raise LayerExists(layer=layer, reason=f"it hangs on {held.parent}")
    if held.size_bytes != size_bytes:
        raise LayerExists(layer=layer, reason=f"it has {held.size_bytes} bytes")


def _joined(pieces: list[Piece]) -> Iterator[Extent]:
    """Neighbours of one kind as one extent."""
    at: Extent | None = None
    for piece in pieces:
        zero = piece.data is None
        if at is not None and at.zero is zero and at.offset + at.length == piece.start:
            at = Extent(offset=at.offset, length=piece.end - at.offset, zero=zero)
            continue
        if at is not None:
            yield at
        at = Extent(offset=piece.start, length=piece.end - piece.start, zero=zero)
    if at is not None:
        yield at
