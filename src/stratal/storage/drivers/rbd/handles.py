"""Open layers, as `driver` hands them out: `LayerReader` and `LayerWriter` over an open image."""

from stratal.storage.drivers.contract import Location
from stratal.storage.drivers.rbd.image import Image

# librbd takes larger ones too, but holds all of it in memory once more.
_MOST_BYTES = 16 * 2**20


class RbdReader:
    def __init__(self, image: Image, size_bytes: int, location: Location) -> None:
        self._image = image
        self.size_bytes = size_bytes
        self.location: Location | None = location

    def read(self, offset: int, length: int) -> bytes:
        self._within(offset, length)
        end = offset + length
        return b"".join(
            self._image.read(at, min(_MOST_BYTES, end - at)) for at in range(offset, end, _MOST_BYTES)
        )

    def _within(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise ValueError(f"{length} bytes from {offset} on do not lie in {self.size_bytes}")


class RbdWriter(RbdReader):
    def write(self, offset: int, data: bytes) -> None:
        self._within(offset, len(data))
        for at in range(0, len(data), _MOST_BYTES):
            self._image.write(offset + at, data[at : at + _MOST_BYTES])

    def zero(self, offset: int, length: int) -> None:
        self._within(offset, length)
        if length:
            self._image.zero(offset, length)

    def flush(self) -> None:
        self._image.flush()
