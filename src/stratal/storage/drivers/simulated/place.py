"""What survives a crash of the process: the layers of one simulated place. Called by `driver`.

A `Place` is to the driver what a directory is to qcow2: several drivers, one after the other or at once,
may work on it. Each method is atomic; what a verb does in several is what a crash can cut in half.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import LayerNotFound, NoSpace, NotAnAncestor
from stratal.storage.drivers.simulated.sparse import Data, Piece, SparseBytes


@dataclass(kw_only=True)
class Held:
    """One layer as it is held."""

    parent: LayerId | None
    size_bytes: int
    frozen: bool = False
    own: SparseBytes = field(default_factory=SparseBytes)


class Place:
    """Named layers, and the leftovers of interrupted work."""

    def __init__(self, *, name: str = "memory", total_bytes: int = 2**60) -> None:
        self.name = name
        self.total_bytes = total_bytes
        self.lock = threading.RLock()
        self.layers: dict[LayerId, Held] = {}
        self.leftovers: dict[str, SparseBytes] = {}
        self._children: dict[LayerId, set[LayerId]] = {}

    def get(self, layer: LayerId) -> Held:
        held = self.layers.get(layer)
        if held is None:
            raise LayerNotFound(layer=layer, place=self.name)
        return held

    def children(self, layer: LayerId) -> frozenset[LayerId]:
        with self.lock:
            return frozenset(self._children.get(layer, ()))

    def put(self, layer: LayerId, held: Held) -> None:
        """Add a layer, or replace it by another with perhaps another parent."""
        with self.lock:
            self._unhang(layer)
            self.layers[layer] = held
            if held.parent is not None:
                self._children.setdefault(held.parent, set()).add(layer)

    def remove(self, layer: LayerId) -> None:
        with self.lock:
            self._unhang(layer)
            self.layers.pop(layer, None)

    def _unhang(self, layer: LayerId) -> None:
        held = self.layers.get(layer)
        if held is not None and held.parent is not None:
            siblings = self._children[held.parent]
            siblings.discard(layer)
            if not siblings:
                del self._children[held.parent]

    def write(self, layer: LayerId, offset: int, length: int, data: Data) -> None:
        with self.lock:
            held = self.get(layer)
            self.make_room(0 if data is None else length, "write")
            held.own.put(offset, offset + length, data)

    def make_room(self, length: int, action: str) -> None:
        """Raise NoSpace unless so much more may be held."""
        if length and self.used_bytes + length > self.total_bytes:
            raise NoSpace(place=self.name, action=action)

    @property
    def used_bytes(self) -> int:
        with self.lock:
            layers = sum(held.own.allocated_bytes for held in self.layers.values())
            return layers + sum(each.allocated_bytes for each in self.leftovers.values())

    def path(self, layer: LayerId, above: LayerId | None) -> Iterator[Held]:
        """The layer and what lies below it, down to but without its ancestor `above`, or to the root."""
        at: LayerId | None = layer
        while at != above:
            if at is None:
                raise NotAnAncestor(ancestor=above, layer=layer)
            held = self.get(at)
            yield held
            at = held.parent

    def pieces(self, layer: LayerId, start: int, end: int, above: LayerId | None) -> list[Piece]:
        """What the layers of a path have for a range, the topmost winning, in order."""
        with self.lock:
            found: list[Piece] = []
            gaps = [(start, end)]
            for held in self.path(layer, above):
                left: list[tuple[int, int]] = []
                for gap_start, gap_end in gaps:
                    at = gap_start
                    for piece in held.own.pieces(gap_start, gap_end):
                        found.append(piece)
                        if piece.start > at:
                            left.append((at, piece.start))
                        at = piece.end
                    if at < gap_end:
                        left.append((at, gap_end))
                gaps = left
            found.sort(key=lambda piece: piece.start)
            return found
