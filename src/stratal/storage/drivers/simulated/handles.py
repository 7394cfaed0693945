"""Open simulated layers. Called by `driver`, which hands them out."""

from stratal.storage.drivers.contract import LayerId, Location
from stratal.storage.drivers.simulated.place import Place


class Handle:
    """Reads, and writes if it was opened for that: `LayerReader` and `LayerWriter` in one."""

    def __init__(self, place: Place, layer: LayerId) -> None:
        self._place = place
        self._layer = layer
        self.size_bytes = place.get(layer).size_bytes

    @property
    def location(self) -> Location | None:
        return None

    def read(self, offset: int, length: int) -> bytes:
        self._within(offset, length)
        content = bytearray(length)
        for piece in self._place.pieces(self._layer, offset, offset + length, None):
            if piece.data is not None:
                content[piece.start - offset : piece.end - offset] = piece.data
        return bytes(content)

    def write(self, offset: int, data: bytes) -> None:
        self._within(offset, len(data))
        self._place.write(self._layer, offset, len(data), bytes(data))

    def zero(self, offset: int, length: int) -> None:
        self._within(offset, length)
        self._place.write(self._layer, offset, length, None)

    def flush(self) -> None:
        """Memory has no cache to flush."""

    def _within(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ValueError(f"{length} bytes from {offset} on do not lie in {self.size_bytes}")
