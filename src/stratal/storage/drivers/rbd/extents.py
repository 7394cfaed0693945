"""What a layer has data for above an ancestor, from RBD's object maps and snapshots. Called by `driver`."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from stratal.storage.drivers.contract import Extent, LayerId
from stratal.storage.drivers.rbd.answers import NotThere
from stratal.storage.drivers.rbd.catalogue import Catalogue, LayerRecord
from stratal.storage.drivers.rbd.image import Change, Image
from stratal.storage.drivers.rbd.pool import Pool


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The changes of one image of a path. `hides` if nothing of the images below can shine through."""

    changes: list[Change]
    hides: bool


class Extents:
    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue

    def between(self, layer: LayerId, above: LayerId | None, *, exact: bool = True) -> list[Extent]:
        """Sorted, not overlapping, clipped. Without `exact`, in whole objects, from object maps alone."""
        record = self._catalogue.layer(layer)
        below = None if above is None else self._catalogue.layer(above)
        found, reached = self._walk(record, above, below, exact)
        if below is not None and not reached:
            # The image was flattened, and what lay between is one with what lay below. All that has no
            # data in either reads as zero in both.
            found += self._walk(below, None, None, exact)[0]
        return list(_merged(found, record.size_bytes))

    def _walk(
        self, record: LayerRecord, above: LayerId | None, below: LayerRecord | None, exact: bool
    ) -> tuple[list[_Found], bool]:
        """The changes on the way down, from the top, and whether it led to `above`."""
        found: list[_Found] = []
        image, snapshot = record.image, record.snapshot
        while True:
            there = below is not None and below.image == image
            try:
                with self._pool.open(image, snapshot=snapshot, read_only=True) as opened:
                    parentless = not opened.has_parent
                    changes = _changes(opened, above if there else None, exact and (there or parentless))
            except NotThere:  # detached between the look into the catalogue and here
                return found, False
            found.append(_Found(changes=changes, hides=parentless))
            if there:
                return found, True
            clone = self._catalogue.look().image(image)
            if clone.parent is None or clone.parent_snapshot is None:
                return found, below is None
            image, snapshot = clone.parent, clone.parent_snapshot


def _changes(image: Image, since: str | None, exact: bool) -> list[Change]:
    size = image.size_bytes
    coarse = image.changes(size, since=since)
    if not exact:
        return coarse
    fine: list[Change] = []
    for start, end in _runs(coarse):
        fine += image.changes(end - start, offset=start, since=since, exact=True)
    return fine


def _runs(changes: list[Change]) -> Iterator[tuple[int, int]]:
    """Neighbours as one range, so that few questions are asked."""
    start = end = 0
    for change in changes:
        if change.offset != end:
            if end > start:
                yield start, end
            start = change.offset
        end = change.offset + change.length
    if end > start:
        yield start, end


def _merged(found: list[_Found], size_bytes: int) -> Iterator[Extent]:
    """The union. A range is known to be zero only if the topmost image that has it says so for good."""
    edges: set[int] = set()
    for layer in found:
        for change in layer.changes:
            edges.update((change.offset, min(change.offset + change.length, size_bytes)))
    covered: Extent | None = None
    cursors = [_Cursor(layer) for layer in found]
    points = sorted(edges)
    for start, end in itertools.pairwise(points):
        zero = _zero_at(cursors, start)
        if zero is None:
            continue
        if covered is not None and covered.offset + covered.length == start and covered.zero == zero:
            covered = Extent(offset=covered.offset, length=end - covered.offset, zero=zero)
            continue
        if covered is not None:
            yield covered
        covered = Extent(offset=start, length=end - start, zero=zero)
    if covered is not None:
        yield covered


class _Cursor:
    """Asked for ever later positions, tells which change of an image lies there."""

    def __init__(self, found: _Found) -> None:
        self.hides = found.hides
        self._changes = iter(sorted(found.changes, key=lambda change: change.offset))
        self._next = next(self._changes, None)

    def at(self, position: int) -> Change | None:
        while self._next is not None and self._next.offset + self._next.length <= position:
            self._next = next(self._changes, None)
        return self._next if self._next is not None and self._next.offset <= position else None


def _zero_at(cursors: list[_Cursor], position: int) -> bool | None:
    """None where no image has the position."""
    hits = [(cursor.hides, change) for cursor in cursors if (change := cursor.at(position)) is not None]
    if not hits:
        return None
    hides, change = hits[0]
    return hides and not change.exists
