"""Data on the move between simulated layers, and out of image files. Called by `driver`.

What is staged, and what a publication leaves over, lies in the place under names that are no layers.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import LayerId, Location, Source, Transport
from stratal.storage.drivers.errors import SourceRefused
from stratal.storage.drivers.simulated.place import Held, Place
from stratal.storage.drivers.simulated.sparse import Piece, SparseBytes

# A copied chunk of an image; zeros in it are left out in units of this size.
_CHUNK_BYTES = 64 * 2**10


class Moving:
    """The parts of the long verbs on one place. `effect` gives the side effect of a name."""

    def __init__(self, place: Place, effect: Callable[[str], AbstractContextManager[None]]) -> None:
        self._place = place
        self._effect = effect
        #: leftovers that are none yet: somebody is at them
        self.staging: set[str] = set()

    def commit(self, operation: Operation, parent: LayerId, into: LayerId) -> None:
        """Down: the child's data go into the parent, which nobody else reads, and then take its place."""
        with operation.phase("copy"), self._effect("commit"):
            below, above = self._place.get(parent), self._place.get(into)
            pieces = list(above.own.pieces(0, above.size_bytes))
            self._place.make_room(sum(_weight(piece) for piece in pieces), "merge")
            for piece in _counted(operation, pieces):
                below.own.put(piece.start, piece.end, piece.data)
        with operation.phase("publish"), self._effect("publish"):
            below, above = self._place.get(parent), self._place.get(into)
            self._place.leftovers[f"merged-{parent}"] = above.own
            merged = Held(
                parent=below.parent, size_bytes=above.size_bytes, frozen=above.frozen, own=below.own
            )
            self._place.remove(parent)
            self._place.put(into, merged)

    def pull(
        self, operation: Operation, layer: LayerId, onto: LayerId | None, absorbed: LayerId | None = None
    ) -> None:
        """Up: a copy with all that lies between takes the layer's place, on `onto`."""
        with operation.phase("copy"):
            held = self._place.get(layer)
            own = SparseBytes()
            for piece in _counted(operation, self._place.pieces(layer, 0, held.size_bytes, onto)):
                own.put(piece.start, piece.end, piece.data)
        with operation.phase("publish"):
            copy = Held(parent=onto, size_bytes=held.size_bytes, frozen=held.frozen, own=own)
            self.publish(layer, copy, absorbed)

    def publish(self, layer: LayerId, held: Held, absorbed: LayerId | None = None) -> None:
        """Put a layer in place, first under another name; one that was absorbed goes in the same instant."""
        name = f"staged-{layer}"
        self.staging.add(name)
        try:
            with self._effect("stage"):
                self._place.make_room(held.own.allocated_bytes, "copy")
                self._place.leftovers[name] = held.own
            with self._effect("publish"):
                self._place.leftovers.pop(name)
                self._place.put(layer, held)
                if absorbed is not None:
                    self._place.leftovers[f"merged-{absorbed}"] = self._place.get(absorbed).own
                    self._place.remove(absorbed)
        finally:
            self.staging.discard(name)

    def discard(self, absorbed: LayerId) -> None:
        """Remove what a merge left of the layer that went away. Idempotent."""
        name = f"merged-{absorbed}"
        if name in self._place.leftovers:
            with self._effect("discard"):
                self._place.leftovers.pop(name, None)


def _weight(piece: Piece) -> int:
    return 0 if piece.data is None else piece.end - piece.start


def _counted(operation: Operation, pieces: list[Piece]) -> Iterator[Piece]:
    """The pieces, one by one, with progress; stops where the operation is cancelled."""
    operation.expect(sum(piece.end - piece.start for piece in pieces))
    done = 0
    for piece in pieces:
        operation.check()
        yield piece
        done += piece.end - piece.start
        operation.advance(done)


def is_file(location: Location) -> bool:
    """Whether the location is that of a file that exists."""
    return location.transport is Transport.FILE and Path(location.address).is_file()


def read_image(operation: Operation, source: Source, size_bytes: int) -> SparseBytes:
    """The content of a raw image. Raises SourceRefused, Cancelled."""
    if not is_file(source.location) or source.format != "raw":
        raise SourceRefused(field="source", source=source.path, reason="it is no raw file")
    length = source.path.stat().st_size
    if length > size_bytes:
        raise SourceRefused(field="source", source=source.path, reason=f"it has {length} bytes")
    own = SparseBytes()
    with operation.phase("copy"), source.path.open("rb") as image:
        operation.expect(length)
        at = 0
        while chunk := image.read(_CHUNK_BYTES):
            operation.check()
            if chunk.count(0) != len(chunk):
                own.put(at, at + len(chunk), chunk)
            at += len(chunk)
            operation.advance(at)
    return own
