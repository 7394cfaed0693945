"""Bounded reading of an untrusted file, for the header readers of this package."""

import os
import stat
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stratal.storage.images.facts import DamagedImage, HostileImage

_MOST_BYTES = 4 * 2**20
"""No header structure that is read here is larger; a longer wish comes from a lying length field."""


class ImageFile:
    """A regular file, and the name under which its faults are reported."""

    def __init__(self, descriptor: int, *, field: str) -> None:
        self._descriptor = descriptor
        self.field = field
        self.size_bytes = os.fstat(descriptor).st_size

    def peek(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes: fewer, or none, where the file ends earlier."""
        if not 0 <= offset < self.size_bytes or length <= 0:
            return b""
        return os.pread(self._descriptor, min(length, _MOST_BYTES), offset)

    def read(self, offset: int, length: int, what: str) -> bytes:
        """Exactly `length` bytes that hold `what`. Raises DamagedImage where they aren't there."""
        if length > _MOST_BYTES:
            raise self.damaged(f"its {what} would take {length} bytes")
        data = self.peek(offset, length)
        if len(data) != length:
            raise self.damaged(f"it ends before the end of its {what}")
        return data

    def unpack(self, form: str, offset: int, what: str) -> tuple[int, ...]:
        """The integers of a structure. Raises DamagedImage where they aren't there."""
        return struct.unpack(form, self.read(offset, struct.calcsize(form), what))

    def damaged(self, reason: str) -> DamagedImage:
        return DamagedImage(field=self.field, reason=reason)

    def hostile(self, reason: str) -> HostileImage:
        return HostileImage(field=self.field, reason=reason)


@contextmanager
def open_image(path: Path, *, field: str) -> Generator[ImageFile]:
    """Open a regular file; a symbolic link, device, pipe or directory is HostileImage.

    Raises OSError where the file can't be opened at all.
    """
    # Looked at before it is opened: opening a device or a pipe may already have an effect, or wait for ever.
    # O_NOFOLLOW and the second look at the descriptor hold the door against a swap in between.
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise HostileImage(field=field, reason="it is not a regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HostileImage(field=field, reason="it is not a regular file")
        yield ImageFile(descriptor, field=field)
    finally:
        os.close(descriptor)
