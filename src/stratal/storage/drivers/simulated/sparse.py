"""Bytes of which most were never written: what one simulated layer holds for itself. Called by `place`."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

Data = bytes | memoryview | None
"""The bytes of a piece; None for explicit zeros, which take no memory however long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A range that was written, or zeroed."""

    start: int
    end: int
    data: Data

    def cut(self, start: int, end: int) -> "Piece":
        """The part of it that lies in the range, which must overlap it."""
        start, end = max(start, self.start), min(end, self.end)
        data = None
        if self.data is not None:
            data = memoryview(self.data)[start - self.start : end - self.start]
        return Piece(start=start, end=end, data=data)


class SparseBytes:
    """Pieces in order, none overlapping another. A byte outside all of them was never written."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self.allocated_bytes = 0

    def put(self, start: int, end: int, data: Data) -> None:
        """Write a range, over whatever is there."""
        if start == end:
            return
        first, last = self._overlapping(start, end)
        old = self._pieces[first:last]
        new = [Piece(start=start, end=end, data=data)]
        if old and old[0].start < start:
            new.insert(0, old[0].cut(old[0].start, start))
        if old and old[-1].end > end:
            new.append(old[-1].cut(end, old[-1].end))
        self._pieces[first:last] = new
        self.allocated_bytes += _allocated(new) - _allocated(old)

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """What was written in a range, in order."""
        first, last = self._overlapping(start, end)
        for piece in self._pieces[first:last]:
            yield piece.cut(start, end)

    def copy(self) -> "SparseBytes":
        twin = SparseBytes()
        twin._pieces = list(self._pieces)
        twin.allocated_bytes = self.allocated_bytes
        return twin

    def _overlapping(self, start: int, end: int) -> tuple[int, int]:
        pieces = self._pieces
        first = bisect_right(pieces, start, key=lambda piece: piece.start)
        if first and pieces[first - 1].end > start:
            first -= 1
        last = first
        while last < len(pieces) and pieces[last].start < end:
            last += 1
        return first, last


def _allocated(pieces: list[Piece]) -> int:
    return sum(piece.end - piece.start for piece in pieces if piece.data is not None)
